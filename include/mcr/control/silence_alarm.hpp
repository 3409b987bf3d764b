// Decides if a rule is silent: if it receives less than its `expect` says. One look a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "mcr/base/address.hpp"
#include "mcr/config/expectation.hpp"

namespace mcr {

/// One look at a rule. Control thread only.
struct Hearing {
  using Time = std::chrono::steady_clock::time_point;

  Time now;
  bool listening = true;          ///< the rule is active
  double pps = 0;                 ///< since the look before
  std::optional<Time> last_seen;  ///< of the last datagram, if there ever was one
  Endpoint last_source;           ///< its sender
};

/// See the picture in silence_alarm.cpp.
class SilenceAlarm {
 public:
  enum class State : std::uint8_t { off, content, lacking, silent };
  enum class Event : std::uint8_t { none, fell_silent, returned };

  Event update(const Expectation& expect, const Hearing& hearing);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool silent() const noexcept { return state_ == State::silent; }
  /// How long ago it last received what is expected, or began to listen. Just before the update()
  /// that returns `returned` it is the length of the silence. Whole seconds.
  [[nodiscard]] std::chrono::seconds lacking_for(Hearing::Time now) const noexcept;
  /// "no datagram for 4 s; last from 10.0.0.5:40000", "12 datagrams/s, expected at least 100".
  [[nodiscard]] std::string reason(const Expectation& expect, const Hearing& hearing) const;

 private:
  State state_ = State::off;
  Hearing::Time since_;
};

}  // namespace mcr
