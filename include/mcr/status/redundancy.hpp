// The legs of a rule with `merge` or `failover`: values to show, and their JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace mcr::status {

/// One input of a rule with `merge`.
struct MergedLeg {
  std::uint64_t received = 0;
  std::uint64_t unique = 0;  ///< went on
  std::uint64_t duplicates = 0;
  std::uint64_t late = 0;
  std::uint64_t standby = 0;             ///< came while the leg stood by
  std::optional<std::uint64_t> missing;  ///< numbers that it did not bring; nothing: it has none
  std::optional<double> skew_p50_us;     ///< nothing: nothing came
  std::optional<double> skew_max_us;
  std::string path_class;  ///< of SMPTE ST 2022-7, "A" to "D"; "none": the skew is too large
  bool up = false;         ///< heard in the last two seconds, and merged
  bool copy = true;        ///< false: it brings another stream

  friend bool operator==(const MergedLeg&, const MergedLeg&) = default;
};

/// One input of a rule with `failover`.
struct FailoverInput {
  std::uint64_t priority = 0;
  bool on_air = false;
  bool joined = true;
  bool healthy = false;
  std::string why;  ///< it is not healthy

  friend bool operator==(const FailoverInput&, const FailoverInput&) = default;
};

struct MergeView {
  std::string by;  ///< "rtp"
  std::optional<std::uint64_t>
      recovered;                      ///< numbers that the first input missed, and that went on
  std::optional<std::uint64_t> lost;  ///< numbers that no input brought
  std::uint64_t waiting = 0;          ///< for what is missing before them: 0 with order = "first"
  std::uint64_t resets = 0;
  std::uint64_t mismatches = 0;
  std::string order;               ///< "first"
  std::optional<double> window_s;  ///< with order = "sequence", as are these
  bool pace = false;
  std::uint64_t waiting_most = 0;  ///< so many may wait
  std::uint64_t early = 0;         ///< went on before their time, for want of room

  friend bool operator==(const MergeView&, const MergeView&) = default;
};

struct FailoverView {
  struct Last {
    std::uint64_t from = 0;  ///< inputs count from 1
    std::uint64_t to = 0;
    std::string reason;
    double age_s = 0;

    friend bool operator==(const Last&, const Last&) = default;
  };

  std::uint64_t on_air = 0;  ///< inputs count from 1
  bool backup = false;       ///< it is not the best one
  bool by_hand = false;
  std::optional<double> by_hand_left_s;  ///< nothing: until somebody says otherwise
  std::uint64_t switches = 0;
  std::optional<Last> last;

  friend bool operator==(const FailoverView&, const FailoverView&) = default;
};

[[nodiscard]] nlohmann::json to_json(const MergedLeg& leg);
[[nodiscard]] nlohmann::json to_json(const MergeView& merge);
[[nodiscard]] nlohmann::json to_json(const FailoverView& failover);
/// Its keys stand among those of the input.
void write_failover_input(nlohmann::json& object, const FailoverInput& input);

// Nothing if `object` is none. A member that is missing or of another type is unknown, or 0.
[[nodiscard]] std::optional<MergedLeg> leg_from_json(const nlohmann::json& object);
[[nodiscard]] std::optional<MergeView> merge_from_json(const nlohmann::json& object);
[[nodiscard]] std::optional<FailoverView> failover_from_json(const nlohmann::json& object);
[[nodiscard]] std::optional<FailoverInput> failover_input_from_json(const nlohmann::json& input);

/// The class of SMPTE ST 2022-7:2019 for a path difference of a stream of that bitrate.
[[nodiscard]] std::string_view path_class(double skew_us, double stream_bps);

/// A line for people about a leg or an input: "received 1,200: 30 unique, ...".
[[nodiscard]] std::string leg_line(const MergedLeg& leg);
[[nodiscard]] std::string failover_line(const FailoverInput& input);
/// The line of the rule.
[[nodiscard]] std::string merge_line(const MergeView& merge);
[[nodiscard]] std::string failover_line(const FailoverView& failover);

}  // namespace mcr::status
