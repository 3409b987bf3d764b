// Gives each key a small number that stays its own for as long as the key is wanted.
// Workers find counters and sockets by these numbers; a number is given to another key only after
// control has seen that nothing is in flight on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "mcr/config/socket_kind.hpp"
#include "mcr/redundancy/leg_registry.hpp"
#include "mcr/rules/counters.hpp"
#include "mcr/rules/output_key.hpp"
#include "mcr/rules/past.hpp"
#include "mcr/rules/stream_inspection.hpp"

namespace mcr {

/// Control thread only.
template <typename Key>
class SlotAllocator {
 public:
  using Index = std::uint32_t;

  explicit SlotAllocator(std::size_t capacity) : capacity_(capacity) {}

  /// The key's number, a new one if it has none; nothing when all are taken.
  std::optional<Index> add(const Key& key) {
    if (const auto known = entries_.find(key); known != entries_.end()) return known->second;
    if (free_.empty() && next_ == capacity_) return std::nullopt;
    const Index index = free_.empty() ? next_++ : *free_.begin();
    free_.erase(index);
    entries_.emplace(key, index);
    return index;
  }

  [[nodiscard]] std::optional<Index> find(const Key& key) const {
    const auto known = entries_.find(key);
    return known == entries_.end() ? std::nullopt : std::optional(known->second);
  }

  /// Gives back the numbers of all keys for which `unused(key, index)` is true.
  template <typename Predicate>
  void remove_if(Predicate unused) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (!unused(entry->first, entry->second)) {
        ++entry;
        continue;
      }
      free_.insert(entry->second);
      entry = entries_.erase(entry);
    }
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] const std::map<Key, Index>& entries() const noexcept { return entries_; }

 private:
  std::size_t capacity_;
  Index next_ = 0;
  std::set<Index> free_;
  std::map<Key, Index> entries_;
};

/// Every number a table refers to. Control thread only.
struct SlotAllocators {
  SlotAllocator<std::string> rules{slots::rules};
  SlotAllocator<OutputKey> outputs{slots::outputs};
  SlotAllocator<RxKey> rx{slots::rx};
  SlotAllocator<TxKey> tx{slots::tx};
  StreamInspections inspections{};
  Pasts pasts{};
  redundancy::LegRegistry legs{};
};

}  // namespace mcr
