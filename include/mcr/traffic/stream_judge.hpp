// Judges the real streams that a sink receives, by the library that the relay inspects them with.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "mcr/base/mapping.hpp"
#include "mcr/status/stream.hpp"
#include "mcr/stream/format.hpp"
#include "mcr/stream/inspector.hpp"
#include "mcr/stream/report.hpp"
#include "mcr/traffic/test_datagram.hpp"

namespace mcr {

/// "auto", "rtp", "ts" or "moldudp64"; nothing for anything else.
[[nodiscard]] std::optional<stream::Format> stream_format(std::string_view name) noexcept;

/// One thread. Times are CLOCK_MONOTONIC, ns.
class StreamJudge {
 public:
  StreamJudge(std::uint32_t groups, const stream::Format& format);

  /// Datagrams for the group of that index. Their source, size and number are in `arrival`.
  void received(std::uint32_t group, const stream::Arrival& arrival) noexcept {
    inspectors_[group].inspect(format_, arrival);
  }
  /// Reads the tables that came meanwhile, five times a second: to be called more often.
  void read(std::uint64_t now_ns);

  struct Verdict {
    TrafficJudge::Totals totals;          ///< `corrupt`: not of the stream's kind
    std::vector<status::Stream> streams;  ///< by group; rates are means of `seconds`
    std::vector<std::uint32_t> silent_groups;
    bool raised = false;  ///< an indicator of TR 101 290
  };
  [[nodiscard]] Verdict verdict(std::uint64_t now_ns, double seconds);

 private:
  stream::Format format_;
  Mapping<stream::Inspector> inspectors_;  ///< by group, as what follows
  std::vector<stream::ReportReader> readers_;
  std::uint64_t read_ns_ = 0;
};

}  // namespace mcr
