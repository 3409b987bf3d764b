// A report of what an inspector has seen: values to show and to judge. Not on the packet path.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/stream/format.hpp"
#include "mcr/stream/indicators.hpp"
#include "mcr/stream/inspector.hpp"
#include "mcr/stream/psi_reader.hpp"

namespace mcr::stream {

struct PidReport {
  std::uint16_t pid = 0;
  std::string kind;  ///< "" if no table names it
  std::uint64_t packets = 0;
  std::uint64_t cc_errors = 0;
  std::uint64_t scrambled = 0;  ///< packets
  std::uint64_t last_ns = 0;
};

struct TsReport {
  std::uint64_t packets = 0;
  std::uint64_t packet_bytes = 0;  ///< 188 or 204; 0: not synchronous yet
  std::uint64_t null_packets = 0;
  std::uint64_t scrambled = 0;
  std::uint64_t untracked = 0;   ///< packets of more PIDs than are kept
  std::uint64_t psi_missed = 0;  ///< packets with tables that were not read
  std::uint64_t pat_ns = 0;      ///< when the last PAT came; 0: none
  std::uint64_t pmt_ns = 0;  ///< the PMT that is overdue most: when it came, or was first awaited
  std::uint64_t pcr_gap_max_ns = 0;
  std::optional<std::uint8_t> pat_version;
  std::uint64_t version_changes = 0;
  std::array<Raised, indicator_names.size()> indicators{};  ///< by Indicator
  std::vector<PidReport> pids;                              ///< ascending
  std::vector<Program> programs;

  [[nodiscard]] const Raised& of(Indicator which) const noexcept {
    return indicators[static_cast<std::size_t>(which)];
  }
};

/// Counts of a SequenceTracker.
struct SequenceCounts {
  std::uint64_t received = 0;  ///< datagrams
  std::uint64_t lost = 0;
  std::uint64_t reordered = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t restarts = 0;

  void add(const SequenceCounts& other) noexcept;
};

struct SourceReport {
  Endpoint endpoint;
  std::uint32_t id = 0;  ///< SSRC, or a digest of the session
  Kind kind = Kind::unknown;
  SequenceCounts counts;
  std::uint64_t bytes = 0;
  std::uint64_t malformed = 0;
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
  std::uint64_t clock_hz = 0;  ///< 0: jitter and delay factor are not known
  std::uint64_t jitter_ns = 0;
  std::uint64_t delay_factor_ns = 0;
  bool coarse = false;  ///< datagrams came several at once: jitter and delay factor are of frames
  std::optional<TsReport> ts;
};

struct StreamReport {
  SequenceCounts counts;              ///< of all sources, also of those that made room
  std::uint64_t cc_errors = 0;        ///< likewise
  std::vector<SourceReport> sources;  ///< the last one heard first

  /// Adds what another worker saw of the same input.
  void add(StreamReport other);
};

/// Reads one inspector: its counters, and the tables in its mailboxes. One thread.
class ReportReader {
 public:
  [[nodiscard]] StreamReport read(Inspector& inspector, std::uint64_t now_ns);

 private:
  struct Tables {
    std::uint64_t generation = 0;
    PsiReader reader;
  };

  std::optional<SourceReport> read(Source& source, Tables& tables, std::uint64_t now_ns);

  std::array<Tables, Inspector::max_sources> tables_;
};

}  // namespace mcr::stream
