// Keeps loops from storming: judges the datagrams of rules that may hear again what they have sent,
// and remembers who sends echoes. One for all workers. Theory in packet/echo_memory.cpp.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcr/base/address.hpp"
#include "mcr/base/last_source.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/packet/echo_memory.hpp"
#include "mcr/packet/parse.hpp"
#include "mcr/rules/carriers.hpp"
#include "mcr/rules/counters.hpp"
#include "mcr/rules/return_probe.hpp"

namespace mcr {

/// The rule that a packet arrived for, and by which way it came.
struct Arrival {
  std::uint32_t circle = 0;  ///< of the rule: what one circle relays is no echo to another
  std::uint32_t rule = 0;    ///< slot of its counters
  unsigned interface = 0;    ///< index
  std::uint16_t rx_slot = 0;
  std::uint64_t station = 0;  ///< the link's address that sent the frame, as a number; 0: none
  bool own = false;           ///< it has a source from which this relay sends, too
  bool surely_own = false;    ///< and nobody else does
  bool listens = false;       ///< nothing goes on: it is heard only
  bool preserves = false;     ///< copies bear the sender's address
  bool probed = false;        ///< the circle may go over other hosts
};

/// How much a rule has heard that goes round: what it has relayed comes back, or a wire brings the
/// same from segment to segment. What another relay has carried is none of it.
struct Echoes {
  std::uint64_t datagrams = 0;
  bool by_wire = false;       ///< the last one
  Endpoint source;            ///< of the last one
  std::uint16_t rx_slot = 0;  ///< on which it came
  std::uint32_t proofs = 0;   ///< by a ReturnProbe
};

class LoopGuard {
 public:
  /// A sender of so many echoes is a suspect, for so long after the last one.
  static constexpr std::uint64_t suspect_echoes = 4;
  static constexpr std::chrono::seconds suspect_for{10};
  static constexpr std::size_t suspects = 1024;
  static constexpr std::size_t origins = 16384;       ///< of payloads, that are remembered at once
  static constexpr std::size_t most_datagrams = 128;  ///< in a packet
  /// A suspect may send on, beside its echoes, so many datagrams a second and at once, of one rule.
  static constexpr std::uint64_t suspect_pps = 10;
  static constexpr std::uint64_t suspect_burst = 8;

  LoopGuard();

  struct Judgement {
    std::bitset<most_datagrams> stopped;  ///< bit N: the packet's datagram N must not be relayed
    bool wary = false;  ///< the sender sends echoes, too: a copy may have overtaken its original
    std::uint32_t held = 0;     ///< the number of a datagram to hold,
    std::uint64_t hold_ns = 0;  ///< if this is not 0, so long; and then say released()

    [[nodiscard]] bool holds(std::uint32_t n) const noexcept { return hold_ns != 0 && n == held; }
  };
  /// For workers. `now_ns`: CLOCK_MONOTONIC.
  [[nodiscard]] Judgement judge(const Arrival& arrival, const Packet& packet,
                                std::uint64_t now_ns) noexcept;

  /// For workers. A datagram with this hash that was held goes on.
  void released(std::uint32_t rule, std::uint64_t payload, std::uint64_t now_ns) noexcept {
    records_[rule].probe.released(payload, now_ns);
  }

  /// For workers. A hash of a payload as judge() makes it, for carriers().
  [[nodiscard]] std::uint64_t hash(std::uint32_t circle,
                                   std::span<const std::byte> payload) const noexcept {
    return payload_hash(payload, key_ + circle);
  }
  /// judge() tells them what is heard.
  [[nodiscard]] Carriers& carriers() noexcept { return carriers_; }
  [[nodiscard]] const Carriers& carriers() const noexcept { return carriers_; }

  /// For the control thread; all since clear().
  [[nodiscard]] Echoes echoes(std::uint32_t rule) const noexcept;
  /// For the control thread. A probed rule has a sender that repeats itself, and nothing goes
  /// round.
  [[nodiscard]] bool refuted(std::uint32_t rule) const noexcept {
    return records_[rule].probe.refuted();
  }
  /// For the control thread: the rule is to be probed anew.
  void probe_anew(std::uint32_t rule) noexcept { records_[rule].probe.clear(); }
  /// For the next rule that gets this slot, while no worker uses it.
  void clear(std::uint32_t rule) noexcept;

 private:
  struct Record {
    std::atomic<std::uint64_t> datagrams{0};
    std::atomic<std::uint64_t> due{0};  ///< of what suspects send on: see rate_limiter.hpp
    std::atomic<std::uint32_t> rx_slot{0};
    std::atomic<bool> by_wire{false};
    LastSource source;
    ReturnProbe probe;
  };
  enum class Verdict : std::uint8_t {
    passes,
    throttled,  ///< a suspect's
    carried,    ///< an echo: another relay's copy
    returned,   ///< an echo: what this relay has sent comes back
    by_wire,    ///< an echo: the same frame on another interface
  };

  /// `hold_ns` is changed where the datagram is to be held.
  [[nodiscard]] Verdict verdict(const Arrival& arrival, std::uint64_t payload, std::uint64_t sender,
                                std::uint64_t relay, std::uint64_t now_ns,
                                std::uint64_t& hold_ns) noexcept;
  [[nodiscard]] bool is_moved(const Arrival& arrival, std::uint64_t payload,
                              std::uint64_t sender) const noexcept;
  [[nodiscard]] Verdict kind_of_echo(const Arrival& arrival, std::uint64_t payload,
                                     std::uint64_t sender) const noexcept;
  [[nodiscard]] std::uint64_t sender_of(const Packet& packet) const noexcept;
  [[nodiscard]] std::atomic<std::uint64_t>& suspect_at(std::uint64_t sender) noexcept {
    return suspects_[sender % suspects];
  }
  [[nodiscard]] bool within_limit(std::atomic<std::uint64_t>& due, std::uint64_t now_ns) noexcept;

  std::uint64_t key_;
  EchoMemory memory_;
  Carriers carriers_{key_};
  /// Found by a hash of the sender: a part of the hash, how many echoes it sent, and when the last
  /// one came. If two senders share a place, the later one stays.
  std::array<std::atomic<std::uint64_t>, suspects> suspects_{};
  /// By a payload's hash: a part of it, and who sent it first and where. Of two that share a place
  /// the later one stays.
  Mapping<std::atomic<std::uint64_t>> origins_{origins};
  Mapping<Record> records_{slots::rules};
};

}  // namespace mcr
