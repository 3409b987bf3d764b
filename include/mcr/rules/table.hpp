// The rule table: what a worker reads. compiler.hpp makes it; nothing changes it.
// Counters and sockets are named by index (slot_allocator.hpp), so that a table can be freed while
// sends of it are still in flight.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/config/mdns_filter.hpp"
#include "mcr/config/rate_limit.hpp"
#include "mcr/config/reflector_kind.hpp"
#include "mcr/config/socket_kind.hpp"
#include "mcr/config/sources.hpp"
#include "mcr/packet/send_header.hpp"
#include "mcr/redundancy/legs.hpp"
#include "mcr/rules/past.hpp"
#include "mcr/rules/stream_inspection.hpp"

namespace mcr {

/// The tx slot that sends from `source_port`, of the kind of a raw tx slot. It sends in bulk, which
/// a raw one cannot.
struct SenderTx {
  std::uint16_t source_port = 0;
  std::uint16_t tx_slot = 0;
};

/// One output as the worker needs it.
struct TableOutput {
  static constexpr std::uint16_t no_tx_slot = std::numeric_limits<std::uint16_t>::max();

  std::uint32_t slot = 0;              ///< of its counters
  std::uint16_t tx_slot = no_tx_slot;  ///< no_tx_slot: count output_down
  unsigned interface = 0;              ///< index
  std::uint32_t rank = 0;              ///< of its source among relays (Carriers::rank_of())
  std::uint16_t unfragmented = 0;      ///< largest UDP payload that fits the egress MTU, bytes
  bool segmentation = false;           ///< several datagrams may leave as one message
  std::uint8_t per_packet_fields =
      0;                    ///< what of the header (header.hpp, bits of per_packet_fields)
  bool raw = false;         ///< of `tx_slot`
  std::uint32_t limit = 0;  ///< 0: none; else RuleTable::limit() knows it
  /// A reflector lets only a part pass: the number of RuleTable::filter(); 0: there is no filter.
  /// Such an output has a limit, too.
  std::uint32_t filter = 0;
  /// If it is raw: the tx slots to send by instead, sorted by source port. Lives as long as the
  /// table.
  std::span<const SenderTx> senders;
  SendHeader header;
};

/// The tx slot to send by from this source port, null: the output's own.
[[nodiscard]] const SenderTx* sender_tx(const TableOutput& output,
                                        std::uint16_t source_port) noexcept;

/// One input of one rule.
struct TableEntry {
  Endpoint destination;
  std::uint16_t rx_slot = 0;  ///< that it arrives on
  std::uint32_t rule = 0;     ///< slot of its counters
  std::uint32_t first_output = 0;
  std::uint32_t outputs = 0;
  std::uint32_t first_source = 0;
  std::uint32_t sources = 0;     ///< 0: any
  std::uint32_t inspection = 0;  ///< 0: none; else RuleTable::inspectors() knows them
  unsigned interface = 0;        ///< index; 0: a VLAN on it, where no output sends
  std::uint32_t circle = 0;      ///< not 0: rules of this number may hear their own output again
  bool probed = false;           ///< the circle may go over other hosts
  bool allow_loop = false;       ///< takes also what is_own()
  bool filtered = false;         ///< an output has a filter; then it has a circle, too
  bool preserves = false;        ///< an output keeps the sender's address
  std::uint8_t leg = 0;          ///< number among the rule's legs
  std::uint32_t legs = 0;        ///< 0: none; else RuleTable::legs() knows them
  std::uint32_t past = 0;        ///< 0: none; else RuleTable::past() knows it
};

/// A socket the workers need to receive from.
struct TableRx {
  std::uint16_t slot = 0;
  std::string interface;
  RxKey key;
  std::uint8_t link_header = 0;        ///< bytes
  std::vector<Endpoint> destinations;  ///< what its kernel filter passes, sorted, unique
  std::vector<IpAddress> broadcasts;   ///< of the interface's subnets
};

/// A socket the workers need to send by.
struct TableTx {
  std::uint16_t slot = 0;
  std::string interface;
  TxKey key;
};

class RuleTable {
 public:
  RuleTable() = default;
  RuleTable(RuleTable&&) = default;  // no copies: its outputs refer to the table
  RuleTable& operator=(RuleTable&&) = default;

  /// The inputs that take a datagram with this destination from this rx slot: O(1).
  [[nodiscard]] std::span<const TableEntry> lookup(std::uint16_t rx_slot,
                                                   const Endpoint& destination) const noexcept;
  [[nodiscard]] bool allows(const TableEntry& entry, const IpAddress& source) const noexcept;
  [[nodiscard]] std::span<const TableOutput> outputs(const TableEntry& entry) const noexcept {
    return std::span(outputs_).subspan(entry.first_output, entry.outputs);
  }

  /// True if a datagram with this source was sent by an output of this table. Outputs that preserve
  /// the sender's address cannot be told from the sender.
  [[nodiscard]] bool is_own(const Endpoint& source) const noexcept {
    return (own_ports_ >> (source.port % 64U) & 1U) != 0 && has_own(source);
  }
  /// True if no program of this host but the relay sends from this port of is_own(): the user has
  /// not chosen it.
  [[nodiscard]] bool is_reserved(std::uint16_t source_port) const noexcept {
    return source_port == reserved_port_;
  }

  /// A limit, and the slot of what is remembered of it: several outputs may share it.
  struct Limit {
    RateLimit rate;
    std::uint32_t limiter = 0;
  };
  /// The output has one.
  [[nodiscard]] const Limit& limit(const TableOutput& output) const noexcept {
    return limits_[output.limit - 1];
  }

  struct Filter {
    ReflectorKind kind = ReflectorKind::udp;
    MdnsFilter mdns;
  };
  /// The output has one.
  [[nodiscard]] const Filter& filter(const TableOutput& output) const noexcept {
    return filters_[output.filter - 1];
  }

  /// The entry has some.
  [[nodiscard]] const StreamInspectors& inspectors(const TableEntry& entry) const noexcept {
    return inspectors_[entry.inspection - 1];
  }

  /// The entry has some. For the worker of their lane.
  [[nodiscard]] redundancy::Legs& legs(const TableEntry& entry) const noexcept {
    return *legs_[entry.legs - 1];
  }

  /// The number of rules with legs. Legs are numbered from 1; each number has its legs and an entry
  /// of their rule. An entry without outputs: the rule does not run.
  [[nodiscard]] std::size_t legs_count() const noexcept { return legs_.size(); }
  [[nodiscard]] const redundancy::Legs* legs_at(std::size_t number) const noexcept {
    return legs_[number - 1].get();
  }
  [[nodiscard]] const TableEntry& entry_of_legs(std::size_t number) const noexcept {
    return leg_entries_[number - 1];
  }

  /// The entry has one.
  [[nodiscard]] const Past& past(const TableEntry& entry) const noexcept {
    return *pasts_[entry.past - 1];
  }

  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  [[nodiscard]] const std::vector<TableRx>& rx() const noexcept { return rx_; }
  [[nodiscard]] const std::vector<TableTx>& tx() const noexcept { return tx_; }

 private:
  friend class TableCompiler;

  struct Bucket {
    std::uint32_t first = 0;
    std::uint32_t count = 0;  ///< 0: empty
  };

  [[nodiscard]] static std::uint64_t hash(std::uint16_t rx_slot,
                                          const Endpoint& destination) noexcept;
  [[nodiscard]] bool at(const Bucket& bucket, std::uint16_t rx_slot,
                        const Endpoint& destination) const noexcept;
  [[nodiscard]] bool has_own(const Endpoint& source) const noexcept;

  std::uint64_t generation_ = 0;
  std::vector<Bucket> buckets_{1};   ///< open addressing, a power of two, at most half full
  std::vector<TableEntry> entries_;  ///< those of one rx slot and destination side by side
  std::vector<TableOutput> outputs_;
  std::vector<SenderTx> senders_;  ///< of one raw tx slot side by side
  std::vector<Limit> limits_;
  std::vector<Filter> filters_;
  std::vector<StreamInspectors> inspectors_;
  std::vector<std::shared_ptr<const StreamInspection>> inspections_;  ///< that have inspectors_
  std::uint16_t reserved_port_ = 0;                                   ///< the one of this run
  std::vector<std::shared_ptr<redundancy::Legs>> legs_;
  std::vector<std::shared_ptr<const Past>> pasts_;
  std::vector<TableEntry> leg_entries_;  ///< by legs
  std::uint64_t own_ports_ = 0;          ///< bit N: one of own_sources_ has a port of N modulo 64
  std::vector<Endpoint> own_sources_;    ///< sorted, unique
  std::vector<SourceRange> sources_;     ///< of each entry sorted and disjoint
  std::vector<TableRx> rx_;
  std::vector<TableTx> tx_;
};

}  // namespace mcr
