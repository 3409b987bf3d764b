// The stream in an input, as inspection sees it: a value to show, and its JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mcr/stream/report.hpp"

namespace mcr::status {

struct StreamPid {
  std::uint16_t pid = 0;
  std::string kind;  ///< "H.264"; "" if no table names it
  std::uint64_t packets = 0;
  std::uint64_t cc_errors = 0;
  std::optional<double> bps;  ///< bits a second

  friend bool operator==(const StreamPid&, const StreamPid&) = default;
};

/// An indicator of ETSI TR 101 290.
struct StreamIndicator {
  std::string number;  ///< "1.3.a"
  std::string name;
  std::uint64_t count = 0;
  std::optional<double> age_s;  ///< since it was last raised; nothing: never

  friend bool operator==(const StreamIndicator&, const StreamIndicator&) = default;
};

/// MPEG-TS: of the source that was heard last.
struct StreamTs {
  std::uint64_t packets = 0;
  std::uint64_t sync_losses = 0;
  std::uint64_t cc_errors = 0;
  std::uint64_t tei = 0;
  std::uint64_t crc_errors = 0;
  std::uint64_t scrambled = 0;  ///< packets
  std::uint64_t null_packets = 0;
  std::uint64_t psi_missed = 0;      ///< packets with tables that came faster than they were read
  std::optional<double> pat_age_ms;  ///< nothing: none came
  std::optional<double> pmt_age_ms;  ///< of the PMT that is overdue most
  double pcr_gap_ms_max = 0;
  std::optional<double> bitrate_bps;
  std::vector<StreamIndicator> indicators;  ///< all that are measured, by number
  std::vector<StreamPid> pids;              ///< ascending

  friend bool operator==(const StreamTs&, const StreamTs&) = default;
};

struct Stream {
  std::string kind;           ///< "rtp+ts"; of the source that was heard last
  std::uint64_t sources = 0;  ///< that are remembered
  std::uint64_t received = 0;
  std::uint64_t lost = 0;  ///< numbers; 0 where datagrams bear none
  /// The same without those that may only be late. Never falls, as `lost` does when one comes late.
  std::uint64_t lost_for_good = 0;
  std::uint64_t reordered = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t restarts = 0;
  std::optional<double> jitter_us;  ///< nothing: no RTP, or its clock is not known
  std::optional<double> delay_factor_us;
  std::string timing = "exact";  ///< "coarse" where datagrams came several at once
  std::optional<StreamTs> ts;

  friend bool operator==(const Stream&, const Stream&) = default;
};

/// A value of what inspection reports at `now_ns` (CLOCK_MONOTONIC). Rates are of the time since
/// `before` was read, `seconds` ago.
[[nodiscard]] Stream make_stream(const stream::StreamReport& report, std::uint64_t now_ns,
                                 const stream::StreamReport& before, double seconds);

[[nodiscard]] nlohmann::json to_json(const Stream& stream);
/// Nothing if it is no object. What is missing or of another type is unknown, or 0.
[[nodiscard]] std::optional<Stream> stream_from_json(const nlohmann::json& object);

}  // namespace mcr::status
