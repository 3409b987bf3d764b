// The numbers that the datagrams of one source bear: what is lost, reordered, duplicated,
// restarted.
#pragma once

#include <array>
#include <cstdint>

#include "mcr/base/counter.hpp"

namespace mcr::stream {

/// A kind of numbers: when it wraps, and how far a jump may be before it is a restart.
struct NumberSpace {
  std::uint64_t mask = 0xFFFF;
  std::uint64_t max_dropout = 3000;  ///< numbers missing at once
  std::uint64_t max_misorder = 100;  ///< numbers behind; less than SequenceTracker::window

  friend bool operator==(const NumberSpace&, const NumberSpace&) noexcept = default;
};

/// RTP: RFC 3550, appendix A.1.
inline constexpr NumberSpace rtp_numbers{};

/// Numbers of `bytes` bytes (1, 2, 4 or 8) of any other feed. Where they do not wrap within hours,
/// an outage of seconds at a million a second is still told as a loss.
[[nodiscard]] NumberSpace numbers_of(unsigned bytes) noexcept;

/// One source's numbers. `next` is the expected number; all distances are modulo the space:
///
///   number = next                      in order
///   ahead by less than max_dropout     those between are lost
///   behind by max_misorder or less     seen before: duplicated; else reordered, its loss is taken
///                                      back (RFC 4737). Before the first one: reordered.
///   anywhere else                      a jump. The next datagram confirms it: a restart, and
///                                      nothing is lost. Else it was a stray: reordered.
///
/// One thread writes, any reads the counters. Valid as all zeroes. No allocation.
class SequenceTracker {
 public:
  static constexpr std::uint64_t window = 1024;  ///< numbers of which each is remembered

  /// A datagram that bears `number` and takes `step` numbers. Step 0: it takes none, and tells the
  /// next number only (a heartbeat). At most max_step.
  void see(const NumberSpace& space, std::uint64_t number, std::uint64_t step = 1) noexcept {
    if (step == 1 && see_expected(space, number)) [[likely]]
      return;
    see_other(space, number, step);
  }

  /// As see(), for the number that is expected. False for any other: nothing was done.
  bool see_expected(const NumberSpace& space, std::uint64_t number) noexcept {
    if (!started_ || number != next_) return false;
    in_order(space);
    return true;
  }

  /// Back to the begin, for another source.
  void reset() noexcept;

  [[nodiscard]] bool started() const noexcept { return started_; }
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

  /// Numbers missing between the first and the highest. Falls when a missing one comes late.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.get(); }
  /// Datagrams.
  [[nodiscard]] std::uint64_t reordered() const noexcept { return reordered_.get(); }
  [[nodiscard]] std::uint64_t duplicated() const noexcept { return duplicated_.get(); }
  [[nodiscard]] std::uint64_t restarts() const noexcept { return restarts_.get(); }
  /// A restart that showed in something else: the sender took a new SSRC.
  void restarted() noexcept { restarts_.add(1); }

 private:
  void in_order(const NumberSpace& space) noexcept {
    seen_[next_ / 64 % seen_.size()] |= std::uint64_t{1} << next_ % 64;
    next_ = (next_ + 1) & space.mask;
    clear_on_entry(next_);
    ++extent_;
    if (jumped_) [[unlikely]]
      stray();
  }
  /// The bits of a word that `number` begins are those of `window` numbers ago.
  void clear_on_entry(std::uint64_t number) noexcept {
    if (number % 64 == 0) seen_[number / 64 % seen_.size()] = 0;
  }
  void see_other(const NumberSpace& space, std::uint64_t number, std::uint64_t step) noexcept;
  void start(const NumberSpace& space, std::uint64_t number, std::uint64_t step) noexcept;
  void advance(const NumberSpace& space, std::uint64_t ahead, std::uint64_t step) noexcept;
  void late(const NumberSpace& space, std::uint64_t behind, std::uint64_t number,
            std::uint64_t step) noexcept;
  void jump(const NumberSpace& space, std::uint64_t number, std::uint64_t step) noexcept;
  void stray() noexcept;
  [[nodiscard]] bool take(std::uint64_t number) noexcept;

  std::uint64_t next_ = 0;
  std::uint64_t extent_ = 0;  ///< numbers from the first one of this run to next_
  bool started_ = false;
  bool jumped_ = false;
  std::uint64_t jumped_from_ = 0;  ///< the number that did not fit
  std::uint64_t jumped_to_ = 0;    ///< the number that would confirm it
  Counter lost_;
  Counter reordered_;
  Counter duplicated_;
  Counter restarts_;
  std::array<std::uint64_t, window / 64> seen_{};  ///< a bit each, by number modulo window
};

}  // namespace mcr::stream
