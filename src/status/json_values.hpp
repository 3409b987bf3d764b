// Single values of a status document, in both directions. Reading takes what any daemon may say: a
// value of another type counts as none.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/rules/reason.hpp"
#include "mcr/status/status.hpp"

namespace mcr::status {

using nlohmann::json;

/// The value of a key; null where there is none, or `object` is not one.
inline const json& at(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

/// The array of a key; an empty one where there is none.
inline const json& list(const json& object, const char* key) {
  static const json empty = json::array();
  const auto& value = at(object, key);
  return value.is_array() ? value : empty;
}

/// Negative numbers as 0.
inline std::optional<double> read_number(const json& value) {
  if (!value.is_number()) return std::nullopt;
  const auto number = value.get<double>();
  return std::isfinite(number) ? std::optional(std::max(number, 0.0)) : std::nullopt;
}

inline Count read_count(const json& value) {
  constexpr double most = 1e18;
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  const auto number = read_number(value);
  return number ? Count(static_cast<std::uint64_t>(std::min(*number, most))) : std::nullopt;
}

/// Nothing where it does not fit.
template <typename Number>
std::optional<Number> read_small(const json& value) {
  if (!value.is_number_integer() || value < 0) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  if (number > std::numeric_limits<Number>::max()) return std::nullopt;
  return static_cast<Number>(number);
}

inline std::string read_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

inline std::vector<std::string> read_texts(const json& object, const char* key) {
  std::vector<std::string> texts;
  for (const auto& each : list(object, key))
    texts.push_back(read_text(each));
  return texts;
}

inline bool read_bool(const json& value) {
  return value.is_boolean() && value.get<bool>();
}

inline json write(const Count& count) {
  return count ? json(*count) : json();
}
inline json write(const std::optional<double>& number) {
  return number ? json(*number) : json();
}
inline json write_unless_zero(std::uint64_t number) {
  return number != 0 ? json(number) : json();
}

template <typename State>
json write_state(const std::optional<State>& state) {
  return state ? json(to_string(*state)) : json();
}
template <typename State, std::size_t N>
std::optional<State> read_state(const json& value, const std::array<State, N>& states) {
  const auto text = read_text(value);
  const auto known = std::ranges::find(states, text, [](State state) { return to_string(state); });
  return known == states.end() ? std::nullopt : std::optional(*known);
}

/// "reason" or "error", and the errno that it stems from.
inline void write_reason(json& object, const char* key, const Reason& reason) {
  const auto name = errno_name(reason.error);
  object[key] = reason.text;
  object["errno"] = name.empty() ? json() : json(name);
}
inline Reason read_reason(const json& object, const char* key) {
  return {read_text(at(object, key)), errno_named(read_text(at(object, "errno")))};
}

/// {REASON: n}; all reasons are there.
template <typename AnyDrops>
json write_drops(const AnyDrops& drops) {
  json object;
  for (std::size_t i = 0; i < AnyDrops::names.size(); ++i)
    object[std::string(AnyDrops::names[i])] = drops.counts[i];
  for (const auto& [reason, datagrams] : drops.others)
    object[reason] = datagrams;
  return object;
}
template <typename AnyDrops>
AnyDrops read_drops(const json& object) {
  AnyDrops drops;
  if (!object.is_object()) return drops;
  for (const auto& [reason, value] : object.items()) {
    const auto count = read_count(value).value_or(0);
    const auto known = std::ranges::find(AnyDrops::names, reason);
    if (known != AnyDrops::names.end())
      drops.counts[static_cast<std::size_t>(known - AnyDrops::names.begin())] = count;
    else if (count != 0)
      drops.others.push_back({reason, count});
  }
  return drops;
}

template <typename Thing>
struct CountKey {
  const char* name;
  Count Thing::*count;
};

template <typename Thing>
void write_counts(json& object, const auto& keys, const Thing& thing) {
  for (const auto& [name, count] : keys)
    object[name] = write(thing.*count);
}
template <typename Thing>
void read_counts(const json& object, const auto& keys, Thing& thing) {
  for (const auto& [name, count] : keys)
    thing.*count = read_count(at(object, name));
}

}  // namespace mcr::status
