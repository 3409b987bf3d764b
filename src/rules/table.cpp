// The lookup is a hash of (rx slot, destination address, destination port) into buckets that
// name a run of entries. Entries of one destination stand side by side: several rules may share
// it, each with its own sources.
#include "mcr/rules/table.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace mcr {

std::uint64_t RuleTable::hash(std::uint16_t rx_slot, const Endpoint& destination) noexcept {
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
  return contains(std::span(sources_).subspan(entry.first_source, entry.sources), source);
}

bool RuleTable::has_own(const Endpoint& source) const noexcept {
  return std::ranges::binary_search(own_sources_, source);
}

}  // namespace mcr
