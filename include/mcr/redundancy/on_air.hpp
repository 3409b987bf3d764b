// Failover: which input of a rule is on air. A function of time and of when each input was heard.
// Theory in on_air.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/config/redundancy.hpp"

namespace mcr::redundancy {

/// One input at one look.
struct InputLook {
  using Time = std::chrono::steady_clock::time_point;

  bool usable = true;  ///< its interface is there, its group is joined
  std::optional<Time> last_seen;
  std::uint8_t priority = 1;  ///< the lowest goes first
  std::string shortcoming{};  ///< in what it is not as `expect` says; "": in nothing
  bool warm = true;           ///< false: it is joined only while it is needed
};

/// One thread at a time (LegWatch has a lock).
class OnAir {
 public:
  using Time = InputLook::Time;

  /// A source that failed twice in so long has to be good for so long.
  static constexpr std::chrono::seconds flapping{30};

  enum class Why : std::uint8_t {
    failed,    ///< the one before failed
    poor,      ///< the one before is not as expected
    reverted,  ///< a better one is well again
    by_hand,
    released,  ///< by_hand() has ended, and another one is better
  };
  struct Switch {
    std::size_t from = 0;
    std::size_t to = 0;
    Why why = Why::failed;
    Time at;
  };

  /// The best one is on air from `now` on.
  void begin(std::span<const InputLook> inputs, Time now);

  /// Inputs have come, gone, or changed places: `before` says where each one was, nothing that it
  /// is new. The one on air stays, if it has not gone.
  void rearrange(std::span<const std::optional<std::size_t>> before, Time now);

  /// One look at all inputs, always the same ones. Says if another one is on air from now on.
  [[nodiscard]] std::optional<Switch> look(const Failover& wanted,
                                           std::span<const InputLook> inputs, Time now);

  /// Puts an input on air, whatever becomes of it, for `time` or until release(): with the next
  /// look.
  void put_on_air(std::size_t input, std::optional<std::chrono::microseconds> time, Time now);
  void release() noexcept;

  [[nodiscard]] std::size_t on_air() const noexcept { return on_air_; }
  /// False: nobody needs it now, and it is not warm.
  [[nodiscard]] bool joined(std::size_t input) const noexcept {
    return input >= health_.size() || health_[input].state != State::cold;
  }
  /// The one that somebody has chosen, if any.
  [[nodiscard]] std::optional<std::size_t> by_hand() const noexcept { return by_hand_; }
  /// Nothing: until somebody says otherwise.
  [[nodiscard]] std::optional<Time> by_hand_until() const noexcept { return until_; }
  [[nodiscard]] bool healthy(std::size_t input) const noexcept;
  /// Why it is not healthy; "" if it is.
  [[nodiscard]] std::string why_not(std::size_t input, const Failover& wanted, Time now) const;
  [[nodiscard]] std::uint64_t switches() const noexcept { return switches_; }
  [[nodiscard]] const std::optional<Switch>& last() const noexcept { return last_; }

 private:
  enum class State : std::uint8_t { cold, failed, poor, proving, good };
  struct Health {
    State state = State::good;
    bool usable = true;
    std::string shortcoming{};  ///< while it is poor
    std::optional<Time> heard;  ///< last
    Time since;                 ///< when it came into this state
    std::optional<Time> failed_last;
    std::optional<Time> failed_before;
    std::optional<Time> joined;  ///< after it was cold: when. It has yet to be heard since
  };

  void update(Health& health, const Failover& wanted, const InputLook& input, Time now) const;
  void leave_good(Health& health, State state, Time now) const;
  [[nodiscard]] static std::chrono::microseconds hold_of(const Health& health,
                                                         const Failover& wanted);
  [[nodiscard]] std::size_t best(std::span<const InputLook> inputs, State least) const;
  [[nodiscard]] std::optional<Switch> choose(const Failover& wanted,
                                             std::span<const InputLook> inputs, Time now);
  [[nodiscard]] bool is_awaited(std::size_t input, const Failover& wanted, Time now) const;
  [[nodiscard]] bool is_needed(const Failover& wanted, std::span<const InputLook> inputs,
                               std::size_t input) const;
  void join_as_needed(const Failover& wanted, std::span<const InputLook> inputs, Time now);
  [[nodiscard]] std::optional<Switch> change(std::size_t to, Why why, Time now);

  std::vector<Health> health_;
  Time begun_;
  std::size_t on_air_ = 0;
  std::optional<std::size_t> by_hand_;
  std::optional<Time> until_;
  bool released_ = false;
  bool all_failed_ = false;
  std::uint64_t switches_ = 0;
  std::optional<Switch> last_;
};

[[nodiscard]] std::string_view to_string(OnAir::Why why) noexcept;

}  // namespace mcr::redundancy
