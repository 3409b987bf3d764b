// The source ports of senders that get tx sockets of their own, for outputs that preserve them. The
// number is bounded. A sender that finds no room, or whose port belongs to another program, is sent
// by the raw socket of the kind, which costs more and changes nothing else. So a port that has been
// silent for a while loses its socket without harm.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "mcr/config/socket_kind.hpp"
#include "mcr/rules/counters.hpp"

namespace mcr {

struct Rule;

/// Control thread only. Keys are those of raw tx slots with a source port put in.
class SenderPorts {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::size_t most = slots::senders;
  static constexpr std::size_t most_of_kind = 128;  ///< of one raw tx slot
  /// Without a datagram, until a port is forgotten; and until one that was refused is tried again.
  static constexpr std::chrono::seconds patience{60};

  enum class Answer : std::uint8_t { added, known, full };

  Answer add(const TxKey& key, Clock::time_point now);
  void used(const TxKey& key, Clock::time_point now);
  /// No socket can be had: not among keys() until it is forgotten.
  void refuse(const TxKey& key, Clock::time_point now);
  /// Refuses the ports that unicast inputs of the rules need: only one socket can hold a port.
  void leave_to_inputs(std::span<const Rule> rules, Clock::time_point now);
  /// Forgets what has been silent; true if keys() has changed.
  bool forget(Clock::time_point now);

  /// Sorted.
  [[nodiscard]] std::vector<TxKey> keys() const;

 private:
  struct Sender {
    Clock::time_point since;  ///< last used, or refused
    bool refused = false;
  };

  std::map<TxKey, Sender> senders_;
};

}  // namespace mcr
