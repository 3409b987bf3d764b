// Several relays may join the same networks: then one carries a datagram across, and the others
// keep it back. One for all workers. Theory in carriers.cpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "mcr/base/address.hpp"
#include "mcr/base/last_source.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/rules/counters.hpp"

namespace mcr {

/// For any worker, without a lock. A way is an output, named by its slot. `payload`: a hash of it
/// (payload_hash()). `interface`: an index. Times: CLOCK_MONOTONIC, ns.
class Carriers {
 public:
  /// A datagram waits for a time between these two.
  static constexpr std::chrono::milliseconds longest_wait{100};
  static constexpr std::chrono::milliseconds shortest_wait{4};
  /// Two relays that have sent the same datagram hear each other within this time.
  static constexpr std::chrono::milliseconds rival_time{150};
  /// A relay that has heard a rival carries again after so many datagrams that nobody else sent.
  /// Those that follow one another sooner than `pace` count as one.
  static constexpr std::uint32_t proofs = 3;
  static constexpr std::chrono::milliseconds pace{20};
  /// Another relay's copy may come before the original by so much.
  static constexpr std::chrono::milliseconds slack{5};

  explicit Carriers(std::uint64_t key) noexcept : key_(key) {}

  /// Notes that somebody else has sent this payload on this interface's network.
  void heard(std::uint64_t payload, unsigned interface, const Endpoint& source,
             std::uint64_t now_ns) noexcept;
  /// True if somebody else has sent it there, since then.
  [[nodiscard]] bool is_there(std::uint64_t payload, unsigned interface,
                              std::uint64_t since_ns) const noexcept;

  /// True: this relay sends at once what goes this way. Else a datagram waits for wait(), and is
  /// sent only if is_there() does not find it then.
  [[nodiscard]] bool carries(std::uint32_t way) const noexcept;
  /// `rank`: rank_of() the address that copies are sent from. `brief`: a quarter of it. Some echoes
  /// are known as such for a tenth of a second only, and may have waited at three relays.
  [[nodiscard]] std::chrono::nanoseconds wait(std::uint32_t way, std::uint32_t rank,
                                              bool brief) const noexcept;
  /// The share of the longest wait, in 2^-32, that is this address's own; 0: it has none.
  [[nodiscard]] static std::uint32_t rank_of(const IpAddress& source) noexcept;

  /// True if the next datagram this way must be told to sent().
  [[nodiscard]] bool is_due(std::uint32_t way, std::uint64_t now_ns) const noexcept;
  /// Notes that this relay sends it this way.
  void sent(std::uint32_t way, std::uint64_t payload, unsigned interface,
            std::uint64_t now_ns) noexcept;
  /// Notes that this relay keeps it back, since is_there() found it. `source`: of the datagram
  /// itself.
  void left(std::uint32_t way, std::uint64_t payload, unsigned interface, const Endpoint& source,
            std::uint64_t now_ns) noexcept;

  /// Another relay that carries the datagrams of a way.
  struct Other {
    Endpoint source;            ///< of its copies; port 0: unknown, since they keep the sender's
    std::uint64_t last_ns = 0;  ///< when a datagram was left to it
  };
  /// For the control thread. Nothing: this relay does, as far as is known.
  [[nodiscard]] std::optional<Other> other(std::uint32_t way) const noexcept;
  /// For the next output that gets this slot, while no worker uses it.
  void clear(std::uint32_t way) noexcept;

 private:
  struct Way {
    std::atomic<std::uint32_t> proofs_missing{0};  ///< plus 1; 0: nothing is known yet
    std::atomic<std::uint32_t> rivals{0};  ///< that sent at the same time; each changes wait()
    std::atomic<std::uint64_t> sent_ns{0};
    std::atomic<std::uint64_t> left_ns{0};  ///< 0: the last datagram was sent
    LastSource other;                       ///< to whom it was left
  };
  static constexpr std::size_t places = 16384;
  static constexpr std::size_t probes = 1024;

  /// Payloads that were heard, in buckets; below, of two that share a place the later one stays.
  Mapping<std::atomic<std::uint64_t>> heard_{places};
  Mapping<std::atomic<std::uint64_t>> probes_{probes};
  Mapping<LastSource> sources_{probes};  ///< of what was heard
  Mapping<Way> ways_{slots::outputs};
  const std::uint64_t key_;
};

}  // namespace mcr
