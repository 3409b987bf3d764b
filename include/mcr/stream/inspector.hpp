// Inspection of one input: each of its sources by itself, and how they are doing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcr/base/address.hpp"
#include "mcr/base/counter.hpp"
#include "mcr/base/last_source.hpp"
#include "mcr/stream/format.hpp"
#include "mcr/stream/recogniser.hpp"
#include "mcr/stream/rtp.hpp"
#include "mcr/stream/sequence_tracker.hpp"
#include "mcr/stream/ts_tracker.hpp"

namespace mcr::stream {

/// Datagrams of one source that came together, at CLOCK_MONOTONIC `now_ns`.
struct Arrival {
  Endpoint source;
  std::span<const std::byte> payload;  ///< of all, contiguous
  std::uint32_t segment = 0;           ///< bytes of each; the last one may be shorter
  std::uint32_t datagrams = 1;
  std::uint64_t now_ns = 0;
};

/// One source: an address and port, and with RTP an SSRC, with MoldUDP64 a session. The inspector
/// writes; any thread reads the counters.
///
/// The first fields are those that each datagram needs. RTP needs four cache lines of them.
struct alignas(64) Source {
  Endpoint endpoint;          ///< the inspector's own
  std::uint32_t misfits = 0;  ///< in a row; the inspector's own
  Counter id;                 ///< SSRC, or a digest of the session
  Counter kind;               ///< a Kind
  Counter received;
  Counter bytes;  ///< of UDP payload
  Counter last_ns;
  RtpClock clock;
  SequenceTracker sequence;
  TsTracker ts;

  Counter generation;  ///< odd while another source takes over; 0: never used
  LastSource shown;
  Counter malformed;  ///< datagrams that are not of its kind
  Counter first_ns;
  Counter coarse_ns;  ///< when datagrams last came several at once: their times are not their own

  // The inspector's own.
  Recogniser recogniser;
  bool ts_used = false;
};

/// Counts of sources that have made room for others.
struct PastSources {
  Counter received;
  Counter lost;
  Counter reordered;
  Counter duplicated;
  Counter restarts;
  Counter cc_errors;
};

/// One input's sources, on one worker. Valid as all zeroes (Mapping), and then nearly all of it
/// stays untouched. One thread calls inspect(). No allocation, no exception.
class Inspector {
 public:
  static constexpr std::size_t max_sources = 8;  ///< the one not heard for longest makes room

  void inspect(const Format& format, const Arrival& arrival) noexcept;

  /// Asks for the memory that inspect() will most likely need, and does not wait for it.
  void fetch() const noexcept {
    const auto* memory = reinterpret_cast<const std::byte*>(this);
    for (std::size_t at = 0; at < fetched_bytes; at += 64)
      __builtin_prefetch(memory + at, 1);
  }

  [[nodiscard]] std::span<const Source, max_sources> sources() const noexcept { return sources_; }
  /// For the reader of tables, whose mailboxes are in there.
  [[nodiscard]] std::span<Source, max_sources> sources() noexcept { return sources_; }
  [[nodiscard]] const PastSources& past() const noexcept { return past_; }

 private:
  using Datagram = std::span<const std::byte>;

  [[nodiscard]] bool see_expected_rtp(const Arrival& arrival) noexcept;
  void inspect_any(const Format& format, const Arrival& arrival) noexcept;
  void see(const Format& format, const Arrival& arrival, Datagram datagram, bool timed) noexcept;
  [[nodiscard]] Kind find_kind(const Format& format, Datagram datagram) noexcept;
  [[nodiscard]] Kind recognise(Datagram datagram) noexcept;
  Source& see_rtp(const Arrival& arrival, Datagram datagram, bool timed) noexcept;
  static void see_ts(Source& source, Datagram payload, std::uint64_t now_ns) noexcept;
  void see_moldudp64(const Arrival& arrival, Datagram datagram) noexcept;
  void see_field(const SequenceField& field, Datagram datagram) noexcept;
  void misfit() noexcept;
  void use(const Endpoint& endpoint, std::uint64_t now_ns) noexcept;
  [[nodiscard]] Source& with_id(std::uint32_t id, std::uint64_t now_ns) noexcept;
  void use_id(std::uint32_t id, std::uint64_t now_ns) noexcept;
  void claim(const Endpoint& endpoint, std::uint64_t now_ns) noexcept;
  void retire(const Source& source) noexcept;
  [[nodiscard]] Source& current() noexcept { return sources_[current_]; }

  /// Up to the first line of the first source's TsTracker: most inputs have no other source.
  static constexpr std::size_t fetched_bytes = 512;

  std::size_t current_ = 0;  ///< in sources_, of the last datagram
  std::array<Source, max_sources> sources_;
  PastSources past_;
};

}  // namespace mcr::stream
