// Decides if a rule is degraded: it hears enough, and not what the rest of its `expect` says. One
// look a second. Takes the time from its caller. Control thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "mcr/config/expectation.hpp"

namespace mcr {

struct PidCount {
  std::uint16_t pid = 0;
  std::uint64_t packets = 0;
  std::uint64_t cc_errors = 0;
};

/// The sums over a rule's inputs until now. Counts only grow, unless an inspection begins anew and
/// with it its counts.
struct QualityLook {
  using Time = std::chrono::steady_clock::time_point;

  Time at{};
  std::uint64_t bytes = 0;     ///< of UDP payload
  std::uint64_t received = 0;  ///< datagrams that were inspected
  std::uint64_t lost = 0;      ///< numbers that did not come late either
  std::uint64_t cc_errors = 0;
  /// Frames that this relay's own receive sockets on its interfaces had no room for.
  std::uint64_t own_drops = 0;
  std::vector<PidCount> pids{};  ///< of MPEG-TS

  /// Zeroes for a PID that was not seen.
  [[nodiscard]] PidCount of(std::uint16_t pid) const noexcept;
};

/// The time between two looks.
struct QualityWindow {
  QualityLook from{};
  QualityLook to{};
  bool whole = true;  ///< as long as `within`; what began a moment ago is not judged by its rate
  QualityLook::Time last_lost{};
  QualityLook::Time last_cc_error{};
};

/// Says in words where the stream is not as expected ("3 TS continuity errors on PID 257 in 10 s;
/// last 2 s ago"), else "". Loss that may be this relay's own is said to be.
[[nodiscard]] std::string shortcomings(const Expectation& expect, const QualityWindow& window);

/// See the picture in quality_alarm.cpp.
class QualityAlarm {
 public:
  enum class Event : std::uint8_t { none, began, ended };

  /// `hears`: the rule is active and not silent. Else nothing is judged, and the window begins
  /// anew.
  Event update(const Expectation& expect, bool hears, QualityLook look);

  [[nodiscard]] bool degraded() const noexcept { return !reason_.empty(); }
  /// As of the last update(); "" while it is not degraded.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// This relay itself has dropped in the window: the input may be without fault.
  [[nodiscard]] bool own_loss() const noexcept { return own_loss_; }
  /// How long it has been degraded, or was just before the update() that returned `ended`. Whole
  /// seconds.
  [[nodiscard]] std::chrono::seconds lasted(QualityLook::Time now) const noexcept;

 private:
  void begin(QualityLook look);
  void move_window(const Expectation& expect, const QualityLook& look);

  std::vector<QualityLook> looks_;  ///< that windows may begin with, oldest first; bounded
  QualityLook last_;
  std::uint64_t earlier_drops_ = 0;  ///< own_drops of the look before last_
  QualityLook::Time last_lost_{};
  QualityLook::Time last_cc_error_{};
  QualityLook::Time since_{};  ///< degraded
  std::string reason_;
  bool own_loss_ = false;
};

}  // namespace mcr
