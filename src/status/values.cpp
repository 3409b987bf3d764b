#include "values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "mcr/base/address.hpp"
#include "mcr/base/prefix.hpp"
#include "text_table.hpp"

namespace mcr::status {

const Json& at(const Json& object, const char* key) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

const Json& list(const Json& object, const char* key) {
  static const Json empty = Json::array();
  const auto& value = at(object, key);
  return value.is_array() ? value : empty;
}

std::optional<double> number(const Json& object, const char* key) {
  const auto& value = at(object, key);
  if (!value.is_number()) return std::nullopt;
  auto result = value.get<double>();
  return std::isfinite(result) ? std::optional(std::max(result, 0.0)) : std::nullopt;
}

std::optional<std::uint64_t> counter(const Json& object, const char* key) {
  const auto& value = at(object, key);
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  auto result = number(object, key);
  if (!result) return std::nullopt;
  return static_cast<std::uint64_t>(std::min(*result, 1e18));
}

std::uint64_t count(const Json& object, const char* key) {
  return counter(object, key).value_or(0);
}

std::string text_or_nothing(const Json& object, const char* key) {
  const auto& value = at(object, key);
  if (value.is_string()) return printable(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "on" : "off";
  return value.is_number() ? value.dump() : "";
}

std::string text(const Json& object, const char* key) {
  auto result = text_or_nothing(object, key);
  return result.empty() ? "-" : result;
}

bool is_on(const Json& object, const char* key) {
  const auto& value = at(object, key);
  return value.is_boolean() && value.get<bool>();
}

bool is(const Json& object, const char* key, std::string_view value) {
  const auto& found = at(object, key);
  return found.is_string() && found.get_ref<const std::string&>() == value;
}

std::vector<Drop> drops_in(const Json& drops) {
  std::vector<Drop> result;
  if (!drops.is_object()) return result;
  for (const auto& [reason, value] : drops.items()) {
    auto datagrams = count(drops, reason.c_str());
    if (datagrams > 0) result.push_back({printable(reason), datagrams});
  }
  return result;
}

std::string drops_text(const std::vector<Drop>& drops) {
  std::string result;
  for (const auto& [reason, datagrams] : drops) {
    if (!result.empty()) result += ", ";
    result += fmt::format("{} {}", grouped(datagrams), reason);
  }
  return result;
}

std::uint64_t sum(const std::vector<Drop>& drops) {
  return std::accumulate(drops.begin(), drops.end(), std::uint64_t{0},
                         [](auto total, const auto& drop) { return total + drop.datagrams; });
}

std::string address(const Json& endpoint) {
  auto group = text_or_nothing(endpoint, "group");
  return group.empty() ? text(endpoint, "address") : group;
}

std::string endpoint(const Json& endpoint) {
  const auto address = status::address(endpoint);
  auto port = text_or_nothing(endpoint, "port");
  if (port.empty()) return address;
  bool is_v6 = address.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

std::string place(const Json& endpoint) {
  return fmt::format("{} on {}", status::endpoint(endpoint), text(endpoint, "interface"));
}

std::vector<Json> inputs(const Json& rule) {
  const auto& several = list(rule, "inputs");
  if (!several.empty()) return {several.begin(), several.end()};
  const auto& one = at(rule, "input");
  return one.is_object() ? std::vector<Json>{one} : std::vector<Json>{};
}

std::vector<Json> memberships(const Json& status, const Json& input) {
  std::vector<Json> result;
  auto groups = Prefix::parse(text(input, "group"));
  if (!groups) return result;
  for (const auto& each : list(at(status, "membership"), "groups")) {
    if (at(each, "interface") != at(input, "interface")) continue;
    auto group = IpAddress::parse(text(each, "group"));
    if (group && groups->contains(*group)) result.push_back(each);
  }
  return result;
}

std::string grouped(std::uint64_t number) {
  auto digits = std::to_string(number);
  for (auto i = digits.size(); i > 3;)
    digits.insert(i -= 3, 1, ',');
  return digits;
}

std::string grouped(const Json& object, const char* key) {
  auto value = counter(object, key);
  return value ? grouped(*value) : "-";
}

std::string si(std::optional<double> number) {
  if (!number) return "-";
  constexpr std::array units{"", "k", "M", "G", "T", "P", "E"};
  auto value = *number;
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < units.size(); ++unit)
    value /= 1000;
  if (unit == 0) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, units[unit]);
}

std::string size(std::optional<std::uint64_t> bytes) {
  if (!bytes) return "-";
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(*bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit)
    value /= 1024;
  auto rounded = fmt::format("{:.1f}", value);
  if (rounded.ends_with(".0")) rounded.resize(rounded.size() - 2);
  return fmt::format("{} {}", rounded, units[unit]);
}

std::string duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f}s", seconds);
  if (seconds < 120) return fmt::format("{:.0f}s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{:.0f}m", std::floor(seconds / 60));
  if (seconds < 2 * 86400) return fmt::format("{:.0f}h", std::floor(seconds / 3600));
  return fmt::format("{:.0f}d", std::floor(seconds / 86400));
}

std::string last_seen(const Json& rule) {
  const auto& seconds = at(rule, "last_seen_s");
  bool seen = seconds.is_number() && seconds.get<double>() >= 0;
  return seen ? duration(seconds.get<double>()) : count(rule, "rx_datagrams") > 0 ? "-" : "never";
}

std::string plural(std::uint64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(n), noun, n == 1 ? "" : "s");
}

bool is_unjoined(const Json& membership) {
  return !is(membership, "state", "joined") && !is(membership, "state", "leaving");
}

Unjoined unjoined(const Json& status) {
  Unjoined result;
  for (const auto& each : list(at(status, "membership"), "groups")) {
    if (!is_unjoined(each)) continue;
    result.insert_or_assign({text(each, "interface"), text(each, "group")}, text(each, "state"));
  }
  return result;
}

namespace {

std::string silence_of(const Unjoined& unjoined, const Json& input) {
  auto interface = text(input, "interface");
  auto group = text(input, "group");
  if (is_on(input, "local")) {
    return fmt::format("this host has sent nothing to {} by {}", endpoint(input), interface);
  }
  auto groups = Prefix::parse(group);
  if (!groups || !groups->first().is_multicast()) {
    return fmt::format("nothing has arrived for {} on {}; check source and routing",
                       endpoint(input), interface);
  }
  if (auto found = unjoined.find({interface, group}); found != unjoined.end()) {
    return fmt::format("the membership of {} on {} is {}", group, interface, found->second);
  }
  if (auto vlan = text_or_nothing(input, "vlan"); !vlan.empty()) {
    return fmt::format(
        "nothing has arrived on {0} for VLAN {1}; check source, trunk, and whether the card keeps "
        "the VLAN out (ethtool -K {0} rx-vlan-filter off)",
        interface, vlan);
  }
  return fmt::format(
      "joined, but nothing has arrived on {}; check source, TTL, IGMP snooping/querier", interface);
}

}  // namespace

std::string silence(const Unjoined& unjoined, const Json& rule) {
  if (counter(rule, "rx_datagrams") != std::uint64_t{0}) return "";
  if (!drops_in(at(rule, "drops")).empty()) return "nothing forwarded: all that came was dropped";
  auto all = inputs(rule);
  return "no datagram yet" + (all.empty() ? "" : ": " + silence_of(unjoined, all.front()));
}

}  // namespace mcr::status
