// One io_uring (io_uring(7)): requests in, completions out. One thread's own.
#pragma once

#include <liburing.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>

#include "mcr/base/fd.hpp"

namespace mcr {

/// The kind of request that a completion answers. The kernel carries it as 64 bits of user data.
enum class Op : std::uint8_t { receive, fetch, send, writable, cancel, wake };

struct Token {
  Op op = Op::wake;
  std::uint8_t unused = 0;
  std::uint16_t slot = 0;   ///< receive, fetch, cancel: rx slot; send, writable: tx slot
  std::uint32_t index = 0;  ///< send: the message

  [[nodiscard]] static Token of(const io_uring_cqe& completion) noexcept {
    return std::bit_cast<Token>(static_cast<std::uint64_t>(completion.user_data));
  }
  [[nodiscard]] std::uint64_t bits() const noexcept { return std::bit_cast<std::uint64_t>(*this); }
};
static_assert(sizeof(Token) == sizeof(std::uint64_t));

class Ring {
 public:
  /// How the owner sleeps so that it counts as idle, not as waiting for a disk: the best way that
  /// the kernel has, or the one of kernels before 6.15.
  enum class Idle : std::uint8_t { automatic, bell };

  /// Sets the ring up, disabled; smaller than asked for where locked memory is short. Throws
  /// Failure (unavailable) where io_uring is missing or forbidden, Failure (os) where there is not
  /// enough locked memory for even a small ring, OsError else. `completions`: as many as can be
  /// outstanding at once.
  Ring(unsigned submissions, unsigned completions, Idle idle = Idle::automatic);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Makes the calling thread the ring's only user from here on. Throws OsError.
  void enable();

  /// A request to fill in, token last; submits first when the queue is full. Valid until then.
  /// Null: the queue is full and the kernel takes nothing for now. Then the caller keeps what it
  /// has and asks again in its next round.
  [[nodiscard]] io_uring_sqe* request() noexcept;

  /// True if every request has been handed to the kernel.
  [[nodiscard]] bool all_submitted() const noexcept { return io_uring_sq_ready(&ring_) == 0; }

  /// Hands all requests to the kernel and takes its completions, without waiting.
  void submit() noexcept;
  /// The same, and sleeps until there is at least one completion, or for no reason, but not longer
  /// than `limit`. A completion that a write to an eventfd brings about may not wake it: knock(),
  /// too.
  void submit_and_wait(std::optional<std::chrono::nanoseconds> limit = std::nullopt) noexcept;
  /// Ends a sleep. Any thread.
  void knock() const noexcept;

  /// The same, until there are so many completions, for at most that long. Before Linux 6.15 this
  /// time counts as waiting for a disk.
  void submit_and_wait(unsigned completions, std::chrono::microseconds limit) noexcept;

  /// Calls handle(completion) for each completion that is there; true if there was any.
  template <typename Handle>
  bool reap(Handle&& handle) noexcept {
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(&ring_, head, completion) {
      handle(static_cast<const io_uring_cqe&>(*completion));
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
    return count != 0;
  }

  [[nodiscard]] io_uring& raw() noexcept { return ring_; }

 private:
  void hang_bell() noexcept;
  void await_bell(const timespec* limit) noexcept;

  io_uring ring_{};
  bool no_iowait_ = false;  ///< IORING_ENTER_NO_IOWAIT is there
  UniqueFd bell_;           ///< an eventfd that the kernel writes to; none where it is not needed
};

}  // namespace mcr
