// Decides if a rule is looping: if what it has sent comes back to it in numbers. One look a second.
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

  /// So many echoes, with never so long a pause between them, are a loop.
  static constexpr std::uint64_t echoes = 8;
  static constexpr std::chrono::seconds pause{10};

  enum class Event : std::uint8_t { none, began, ended };

  /// `heard`: of all time. It may begin anew, with the next owner of the rule's slot.
  Event update(const Echoes& heard, Time now);

  [[nodiscard]] bool looping() const noexcept { return looping_; }
  /// "what it sends comes back on eth1 from 10.2.0.9:5353: 812 datagrams stopped".
  [[nodiscard]] std::string reason(std::string_view interface) const;

 private:
  bool looping_ = false;
  std::uint64_t since_pause_ = 0;  ///< echoes
  Echoes last_;
  Time last_at_;
};

}  // namespace mcr
