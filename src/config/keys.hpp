// Reading a table by a list of the keys that it may have. Each entry has the function that reads
// the key's value, so a new key is one line in its list (reader.cpp).
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shape.hpp"
#include "value.hpp"

namespace mcr {

/// One key of a table that is read into a Target.
template <typename Target>
struct Key {
  std::string_view name;
  void (*read)(const Value&, Target&);
  Shape shape;  ///< for the schema that editors use
};

/// A kind of table, and the keys that it may have.
struct KeyTable {
  std::string_view name;  ///< as Shape::table names it; "file": the file itself
  std::vector<std::pair<std::string_view, Shape>> keys;
  std::vector<Alternatives> alternatives;
  std::size_t least_keys = 0;
};

template <typename Target>
[[nodiscard]] KeyTable key_table(std::string_view name, std::span<const Key<Target>> keys,
                                 std::vector<Alternatives> alternatives = {}) {
  KeyTable table{name, {}, std::move(alternatives)};
  for (const auto& key : keys)
    table.keys.emplace_back(key.name, key.shape);
  return table;
}

/// The message 'unknown key "prot" in an input; did you mean "port"?'. If no key is near, the
/// message lists the known ones.
[[nodiscard]] std::string unknown_key_message(std::string_view key, std::string_view where,
                                              std::span<const std::string_view> known);

/// Reads every key of the table by its entry in `keys`. A key without an entry is a mistake.
/// `where` names the table in messages: "an input".
template <typename Target>
void read_keys(const toml::table& table, std::string_view where, std::span<const Key<Target>> keys,
               Target& target, Position file, Diagnostics& diagnostics) {
  for (const auto& [key, node] : table) {
    const Position key_at = position_of(key.source(), file);
    const auto known = std::ranges::find(keys, key.str(), &Key<Target>::name);
    if (known != keys.end()) {
      known->read(Value(known->name, node, key_at, diagnostics), target);
      continue;
    }
    std::vector<std::string_view> names;
    for (const auto& entry : keys)
      names.push_back(entry.name);
    diagnostics.add(key_at, unknown_key_message(key.str(), where, names));
  }
}

}  // namespace mcr
