// The kernel checks a request's opcode and flags before it looks for its file: a send to no file is
// refused with EINVAL for a flag that it does not know, and with EBADF otherwise. A notification
// follows the refusal with EBADF; it belongs to that question, not to the next one on the ring.
#include "mcr/dataplane/zerocopy_features.hpp"

#include <liburing.h>
#include <sys/socket.h>

#include <cerrno>

namespace mcr {

namespace {

/// The smallest one. Its memory is charged to RLIMIT_MEMLOCK, and given back late.
class SmallRing {
 public:
  SmallRing() noexcept : works_(io_uring_queue_init(1, &ring_, 0) == 0) {}
  ~SmallRing() {
    if (works_) io_uring_queue_exit(&ring_);
  }
  SmallRing(const SmallRing&) = delete;
  SmallRing& operator=(const SmallRing&) = delete;

  [[nodiscard]] bool knows(std::uint16_t flags) noexcept;

 private:
  io_uring ring_{};
  bool works_;
};

bool SmallRing::knows(std::uint16_t flags) noexcept {
  if (!works_) return false;
  std::byte data{};
  iovec piece{&data, sizeof data};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  auto& request = *io_uring_get_sqe(&ring_);
  io_uring_prep_sendmsg_zc(&request, -1, &header, MSG_DONTWAIT);
  request.ioprio = flags;
  if (io_uring_submit(&ring_) != 1) return false;
  bool known = false;
  for (bool more = true; more;) {
    io_uring_cqe* completion = nullptr;
    if (io_uring_wait_cqe(&ring_, &completion) != 0) return false;
    known = known || completion->res == -EBADF;
    more = (completion->flags & IORING_CQE_F_MORE) != 0;
    io_uring_cqe_seen(&ring_, completion);
  }
  return known;
}

}  // namespace

bool knows_zerocopy_send(std::uint16_t flags) noexcept {
  return SmallRing().knows(flags);
}

const ZerocopyFeatures& zerocopy_features() noexcept {
  static const ZerocopyFeatures features = [] {
    SmallRing ring;
    return ZerocopyFeatures{
        .supported = ring.knows(0),
        .reports_usage = ring.knows(zerocopy_flags::report_usage),
        .registered_pieces = ring.knows(zerocopy_flags::registered_buffer),
    };
  }();
  return features;
}

}  // namespace mcr
