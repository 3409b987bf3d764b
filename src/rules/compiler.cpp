// Lays the active rules out for the workers: entries by destination, the outputs of a rule side by
// side, once for each group and port that the rule maps. Slots for counters and sockets come from
// the allocators, so that what stays keeps its slot from table to table.
#include "mcr/rules/compiler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/rules/carriers.hpp"

namespace mcr {

namespace {

constexpr std::size_t ipv4_udp_headers = 28;
constexpr std::size_t ipv6_udp_headers = 48;

std::uint16_t unfragmented_payload(const Interface& interface, Family family) noexcept {
  const std::size_t headers = family == Family::ipv6 ? ipv6_udp_headers : ipv4_udp_headers;
  const std::size_t mtu = std::min<std::size_t>(interface.mtu, 65535);
  return static_cast<std::uint16_t>(mtu > headers ? mtu - headers : 0);
}

IpAddress any_address(Family family) noexcept {
  constexpr std::array<std::uint8_t, 16> bytes{};
  return family == Family::ipv6 ? IpAddress::v6(bytes) : IpAddress::v4(0);
}

bool has_searches(ReflectorKind kind) noexcept {
  return kind == ReflectorKind::ssdp || kind == ReflectorKind::ws_discovery;
}

bool filters(const Rule& rule) {
  return has_searches(rule.kind) ||
         std::ranges::any_of(rule.outputs, [](const Output& output) { return bool(output.mdns); });
}

}  // namespace

class TableCompiler {
 public:
  TableCompiler(const Interfaces& interfaces, SlotAllocators& allocators, std::uint16_t source_port)
      : interfaces_(interfaces), slots_(allocators), source_port_(source_port) {}

  void add(const Rule& rule, const RuleStatus& status);
  void add_senders(std::span<const TxKey> senders);
  RuleTable finish(std::uint64_t generation) &&;

 private:
  /// The place of a rule's outputs: all of them stand there once for each group and port it maps.
  struct Layout {
    std::size_t first;    ///< in table_.outputs_
    std::size_t outputs;  ///< of the rule
    Destinations mapped;
  };

  void add_input(const Rule& rule, const Input& input, std::uint32_t slot, const Layout& layout);
  void add_entry(const TableEntry& entry, TableRx& rx);
  void add_output(const Rule& rule, std::size_t at, bool usable, const Layout& layout);
  std::uint32_t filter_of(const Rule& rule, const Output& output);
  TableOutput make_output(const Output& output, bool usable);
  TableRx& rx(const Input& input, const Interface& interface);
  std::uint16_t tx_slot_of(const Interface& interface, const TxKey& key);
  void add_sender(const TxKey& key);
  SendHeader header(const Output& output, const Interface& interface, const TxKey& key);
  void hash_entries();

  template <typename Key>
  static std::uint32_t index_of(SlotAllocator<Key>& slots, const Key& key, std::string_view what) {
    const auto index = slots.add(key);
    if (!index)
      throw Failure(ExitCode::config,
                    fmt::format("more than {} {} at once, with those that are on their way out",
                                slots.capacity(), what));
    return *index;
  }

  const Interfaces& interfaces_;
  SlotAllocators& slots_;
  const std::uint16_t source_port_;
  RuleTable table_;
  std::shared_ptr<redundancy::Legs> legs_;  ///< of the rule that is being added
  std::shared_ptr<const Past> past_;        ///< likewise
  std::map<RxKey, std::size_t> rx_at_;      ///< where in table_.rx_
  std::map<TxKey, std::uint16_t> tx_slots_;
  std::map<std::uint16_t, std::vector<SenderTx>> senders_;  ///< by raw tx slot
};

void TableCompiler::add(const Rule& rule, const RuleStatus& status) {
  // Also a rule that waits keeps its counters.
  const auto slot = index_of(slots_.rules, rule.name, "rules");
  const Layout layout{table_.outputs_.size(), rule.outputs.size(), mapped_destinations(rule)};
  table_.outputs_.resize(layout.first + layout.mapped.size() * layout.outputs);
  for (std::size_t i = 0; i < rule.outputs.size(); ++i)
    add_output(rule, i, rule.enabled && status.output_reasons[i].empty(), layout);
  // It also keeps its legs with what they know of its stream, and its past, if it has these.
  legs_ = rule.enabled ? slots_.legs.get(rule) : nullptr;
  if (legs_ != nullptr) {
    table_.legs_.push_back(legs_);
    table_.leg_entries_.emplace_back();
  }
  past_ = rule.enabled ? slots_.pasts.get(rule) : nullptr;
  if (past_ != nullptr) table_.pasts_.push_back(past_);
  if (status.state != RuleState::active) return;
  for (std::size_t i = 0; i < rule.inputs.size(); ++i)
    if (status.input_reasons[i].empty()) add_input(rule, rule.inputs[i], slot, layout);
}

void TableCompiler::add_input(const Rule& rule, const Input& input, std::uint32_t slot,
                              const Layout& layout) {
  const auto& interface = *interfaces_.find(input.interface);
  auto& from = rx(input, interface);
  TableEntry entry;
  entry.rx_slot = from.slot;
  entry.interface = input.vlan ? 0 : interface.index;
  entry.rule = slot;
  entry.allow_loop = rule.allow_loop;
  entry.circle = rule.circle.number;
  entry.probed = rule.circle.probed;
  entry.filtered = filters(rule);
  entry.preserves = std::ranges::any_of(rule.outputs, [](const Output& output) {
    return output.source.mode == Source::Mode::preserve;
  });
  entry.outputs = static_cast<std::uint32_t>(layout.outputs);
  entry.first_source = static_cast<std::uint32_t>(table_.sources_.size());
  const auto ranges = source_ranges(input);
  entry.sources = static_cast<std::uint32_t>(ranges.size());
  table_.sources_.insert(table_.sources_.end(), ranges.begin(), ranges.end());
  if (auto inspection = slots_.inspections.get(rule, input)) {
    table_.inspectors_.push_back(inspection->inspectors());
    table_.inspections_.push_back(std::move(inspection));
    entry.inspection = static_cast<std::uint32_t>(table_.inspections_.size());
  }
  if (legs_ != nullptr) {
    entry.legs = static_cast<std::uint32_t>(table_.legs_.size());
    entry.leg = static_cast<std::uint8_t>(slots_.legs.number_of(rule, input));
  }
  if (past_ != nullptr) entry.past = static_cast<std::uint32_t>(table_.pasts_.size());
  entry.first_output = static_cast<std::uint32_t>(layout.first);
  if (legs_ != nullptr) table_.leg_entries_.back() = entry;
  const auto& mapped = layout.mapped;
  for (std::uint32_t address = 0; address < input.addresses; ++address)
    for (std::uint32_t port = 0; port < input.ports; ++port) {
      const auto run =
          (mapped.addresses > 1 ? address : 0) * mapped.ports + (mapped.ports > 1 ? port : 0);
      entry.destination = input.destinations().at(address, port);
      entry.first_output = static_cast<std::uint32_t>(layout.first + run * layout.outputs);
      add_entry(entry, from);
      if (!input.destination.is_broadcast()) continue;
      for (const auto& subnets : interface.broadcasts) {
        entry.destination.address = subnets;
        add_entry(entry, from);
      }
    }
}

void TableCompiler::add_entry(const TableEntry& entry, TableRx& rx) {
  table_.entries_.push_back(entry);
  rx.destinations.push_back(entry.destination);
}

/// Every destination has counters of its own, so that each gathers its own messages; status adds
/// them up. What is remembered of a limit they share.
void TableCompiler::add_output(const Rule& rule, std::size_t at, bool usable,
                               const Layout& layout) {
  const auto& output = rule.outputs[at];
  auto result = make_output(output, usable);
  result.filter = filter_of(rule, output);
  for (std::size_t run = 0; run < layout.mapped.size(); ++run) {
    const auto to = output.destinations().mapped_from(layout.mapped, run);
    result.slot = index_of(slots_.outputs, output_key(rule.name, output, to), "outputs");
    if (usable)
      result.header.destination = SocketAddress(to, interfaces_.find(output.interface)->index);
    if (output.limit && run == 0) {
      table_.limits_.push_back({output.limit, result.slot});
      result.limit = static_cast<std::uint32_t>(table_.limits_.size());
    }
    table_.outputs_[layout.first + run * layout.outputs + at] = result;
  }
}

/// The reflector's filter; 0: none. Searches of SSDP and WS-Discovery go another way, see
/// control/searches.hpp.
std::uint32_t TableCompiler::filter_of(const Rule& rule, const Output& output) {
  if (!has_searches(rule.kind) && !output.mdns) return 0;
  table_.filters_.push_back({rule.kind, output.mdns});
  return static_cast<std::uint32_t>(table_.filters_.size());
}

TableOutput TableCompiler::make_output(const Output& output, bool usable) {
  TableOutput result;
  if (!usable) return result;
  const auto& interface = *interfaces_.find(output.interface);
  auto key = tx_key(output, interface);
  if (!key.raw && key.source_port == 0) key.source_port = source_port_;
  result.tx_slot = tx_slot_of(interface, key);
  result.interface = interface.index;
  if (const auto* source = interface.source(output.destination); source != nullptr)
    result.rank = Carriers::rank_of(*source);
  result.unfragmented = unfragmented_payload(interface, key.family);
  result.segmentation = output.segmentation && interface.segments && !interface.shaped;
  result.header = header(output, interface, key);
  result.per_packet_fields = per_packet_fields_of(output);
  result.raw = key.raw;
  return result;
}

TableRx& TableCompiler::rx(const Input& input, const Interface& interface) {
  const auto key = rx_key(input, interface);
  const auto [known, added] = rx_at_.try_emplace(key, table_.rx_.size());
  if (added) {
    TableRx rx;
    rx.slot = static_cast<std::uint16_t>(index_of(slots_.rx, key, "kinds of input"));
    rx.interface = interface.name;
    rx.key = key;
    rx.link_header = *interface.link_header();
    rx.broadcasts = interface.broadcasts;
    table_.rx_.push_back(std::move(rx));
  }
  return table_.rx_[known->second];
}

SendHeader TableCompiler::header(const Output& output, const Interface& interface,
                                 const TxKey& key) {
  if (key.any_source) return make_send_header(output, interface.index, any_address(key.family));
  const auto& source = *source_address(output, interfaces_);
  if (key.source_port != 0) table_.own_sources_.push_back({source, key.source_port});
  return make_send_header(output, interface.index, source);
}

std::uint16_t TableCompiler::tx_slot_of(const Interface& interface, const TxKey& key) {
  const auto known = tx_slots_.find(key);
  if (known != tx_slots_.end()) return known->second;
  const auto slot = static_cast<std::uint16_t>(index_of(slots_.tx, key, "kinds of output"));
  tx_slots_.emplace(key, slot);
  table_.tx_.push_back({slot, interface.name, key});
  return slot;
}

/// A sender's port gets a slot of its own. If none is left it gets nothing, and its datagrams leave
/// by the raw slot of their kind.
void TableCompiler::add_sender(const TxKey& key) {
  auto kind = key;
  kind.source_port = 0;
  kind.raw = true;
  const auto raw = std::ranges::find(table_.tx_, kind, &TableTx::key);
  if (raw == table_.tx_.end()) return;
  const auto known = tx_slots_.find(key);
  const auto index = known != tx_slots_.end() ? known->second : slots_.tx.add(key);
  if (!index) return;
  const auto slot = static_cast<std::uint16_t>(*index);
  senders_[raw->slot].push_back({key.source_port, slot});
  if (tx_slots_.emplace(key, slot).second)
    table_.tx_.push_back({slot, std::string(raw->interface), key});
}

void TableCompiler::add_senders(std::span<const TxKey> senders) {
  for (const auto& key : senders)
    add_sender(key);
  std::size_t count = 0;
  for (const auto& [raw, of_kind] : senders_)
    count += of_kind.size();
  if (count == 0) return;
  table_.senders_.reserve(count);  // the outputs refer to them
  std::map<std::uint16_t, std::span<const SenderTx>> places;
  for (const auto& [raw, of_kind] : senders_) {
    const auto first =
        table_.senders_.insert(table_.senders_.end(), of_kind.begin(), of_kind.end());
    places[raw] = {first, of_kind.size()};
  }
  for (auto& output : table_.outputs_)
    if (output.raw && places.contains(output.tx_slot)) output.senders = places[output.tx_slot];
}

void TableCompiler::hash_entries() {
  auto& entries = table_.entries_;
  const auto key_of = [](const TableEntry& entry) {
    return std::tuple(entry.rx_slot, entry.destination);
  };
  std::ranges::stable_sort(entries, {}, key_of);
  auto& buckets = table_.buckets_;
  buckets.assign(std::bit_ceil(2 * entries.size() + 1), {});
  for (std::uint32_t first = 0, next = 0; first < entries.size(); first = next) {
    while (next < entries.size() && key_of(entries[next]) == key_of(entries[first]))
      ++next;
    auto at = RuleTable::hash(entries[first].rx_slot, entries[first].destination);
    while (buckets[at & (buckets.size() - 1)].count != 0)
      ++at;
    buckets[at & (buckets.size() - 1)] = {first, next - first};
  }
}

RuleTable TableCompiler::finish(std::uint64_t generation) && {
  hash_entries();
  for (auto& rx : table_.rx_) {
    auto& all = rx.destinations;
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  auto& own = table_.own_sources_;
  std::ranges::sort(own);
  own.erase(std::unique(own.begin(), own.end()), own.end());
  for (const auto& source : own)
    table_.own_ports_ |= std::uint64_t{1} << (source.port % 64U);
  table_.reserved_port_ = source_port_;
  table_.generation_ = generation;
  return std::move(table_);
}

RuleTable compile_table(std::span<const Rule> rules, const Interfaces& interfaces,
                        const std::vector<RuleStatus>& statuses, SlotAllocators& allocators,
                        std::uint64_t generation, std::uint16_t source_port,
                        std::span<const TxKey> senders) {
  allocators.legs.sweep();
  TableCompiler compiler(interfaces, allocators, source_port);
  for (std::size_t i = 0; i < rules.size(); ++i)
    compiler.add(rules[i], statuses[i]);
  compiler.add_senders(senders);
  return std::move(compiler).finish(generation);
}

}  // namespace mcr
