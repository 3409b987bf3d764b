// When a message is worth a zero-copy send. Pure: sizes and answers in, a decision out.
//
// Zero-copy costs more than copying for small messages, where the kernel copies all the same (a
// tap, a local listener, loopback), and it may lack the memory to pin (RLIMIT_MEMLOCK). So each
// output remembers if it was of use, and the worker remembers if there was memory; both try again
// after a while.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mcr/packet/gso_batch.hpp"

namespace mcr {

/// Learned by one output.
struct ZerocopyHistory {
  std::uint8_t copied_in_a_row = 0;  ///< messages that the kernel copied all the same
  std::uint16_t copies_left = 0;     ///< send so many without trying zero-copy
};

/// Learned by one worker.
class ZerocopyPolicy {
 public:
  /// Messages below this size are cheaper to copy, bytes.
  static constexpr std::uint32_t message_minimum = 1024;
  /// Pieces below this size are gathered to be copied, as many as fit, bytes.
  static constexpr std::uint32_t piece_minimum = 512;
  /// Messages, after zero-copy was refused or of no use.
  static constexpr std::uint16_t copies_before_retry = 1024;
  static constexpr std::uint32_t most_copies_before_retry = 1U << 20U;
  /// Messages in a row that were copied all the same; then it is of no use.
  static constexpr std::uint8_t copied_streak = 8;

  explicit ZerocopyPolicy(bool supported) noexcept : supported_(supported) {}

  [[nodiscard]] bool supported() const noexcept { return supported_; }

  /// The pages that a message may touch that begins with a piece of `segment` bytes.
  [[nodiscard]] static std::uint32_t page_limit(const ZerocopyHistory& history,
                                                std::uint32_t segment) noexcept {
    return history.copies_left == 0 && segment >= piece_minimum ? gso_limits::pages
                                                                : gso_limits::copied_pages;
  }

  /// True if this message, which may be pinned, shall be sent without a copy. Asked once for each
  /// attempt: it counts down to the next try.
  [[nodiscard]] bool wants(ZerocopyHistory& history, const GsoBatch& batch) noexcept {
    if (!supported_ || batch.bytes < message_minimum || batch.pages > gso_limits::pages)
      return false;
    if (copies_left_ == 0 && history.copies_left == 0) return true;
    if (copies_left_ != 0) --copies_left_;
    if (history.copies_left != 0) --history.copies_left;
    return false;
  }

  /// True until the kernel has accepted a zero-copy send since it last had no memory to pin.
  [[nodiscard]] bool on_trial() const noexcept { return accepted_ == 0; }

  /// A zero-copy send was not refused as such.
  void accepted() noexcept {
    if (++accepted_ == most_copies_before_retry) copies_next_time_ = copies_before_retry;
  }
  /// EOPNOTSUPP: never again.
  void unsupported() noexcept { supported_ = false; }
  /// ENOMEM: all outputs copy for a while, each time twice as long.
  void no_memory() noexcept {
    accepted_ = 0;
    if (copies_left_ != 0) return;
    copies_left_ = copies_next_time_;
    copies_next_time_ = std::min(2 * copies_next_time_, most_copies_before_retry);
  }

  /// A notification of a zero-copy send has told: the kernel copied it all the same, or not.
  static void learn(ZerocopyHistory& history, bool copied) noexcept {
    if (!copied) {
      history.copied_in_a_row = 0;
    } else if (++history.copied_in_a_row >= copied_streak) {
      history.copied_in_a_row = copied_streak - 1;  // one more failure of the next try is enough
      history.copies_left = copies_before_retry;
    }
  }

 private:
  bool supported_;
  std::uint32_t copies_left_ = 0;
  std::uint32_t copies_next_time_ = copies_before_retry;
  std::uint32_t accepted_ = 0;  ///< since the last no_memory()
};

}  // namespace mcr
