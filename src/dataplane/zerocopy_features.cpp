// The kernel checks a request's opcode and flags before it looks for its file: a send to no file is
// refused with EINVAL for a flag that it does not know, and with EBADF otherwise.
#include "mcr/dataplane/zerocopy_features.hpp"

#include <liburing.h>
#include <sys/socket.h>

#include <cerrno>

namespace mcr {

bool knows_zerocopy_send(std::uint16_t flags) noexcept {
  io_uring ring{};
  if (io_uring_queue_init(1, &ring, 0) != 0) return false;
  std::byte data{};
  iovec piece{&data, sizeof data};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  auto& request = *io_uring_get_sqe(&ring);
  io_uring_prep_sendmsg_zc(&request, -1, &header, MSG_DONTWAIT);
  request.ioprio = flags;
  io_uring_cqe* answer = nullptr;
  const bool known = io_uring_submit(&ring) == 1 && io_uring_wait_cqe(&ring, &answer) == 0 &&
                     answer->res == -EBADF;
  io_uring_queue_exit(&ring);
  return known;
}

const ZerocopyFeatures& zerocopy_features() noexcept {
  static const ZerocopyFeatures features{
      .supported = knows_zerocopy_send(0),
      .reports_usage = knows_zerocopy_send(zerocopy_flags::report_usage),
      .registered_pieces = knows_zerocopy_send(zerocopy_flags::registered_buffer),
  };
  return features;
}

}  // namespace mcr
