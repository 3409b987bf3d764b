// The tables [[reflector]], as reader.cpp reads the others.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "keys.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/config/limits.hpp"
#include "raw_rule.hpp"
#include "reader.hpp"

namespace mcr {
namespace {

/// Each element of an array by `read`, which is given its Value; elements that are refused are left
/// out. Nothing if it is no array, is empty, or has more than `most` elements.
template <typename T, typename Read>
std::optional<std::vector<T>> read_elements(const Value& value, std::string_view of,
                                            std::size_t most, Read read) {
  const auto* array = value.array(of);
  if (array == nullptr) return std::nullopt;
  if (array->empty() || array->size() > most) {
    value.refuse(array->empty()
                     ? std::string("is empty")
                     : fmt::format("has {} elements, at most {} are allowed", array->size(), most));
    return std::nullopt;
  }
  std::vector<T> elements;
  for (const auto& node : *array) {
    const Value element = value.element(node);
    if (auto one = read(element)) elements.push_back(std::move(*one));
  }
  return elements;
}

constexpr std::array<std::pair<std::string_view, ReflectorKind>, 4> kinds{
    {{"mdns", ReflectorKind::mdns},
     {"ssdp", ReflectorKind::ssdp},
     {"ws-discovery", ReflectorKind::ws_discovery},
     {"udp", ReflectorKind::udp}}};

std::optional<ReflectorKind> read_kind(const Value& value) {
  const auto text = value.string();
  if (!text) return std::nullopt;
  const auto known = std::ranges::find(kinds, *text, [](const auto& each) { return each.first; });
  if (known != kinds.end()) return known->second;
  value.refuse(fmt::format("{} is none of mdns, ssdp, ws-discovery, udp", quoted_excerpt(*text)));
  return std::nullopt;
}

template <typename T>
std::optional<Placed<T>> placed(const Value& value, std::optional<T> read) {
  if (!read) return std::nullopt;
  return Placed<T>{value.at(), std::move(*read)};
}

std::optional<std::vector<Placed<std::string>>> read_interfaces(const Value& value) {
  return read_elements<Placed<std::string>>(
      value, "names of interfaces", limits::reflector_interfaces,
      [](const Value& element) { return placed(element, element.interface()); });
}

/// One group, or a list of them.
std::optional<std::vector<Placed<IpAddress>>> read_groups(const Value& value) {
  const auto read = [](const Value& each) {
    return placed(each, each.group("; `address = \"broadcast\"` is for broadcasts"));
  };
  if (!value.is_string())
    return read_elements<Placed<IpAddress>>(value, "groups", limits::reflector_groups, read);
  auto one = read(value);
  if (!one) return std::nullopt;
  return std::vector{std::move(*one)};
}

std::optional<IpAddress> read_address(const Value& value) {
  const auto text = value.string();
  if (!text) return std::nullopt;
  if (*text == "broadcast") return limited_broadcast;
  value.refuse(
      fmt::format("{} is not \"broadcast\"; a group is written as `group`", quoted_excerpt(*text)));
  return std::nullopt;
}

/// "_ipp._tcp" (RFC 6763, section 7).
bool is_service(std::string_view text) {
  const auto dot = text.rfind('.');
  if (dot == std::string_view::npos || (text.substr(dot) != "._tcp" && text.substr(dot) != "._udp"))
    return false;
  const auto name = text.substr(0, dot);
  const auto fits = [](char c) {
    return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return name.size() >= 2 && name.size() <= 64 && name.front() == '_' &&
         std::ranges::all_of(name.substr(1), fits);
}

std::optional<std::vector<std::string>> read_services(const Value& value) {
  return read_elements<std::string>(
      value, "names of services", limits::reflector_services,
      [](const Value& element) -> std::optional<std::string> {
        const auto text = element.string();
        if (!text || is_service(*text)) return text;
        element.refuse(
            fmt::format("{} is no service, such as \"_ipp._tcp\"", quoted_excerpt(*text)));
        return std::nullopt;
      });
}

constexpr Key<RawAllow> allow_keys[] = {
    {"from", [](const Value& v, RawAllow& a) { a.from.set(v.at(), v.interface()); },
     shape::needed(shape::name)},
    {"to", [](const Value& v, RawAllow& a) { a.to.set(v.at(), v.interface()); },
     shape::needed(shape::name)},
    {"questions", [](const Value& v, RawAllow& a) { a.questions.set(v.at(), v.boolean()); },
     shape::boolean},
    {"services", [](const Value& v, RawAllow& a) { a.services.set(v.at(), read_services(v)); },
     shape::list(shape::service, limits::reflector_services)},
};

std::optional<RawAllow> read_allowance(const Value& value) {
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  RawAllow allow;
  allow.at = value.at();
  read_keys<RawAllow>(*table, "`allow`", allow_keys, allow, value.at(), value.diagnostics());
  return allow;
}

std::optional<std::vector<RawAllow>> read_allow(const Value& value) {
  return read_elements<RawAllow>(value, "tables, [ { from = ..., to = ... }, ... ]",
                                 limits::reflector_allow, read_allowance);
}

constexpr Key<RawReflector> reflector_keys[] = {
    {"name", [](const Value& v, RawReflector& r) { r.name.set(v.at(), v.rule_name()); },
     shape::needed(shape::line(1, limits::name_bytes))},
    {"kind", [](const Value& v, RawReflector& r) { r.kind.set(v.at(), read_kind(v)); },
     shape::words(kinds)},
    {"interfaces",
     [](const Value& v, RawReflector& r) { r.interfaces.set(v.at(), read_interfaces(v)); },
     shape::needed(shape::list(shape::name, limits::reflector_interfaces, 2))},
    {"group", [](const Value& v, RawReflector& r) { r.groups.set(v.at(), read_groups(v)); },
     Shape{.pattern = shape::address.pattern,
           .most_items = limits::reflector_groups,
           .least_items = 1,
           .or_one = true}},
    {"address", [](const Value& v, RawReflector& r) { r.address.set(v.at(), read_address(v)); },
     shape::words({"broadcast"})},
    {"port", [](const Value& v, RawReflector& r) { r.port.set(v.at(), v.port()); }, shape::port},
    {"allow", [](const Value& v, RawReflector& r) { r.allow.set(v.at(), read_allow(v)); },
     shape::list(shape::table("allow"), limits::reflector_allow)},
    {"sources", [](const Value& v, RawReflector& r) { r.sources.set(v.at(), read_sources(v)); },
     shape::list(shape::sender, limits::sources_per_input)},
    {"services", [](const Value& v, RawReflector& r) { r.services.set(v.at(), read_services(v)); },
     shape::list(shape::service, limits::reflector_services)},
    {"ttl", [](const Value& v, RawReflector& r) { r.ttl.set(v.at(), v.ttl()); },
     shape::words({"preserve", "decrement"}, shape::integer(1, 255))},
    {"max_pps",
     [](const Value& v, RawReflector& r) { r.max_pps.set(v.at(), v.integer(1, limits::max_pps)); },
     shape::integer(1, limits::max_pps)},
    {"enabled", [](const Value& v, RawReflector& r) { r.enabled.set(v.at(), v.boolean()); },
     shape::boolean},
    {"comment", [](const Value& v, RawReflector& r) { r.comment.set(v.at(), v.comment()); },
     shape::line(0, limits::comment_bytes)},
};

}  // namespace

std::string_view to_string(ReflectorKind kind) noexcept {
  return std::ranges::find(kinds, kind, [](const auto& each) { return each.second; })->first;
}

void read_reflectors(const Value& value, std::vector<RawReflector>& reflectors) {
  const auto* array = value.array("tables; each reflector begins with [[reflector]]");
  if (array == nullptr) return;
  for (const auto& node : *array) {
    const Value element = value.element(node);
    if (reflectors.size() == limits::reflectors)
      return element.refuse(fmt::format("more than {} reflectors", limits::reflectors));
    const auto* table = element.table();
    if (table == nullptr) continue;
    auto& reflector = reflectors.emplace_back();
    reflector.at = element.at();
    read_keys<RawReflector>(*table, "a reflector", reflector_keys, reflector, element.at(),
                            value.diagnostics());
  }
}

std::vector<KeyTable> reflector_key_tables() {
  return {key_table<RawReflector>("reflector", reflector_keys, {{{"group", "address"}}}),
          key_table<RawAllow>("allow", allow_keys)};
}

}  // namespace mcr
