// The lookup is a hash of (rx slot, destination address, destination port) into buckets that
// name a run of entries. Entries of one destination stand side by side: several rules may share
// it, each with its own sources.
#include "mcr/rules/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

constexpr std::size_t ipv4_udp_headers = 28;
constexpr std::size_t ipv6_udp_headers = 48;

std::uint64_t hash(std::uint16_t rx_slot, const Endpoint& destination) noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  if (destination.address.is_v4()) {
    low = destination.address.to_v4();
  } else if (destination.address.is_v6()) {
    const auto bytes = destination.address.bytes();
    std::memcpy(&high, bytes.data(), 8);
    std::memcpy(&low, bytes.data() + 8, 8);
  }
  std::uint64_t key = low ^ std::uint64_t{destination.port} << 32U ^ std::uint64_t{rx_slot} << 48U;
  key ^= high * 0x9E3779B97F4A7C15U;
  key ^= key >> 29U;
  key *= 0xBF58476D1CE4E5B9U;
  return key ^ key >> 32U;
}

std::uint16_t unfragmented_payload(const Interface& interface, Family family) noexcept {
  const std::size_t headers = family == Family::ipv6 ? ipv6_udp_headers : ipv4_udp_headers;
  const std::size_t mtu = std::min<std::size_t>(interface.mtu, 65535);
  return static_cast<std::uint16_t>(mtu > headers ? mtu - headers : 0);
}

IpAddress any_address(Family family) noexcept {
  constexpr std::array<std::uint8_t, 16> bytes{};
  return family == Family::ipv6 ? IpAddress::v6(bytes) : IpAddress::v4(0);
}

std::string why_unusable(const Interface* interface, const std::string& name) {
  if (interface == nullptr) return fmt::format("interface {} does not exist", name);
  if (!interface->up) return fmt::format("interface {} is down", name);
  return {};
}

std::string why_unusable(const Input& input, const Interfaces& interfaces) {
  const auto* interface = interfaces.find(input.interface);
  auto reason = why_unusable(interface, input.interface);
  if (!reason.empty()) return reason;
  if (interface->enslaved)
    return fmt::format("interface {0} is part of a bond: name the bond instead of {0}",
                       input.interface);
  if (!interface->link_header())
    return fmt::format("interface {} is of a type that cannot be an input (ARPHRD {})",
                       input.interface, interface->type);
  if (!input.local && !input.destination.is_multicast() && !interfaces.has(input.destination))
    return fmt::format("{} is no address of this host", input.destination);
  return {};
}

std::string why_no_source(const Interface& interface, const IpAddress& destination) {
  if (destination.is_v4())
    return fmt::format("interface {} has no usable source address", interface.name);
  const bool link_local = std::ranges::any_of(interface.addresses, &IpAddress::is_link_local_v6);
  return link_local ? fmt::format(
                          "interface {} has only a link-local IPv6 address, not good beyond "
                          "its link, where {} may be",
                          interface.name, destination)
                    : fmt::format("interface {} has no usable IPv6 address", interface.name);
}

/// Null if it has none of its own to say, or none can be said.
const IpAddress* source_of(const Output& output, const Interfaces& interfaces) {
  const auto& source = output.source;
  if (source.mode != Source::Mode::address)
    return interfaces.find(output.interface)->source(output.destination);
  return interfaces.has(source.address) ? &source.address : nullptr;
}

std::string why_unusable(const Output& output, const Interfaces& interfaces) {
  auto reason = why_unusable(interfaces.find(output.interface), output.interface);
  if (!reason.empty()) return reason;
  if (output.source.mode == Source::Mode::preserve || source_of(output, interfaces) != nullptr)
    return {};
  if (output.source.mode == Source::Mode::address)
    return fmt::format("source {} is no address of this host", output.source.address);
  return why_no_source(*interfaces.find(output.interface), output.destination);
}

bool all_refused(const std::vector<std::string>& reasons) {
  return std::ranges::none_of(reasons, &std::string::empty);
}

std::string first_refusal(const RuleStatus& status) {
  for (const auto* reasons : {&status.input_reasons, &status.output_reasons})
    for (const auto& reason : *reasons)
      if (!reason.empty()) return reason;
  return {};
}

}  // namespace

std::string_view name(RuleState state) noexcept {
  static constexpr std::array<std::string_view, 5> names{"active", "waiting", "failed", "silent",
                                                         "disabled"};
  return names[static_cast<std::size_t>(state)];
}

RuleStatus rule_status(const Rule& rule, const Interfaces& interfaces,
                       const JoinRefusal& join_refusal) {
  RuleStatus status;
  if (!rule.enabled) {
    status.state = RuleState::disabled;
    status.input_reasons.resize(rule.inputs.size());
    status.output_reasons.resize(rule.outputs.size());
    return status;
  }
  std::string join_refused;
  for (const auto& input : rule.inputs) {
    auto reason = why_unusable(input, interfaces);
    if (reason.empty()) {
      reason = join_refusal(input);
      if (join_refused.empty()) join_refused = reason;
    }
    status.input_reasons.push_back(std::move(reason));
  }
  for (const auto& output : rule.outputs)
    status.output_reasons.push_back(why_unusable(output, interfaces));

  if (all_refused(status.input_reasons)) {
    status.state = join_refused.empty() ? RuleState::waiting : RuleState::failed;
    status.reason = join_refused.empty() ? status.input_reasons.front() : join_refused;
  } else if (all_refused(status.output_reasons)) {
    status.state = RuleState::waiting;
    status.reason = "no output can be used: " + status.output_reasons.front();
  } else if (const auto refusal = first_refusal(status); !refusal.empty()) {
    status.reason = "in part: " + refusal;
  }
  return status;
}

class TableCompiler {
 public:
  TableCompiler(const Interfaces& interfaces, SlotAllocators& allocators, std::uint16_t source_port)
      : interfaces_(interfaces), slots_(allocators), source_port_(source_port) {}

  void add(const Rule& rule, const RuleStatus& status);
  void add_senders(std::span<const TxKey> senders);
  RuleTable finish(std::uint64_t generation) &&;

 private:
  /// Where a rule's outputs are laid out: all of them once for each group and port that it maps.
  struct Layout {
    std::size_t first;    ///< in table_.outputs_
    std::size_t outputs;  ///< of the rule
    Destinations mapped;
  };

  void add_input(const Rule& rule, const Input& input, std::uint32_t slot, const Layout& layout);
  void add_output(const Rule& rule, std::size_t at, bool usable, const Layout& layout);
  TableOutput make_output(const Output& output, bool usable);
  TableRx& rx(const Input& input, const Interface& interface);
  std::uint16_t tx_slot_of(const Interface& interface, const TxKey& key);
  void add_sender(const TxKey& key);
  SendHeader header(const Output& output, const Interface& interface, const TxKey& key);
  void hash_entries();

  template <typename Key>
  static std::uint32_t index_of(SlotAllocator<Key>& book, const Key& key, std::string_view what) {
    const auto index = book.add(key);
    if (!index)
      throw Failure(ExitCode::config,
                    fmt::format("more than {} {} at once, with those that are on their way out",
                                book.capacity(), what));
    return *index;
  }

  const Interfaces& interfaces_;
  SlotAllocators& slots_;
  const std::uint16_t source_port_;
  RuleTable table_;
  std::map<RxKey, std::size_t> rx_at_;  ///< where in table_.rx_
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
  entry.rule = slot;
  entry.allow_loop = rule.allow_loop;
  entry.outputs = static_cast<std::uint32_t>(layout.outputs);
  entry.first_source = static_cast<std::uint32_t>(table_.sources_.size());
  entry.sources = static_cast<std::uint32_t>(input.sources.size());
  for (const auto& source : input.sources)
    table_.sources_.push_back({source.first(), source.last()});
  const auto& mapped = layout.mapped;
  for (std::uint32_t address = 0; address < input.addresses; ++address)
    for (std::uint32_t port = 0; port < input.ports; ++port) {
      const auto run =
          (mapped.addresses > 1 ? address : 0) * mapped.ports + (mapped.ports > 1 ? port : 0);
      entry.destination = input.destinations().at(address, port);
      entry.first_output = static_cast<std::uint32_t>(layout.first + run * layout.outputs);
      table_.entries_.push_back(entry);
      from.destinations.push_back(entry.destination);
    }
}

/// Every destination has counters of its own, so that each gathers its own messages; status adds
/// them up. What is remembered of a limit they share.
void TableCompiler::add_output(const Rule& rule, std::size_t at, bool usable,
                               const Layout& layout) {
  const auto& output = rule.outputs[at];
  auto result = make_output(output, usable);
  for (std::size_t run = 0; run < layout.mapped.size(); ++run) {
    const auto to = output.destinations().mapped_from(layout.mapped, run);
    result.slot = index_of(slots_.outputs, OutputKey{rule.name, output.interface, to}, "outputs");
    if (usable)
      result.header.destination = SocketAddress(to, interfaces_.find(output.interface)->index);
    if (output.limit && run == 0) {
      table_.limits_.push_back({output.limit, result.slot});
      result.limit = static_cast<std::uint32_t>(table_.limits_.size());
    }
    table_.outputs_[layout.first + run * layout.outputs + at] = result;
  }
}

TableOutput TableCompiler::make_output(const Output& output, bool usable) {
  TableOutput result;
  if (!usable) return result;
  const auto& interface = *interfaces_.find(output.interface);
  auto key = kind_of(output);
  key.interface_index = interface.index;
  if (!key.raw && key.source_port == 0) key.source_port = source_port_;
  result.tx_slot = tx_slot_of(interface, key);
  result.unfragmented = unfragmented_payload(interface, key.family);
  result.segmentation = interface.segments && !interface.shaped;
  result.header = header(output, interface, key);
  result.per_packet_fields = per_packet_fields_of(output);
  result.raw = key.raw;
  return result;
}

TableRx& TableCompiler::rx(const Input& input, const Interface& interface) {
  const auto key = RxKey{interface.index, interface.incarnation, kind_of(input)};
  const auto [known, added] = rx_at_.try_emplace(key, table_.rx_.size());
  if (added) {
    TableRx rx;
    rx.slot = static_cast<std::uint16_t>(index_of(slots_.rx, key, "kinds of input"));
    rx.interface = interface.name;
    rx.key = key;
    rx.link_header = *interface.link_header();
    table_.rx_.push_back(std::move(rx));
  }
  return table_.rx_[known->second];
}

SendHeader TableCompiler::header(const Output& output, const Interface& interface,
                                 const TxKey& key) {
  if (key.any_source) return make_send_header(output, interface.index, any_address(key.family));
  const auto& source = *source_of(output, interfaces_);
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

/// One that finds no number is none: its kind has the raw one.
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
    auto at = hash(entries[first].rx_slot, entries[first].destination);
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
  table_.generation_ = generation;
  return std::move(table_);
}

const SenderTx* sender_tx(const TableOutput& output, std::uint16_t source_port) noexcept {
  const auto found =
      std::ranges::lower_bound(output.senders, source_port, {}, &SenderTx::source_port);
  return found != output.senders.end() && found->source_port == source_port ? &*found : nullptr;
}

bool RuleTable::at(const Bucket& bucket, std::uint16_t rx_slot,
                   const Endpoint& destination) const noexcept {
  const auto& entry = entries_[bucket.first];
  return entry.rx_slot == rx_slot && entry.destination == destination;
}

std::span<const TableEntry> RuleTable::lookup(std::uint16_t rx_slot,
                                              const Endpoint& destination) const noexcept {
  const auto mask = buckets_.size() - 1;
  for (auto i = hash(rx_slot, destination);; ++i) {
    const auto& bucket = buckets_[i & mask];
    if (bucket.count == 0) return {};
    if (at(bucket, rx_slot, destination))
      return std::span(entries_).subspan(bucket.first, bucket.count);
  }
}

bool RuleTable::allows(const TableEntry& entry, const IpAddress& source) const noexcept {
  if (entry.sources == 0) return true;
  const auto allowed = std::span(sources_).subspan(entry.first_source, entry.sources);
  const auto next = std::ranges::upper_bound(allowed, source, {}, &SourceRange::first);
  return next != allowed.begin() && source <= std::prev(next)->last;
}

bool RuleTable::has_own(const Endpoint& source) const noexcept {
  return std::ranges::binary_search(own_sources_, source);
}

RuleTable compile(const Config& config, const Interfaces& interfaces,
                  const std::vector<RuleStatus>& statuses, SlotAllocators& allocators,
                  std::uint64_t generation, std::uint16_t source_port,
                  std::span<const TxKey> senders) {
  TableCompiler compiler(interfaces, allocators, source_port);
  for (std::size_t i = 0; i < config.rules.size(); ++i)
    compiler.add(config.rules[i], statuses[i]);
  compiler.add_senders(senders);
  return std::move(compiler).finish(generation);
}

}  // namespace mcr
