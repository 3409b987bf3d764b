// Decides if a rule is looping: if much of what it hears goes round. One look a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "mcr/rules/loop_guard.hpp"

namespace mcr {

/// See the picture in loop_alarm.cpp. Control thread only.
class LoopAlarm {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// So many echoes, with never so long a pause between them, are a loop, if there is one for each
  /// `share` datagrams that the rule takes meanwhile. Where much is lost a relay now and then sends
  /// a datagram back, since it knows the copy only; these are fewer.
  static constexpr std::uint64_t echoes = 8;
  static constexpr std::uint64_t share = 4;
  static constexpr std::chrono::seconds pause{10};
  /// It counts anew after this time, so that what was long ago has no say.
  static constexpr std::chrono::seconds span{60};

  enum class Event : std::uint8_t { none, began, ended };

  /// `heard`, and `taken`, datagrams that the rule takes: of all time.
  Event update(const Echoes& heard, std::uint64_t taken, Time now);

  [[nodiscard]] bool looping() const noexcept { return looping_; }
  /// "what it sends comes back on eth1 from 10.2.0.9:5353: 812 datagrams stopped", or "a wire
  /// brings what other segments have to eth1, as from 10.1.0.9:5353: 812 datagrams stopped".
  [[nodiscard]] std::string reason(std::string_view interface) const;

 private:
  bool looping_ = false;
  std::uint64_t echoes_ = 0;  ///< since it counts
  std::uint64_t taken_ = 0;   ///< when it began to count; and when that was
  Time began_at_;
  std::uint64_t last_taken_ = 0;
  Echoes last_;
  Time last_at_;
};

}  // namespace mcr
