// The parts of io_uring that liburing 2.3 lacks and these programs need.
#pragma once

#include <liburing.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdlib>
#include <vector>

#include "world.hpp"

#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)  // Linux 6.2
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)  // Linux 6.2
#endif

namespace world {

struct Uring {
  io_uring ring{};

  explicit Uring(unsigned entries = 64) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                       IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    parameters.cq_entries = entries * 4;
    const int error = io_uring_queue_init_params(entries, &ring, &parameters);
    if (error < 0) skip(fmt::format("io_uring: {}", std::strerror(-error)));
  }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring() { io_uring_queue_exit(&ring); }

  io_uring_sqe* sqe(std::uint64_t id) {
    auto* entry = io_uring_get_sqe(&ring);
    if (entry == nullptr) skip("submission queue full");
    io_uring_sqe_set_data64(entry, id);
    return entry;
  }

  struct Completion {
    std::uint64_t id;
    int result;
    unsigned flags;
  };

  /// The requests that complete within the time, at most `count` of them.
  std::vector<Completion> wait(unsigned count, std::chrono::milliseconds limit) {
    std::vector<Completion> seen;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    io_uring_submit_and_get_events(&ring);
    while (seen.size() < count && std::chrono::steady_clock::now() < deadline) {
      __kernel_timespec pause{0, 10'000'000};
      io_uring_cqe* cqe = nullptr;
      if (io_uring_wait_cqe_timeout(&ring, &cqe, &pause) != 0) continue;
      seen.push_back({cqe->user_data, cqe->res, cqe->flags});
      io_uring_cqe_seen(&ring, cqe);
    }
    return seen;
  }
};

/// One zero-copy message, waited for: what the kernel says of it. `registered`: of buffer 0
/// (IORING_RECVSEND_FIXED_BUF).
inline int send_zerocopy(Uring& uring, int socket, std::vector<iovec> parts,
                         bool registered = false) {
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  auto* sqe = uring.sqe(1);
  io_uring_prep_sendmsg_zc(sqe, socket, &message, MSG_DONTWAIT);
  if (registered) sqe->ioprio = IORING_RECVSEND_FIXED_BUF;
  const auto done = uring.wait(2, std::chrono::milliseconds(500));
  if (done.empty()) wrong("no completion");
  return done[0].result;
}

/// Buffers for multishot receives: a ring of `count` (a power of two) of `size` bytes each.
struct BufferRing {
  unsigned count, size;
  std::vector<std::byte> memory;
  io_uring_buf_ring* ring;

  BufferRing(Uring& uring, int group, unsigned buffers, unsigned bytes)
      : count(buffers), size(bytes), memory(std::size_t{buffers} * bytes) {
    void* map = ::mmap(nullptr, buffers * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                       MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (map == MAP_FAILED) skip("mmap");
    ring = static_cast<io_uring_buf_ring*>(map);
    io_uring_buf_ring_init(ring);
    io_uring_buf_reg request{};
    request.ring_addr = reinterpret_cast<std::uintptr_t>(map);
    request.ring_entries = buffers;
    request.bgid = static_cast<std::uint16_t>(group);
    const int error = io_uring_register_buf_ring(&uring.ring, &request, 0);
    if (error < 0) skip(fmt::format("buffer ring: {}", std::strerror(-error)));
    for (unsigned id = 0; id < buffers; ++id)
      give(id);
  }

  std::byte* at(unsigned id) { return memory.data() + std::size_t{id} * size; }

  void give(unsigned id) {
    io_uring_buf_ring_add(ring, at(id), size, static_cast<std::uint16_t>(id),
                          io_uring_buf_ring_mask(count), 0);
    io_uring_buf_ring_advance(ring, 1);
  }
};

}  // namespace world
