// The measurements of ETSI TR 101 290 (V1.4.1) that are made here, by ETSI's numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mcr/base/counter.hpp"

namespace mcr::stream {

/// 1.6 (a PID that is missing) is the rule's own expectation. 2.4 (PCR accuracy, 500 ns) needs time
/// stamps of the hardware, and is not claimed.
enum class Indicator : std::uint8_t {
  sync_loss,     ///< 1.1: two wrong sync bytes after five right ones
  sync_byte,     ///< 1.2: a sync byte is not 0x47
  pat,           ///< 1.3.a: no PAT for 0.5 s, PID 0 scrambled, or another table on PID 0
  continuity,    ///< 1.4: packets of a PID lost, swapped, or sent more than twice
  pmt,           ///< 1.5.a: no PMT for 0.5 s on a PID that the PAT names, or it is scrambled
  transport,     ///< 2.1: transport_error_indicator
  crc,           ///< 2.2: CRC of PAT, CAT or PMT
  pcr_interval,  ///< 2.3a: more than 100 ms from PCR to PCR, by arrival
  pcr_step,      ///< 2.3b: PCRs differ by more than 100 ms, or go back, without being announced
  pts,           ///< 2.5: more than 700 ms from PTS to PTS
  cat,           ///< 2.6: scrambled packets without a CAT, or another table on PID 1
};

struct IndicatorName {
  std::string_view number;
  std::string_view name;
};
inline constexpr std::array<IndicatorName, 11> indicator_names{{
    {"1.1", "TS_sync_loss"},
    {"1.2", "Sync_byte_error"},
    {"1.3.a", "PAT_error_2"},
    {"1.4", "Continuity_count_error"},
    {"1.5.a", "PMT_error_2"},
    {"2.1", "Transport_error"},
    {"2.2", "CRC_error"},
    {"2.3a", "PCR_repetition_error"},
    {"2.3b", "PCR_discontinuity_indicator_error"},
    {"2.5", "PTS_error"},
    {"2.6", "CAT_error"},
}};

/// How often an indicator was raised, and when last. One thread writes, any reads.
struct Occurrences {
  Counter count;
  Counter last_ns;  ///< CLOCK_MONOTONIC; 0: never

  void add(std::uint64_t now_ns) noexcept {
    count.add(1);
    last_ns.set(now_ns);
  }
};

/// The same as a value.
struct Raised {
  std::uint64_t count = 0;
  std::uint64_t last_ns = 0;  ///< CLOCK_MONOTONIC; 0: never
};

class Indicators {
 public:
  void raise(Indicator which, std::uint64_t now_ns) noexcept {
    values_[static_cast<std::size_t>(which)].add(now_ns);
  }
  void clear() noexcept {
    for (auto& value : values_) {
      value.count.set(0);
      value.last_ns.set(0);
    }
  }
  [[nodiscard]] const Occurrences& operator[](Indicator which) const noexcept {
    return values_[static_cast<std::size_t>(which)];
  }

 private:
  std::array<Occurrences, indicator_names.size()> values_;
};

}  // namespace mcr::stream
