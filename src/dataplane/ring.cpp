// One thread owns a ring: the kernel does its work when that thread asks for completions
// (IORING_SETUP_DEFER_TASKRUN), so nothing interrupts the packet loop. The ring is made by the
// control thread, disabled, and belongs to the thread that enables it. A request that fails does
// not stop those behind it (IORING_SETUP_SUBMIT_ALL).
//
// A thread that waits in io_uring_enter(2) counts as waiting for a disk: all idle CPUs then show as
// "wa", and /proc/pressure/io as stalled. IORING_ENTER_NO_IOWAIT says that it is idle (Linux 6.15).
// Before that the thread sleeps on an eventfd, the bell, which the kernel rings when there is work
// to ask for. poll(2) on the ring itself will not do: from 6.3 to today that work does not wake it,
// if it is left for the owner. The bell is silent while the thread is awake, since ringing costs.
// The kernel does not ring reliably for what a write to another eventfd has brought about (seen on
// 6.18), so who writes to one knocks.
//
// Nothing here waits for room. The completion queue holds all that can be outstanding; when the
// submission queue is full, it is handed over; if the kernel does not take it then, request() says
// so and the caller asks again in its next round.
#include "mcr/dataplane/ring.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/host/locked_memory.hpp"

namespace mcr {

namespace {

/// For one place in a full queue. EINTR and EAGAIN are over by then, or will last.
constexpr int submissions_at_most = 16;
constexpr unsigned least_submissions = 64;

// Linux 6.15; not in Debian 12's headers.
constexpr unsigned enter_no_iowait = 1U << 7U;     // IORING_ENTER_NO_IOWAIT
constexpr unsigned feature_no_iowait = 1U << 17U;  // IORING_FEAT_NO_IOWAIT

std::string why_unavailable(int error) {
  if (error == ENOSYS)
    return "this kernel has no io_uring, or a container's seccomp profile hides it; "
           "/usr/share/mcr/container/seccomp.json is one that allows it";
  return "io_uring is forbidden here: the sysctl kernel.io_uring_disabled, or a seccomp filter; "
         "the default profiles of container engines block it, "
         "/usr/share/mcr/container/seccomp.json allows it (docker run --security-opt seccomp=FILE)";
}

/// 0, or why not.
int set_up(io_uring& ring, unsigned submissions, unsigned completions) {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completions;
  return -io_uring_queue_init_params(submissions, &ring, &parameters);
}

}  // namespace

/// A smaller ring will do if locked memory is short: requests are handed over more often, and
/// completions that find no room wait in the kernel (IORING_FEAT_NODROP).
Ring::Ring(unsigned submissions, unsigned completions, Idle idle) {
  int error = set_up(ring_, submissions, completions);
  while (error == ENOMEM && submissions > least_submissions) {
    submissions /= 2;
    completions /= 2;
    error = set_up(ring_, submissions, completions);
    if (error == 0)
      log::warning("locked memory is short: io_uring has room for {} requests and {} completions",
                   submissions, completions);
  }
  if (error == ENOMEM)
    throw Failure(ExitCode::os, "set up io_uring: " + errno_text(error) + about_locked_memory());
  if (error == ENOSYS || error == EPERM)
    throw Failure(ExitCode::unavailable, "set up io_uring: " + why_unavailable(error));
  if (error == EINVAL)
    throw Failure(ExitCode::unavailable,
                  "set up io_uring: this kernel is too old (Linux 6.1 or later is needed)");
  if (error != 0) throw OsError(error, "set up io_uring");
  no_iowait_ = idle == Idle::automatic && (ring_.features & feature_no_iowait) != 0;
  if (!no_iowait_) hang_bell();
}

/// Without it waiting works, too, and looks like a busy disk.
void Ring::hang_bell() noexcept {
  bell_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (bell_.valid() && io_uring_register_eventfd(&ring_, bell_.get()) != 0) bell_.reset();
  if (bell_.valid()) io_uring_cq_eventfd_toggle(&ring_, false);
}

Ring::~Ring() {
  io_uring_queue_exit(&ring_);
}

void Ring::enable() {
  // io_uring_enable_rings() is declared by liburing 2.3, but not in Debian's library.
  if (::syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) ==
      0)
    return;
  const int error = errno;
  if (error == EPERM)
    throw Failure(ExitCode::unavailable, "enable io_uring: " + why_unavailable(error));
  throw OsError(error, "enable io_uring");
}

io_uring_sqe* Ring::request() noexcept {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  for (int left = submissions_at_most; entry == nullptr && left != 0; --left) {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

// Errors of io_uring_enter(2) here are EINTR, EAGAIN and EBUSY: passing, and asked again by the
// next call; requests that were not taken stay in the queue.
void Ring::submit() noexcept {
  io_uring_submit_and_get_events(&ring_);
}

void Ring::submit_and_wait(std::optional<std::chrono::nanoseconds> limit) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  const auto ns = limit.value_or(std::chrono::nanoseconds(0)).count();
  __kernel_timespec time{ns / second, ns % second};
  if (bell_.valid()) {
    const timespec until{time.tv_sec, static_cast<long>(time.tv_nsec)};
    return await_bell(limit ? &until : nullptr);
  }
  if (!all_submitted()) submit();
  io_uring_getevents_arg wait{};
  wait.ts = limit ? reinterpret_cast<std::uint64_t>(&time) : 0;
  ::syscall(SYS_io_uring_enter, ring_.ring_fd, 0, 1,
            IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | (no_iowait_ ? enter_no_iowait : 0U),
            &wait, sizeof wait);
}

/// The submission after the bell is audible takes all work that came before: the kernel adds work
/// first and looks then whether the bell is silent. What comes later rings.
void Ring::await_bell(const timespec* limit) noexcept {
  io_uring_cq_eventfd_toggle(&ring_, true);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  submit();
  if (io_uring_cq_ready(&ring_) == 0) {
    eventfd_t rings = 0;
    pollfd bell{bell_.get(), POLLIN, 0};
    if (limit == nullptr || ::ppoll(&bell, 1, limit, nullptr) > 0)
      ::eventfd_read(bell_.get(), &rings);
    submit();
  }
  io_uring_cq_eventfd_toggle(&ring_, false);
}

void Ring::knock() const noexcept {
  if (bell_.valid()) ::eventfd_write(bell_.get(), 1);
}

void Ring::submit_and_wait(unsigned completions, std::chrono::microseconds limit) noexcept {
  io_uring_cqe* completion = nullptr;
  __kernel_timespec time{limit.count() / 1'000'000, limit.count() % 1'000'000 * 1000};
  io_uring_submit_and_wait_timeout(&ring_, &completion, completions, &time, nullptr);
}

}  // namespace mcr
