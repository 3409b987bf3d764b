// A reflector becomes one rule for each group and interface that it takes datagrams from:
//
//   interfaces = ["lan", "iot", "guest"]        mdns/lan    lan   -> iot, guest
//   group = "224.0.0.251", port = 5353          mdns/iot    iot   -> lan, guest
//                                               mdns/guest  guest -> lan, iot
//
// An interface that may only be sent to has a rule without outputs: where several relays stand,
// each must hear what the others send there. If there are several groups, the rules of all but the
// first bear the group, too: mdns/lan/ff02::fb. These rules differ from others:
//
//   kind          group            port  TTL             why
//   mdns          224.0.0.251      5353  255             RFC 6762: responders ignore other source
//                                                        ports, and the TTL tells of the link
//   ssdp          239.255.255.250  1900  2               UPnP Device Architecture 2.0, 1.3.2
//   ws-discovery  239.255.255.250  3702  1               WS-Discovery 1.1, 3.1.3 (SOAP over UDP)
//   udp           as written             as [defaults]
#include "reflectors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "mcr/config/limits.hpp"
#include "mcr/config/sources.hpp"

namespace mcr {
namespace {

constexpr std::uint64_t default_pps = 1000;
constexpr std::uint16_t mdns_port = 5353;

/// A kind has this where the user says nothing. Without a group he must.
struct KindDefaults {
  const char* group = nullptr;
  std::uint16_t port = 0;
  Ttl ttl{};
};

KindDefaults defaults_of(ReflectorKind kind) {
  switch (kind) {
    case ReflectorKind::mdns:
      return {"224.0.0.251", mdns_port, Ttl::of(255)};
    case ReflectorKind::ssdp:
      return {"239.255.255.250", 1900, Ttl::of(2)};
    case ReflectorKind::ws_discovery:
      return {"239.255.255.250", 3702, Ttl::of(1)};
    case ReflectorKind::udp:
      break;
  }
  return {};
}

/// Things that may go from one interface to another.
struct Way {
  Position at;
  std::string to;
  MdnsFilter filter;
};

class Expansion {
 public:
  Expansion(const RawReflector& raw, const RawOutput& defaults, Diagnostics& diagnostics)
      : raw_(raw),
        kind_(raw.kind.value.value_or(ReflectorKind::udp)),
        by_kind_(defaults_of(kind_)),
        defaults_(defaults),
        diagnostics_(diagnostics) {}

  [[nodiscard]] Reflector reflector() const {
    Reflector result{raw_.name.value.value_or(""), kind_, {}, raw_.comment.value.value_or("")};
    for (const auto& interface : interfaces())
      result.interfaces.push_back(interface.value);
    return result;
  }

  void append(std::vector<PlacedRule>& rules) {
    if (raw_.kind.present && !raw_.kind.value) return;  // the rest depends on it
    if (!raw_.name.present) refuse(raw_.at, "a reflector needs a `name`");
    if (!raw_.interfaces.present) refuse(raw_.at, "a reflector needs `interfaces`");
    check_interfaces();
    const auto groups = destinations();
    const auto port = raw_.port.present ? raw_.port.value.value_or(0) : by_kind_.port;
    if (!raw_.port.present && port == 0) refuse(raw_.at, "a reflector needs a `port`");
    find_ways();
    check_mdns_keys();
    check_sources(groups);
    if (refused_ || port == 0 || groups.empty() || !raw_.name.value) return;
    for (const auto& group : groups)
      for (const auto& interface : interfaces())
        if (ways_.contains(interface.value) || is_reached(interface.value))
          rules.push_back(rule(interface, {group.value, port}, group.value != groups[0].value));
  }

 private:
  void refuse(Position at, std::string_view message) {
    diagnostics_.add(at, std::string(message));
    refused_ = true;
  }

  [[nodiscard]] std::vector<Placed<std::string>> interfaces() const {
    return raw_.interfaces.value.value_or(std::vector<Placed<std::string>>());
  }
  [[nodiscard]] bool has(const std::string& interface) const {
    return std::ranges::any_of(interfaces(),
                               [&](const auto& each) { return each.value == interface; });
  }

  void check_interfaces() {
    std::set<std::string> names;
    for (const auto& [at, name] : interfaces())
      if (!names.insert(name).second)
        refuse(at, fmt::format("interfaces: {} is named twice", quoted_excerpt(name)));
    if (raw_.interfaces.value && raw_.interfaces.value->size() == 1)
      refuse(raw_.interfaces.at, "interfaces: a reflector needs at least two");
  }

  /// Empty: a mistake, which was reported.
  std::vector<Placed<IpAddress>> destinations() {
    if (raw_.groups.present && raw_.address.present)
      refuse(raw_.at, "a reflector has a `group` or an `address`, not both");
    if (raw_.groups.present) return different(raw_.groups.value.value_or(no_groups));
    if (raw_.address.present)
      return raw_.address.value ? std::vector{Placed<IpAddress>{raw_.address.at, limited_broadcast}}
                                : no_groups;
    if (by_kind_.group != nullptr) return {{raw_.at, *IpAddress::parse(by_kind_.group)}};
    refuse(raw_.at, "a reflector needs a `group`, or `address = \"broadcast\"`");
    return {};
  }

  std::vector<Placed<IpAddress>> different(std::vector<Placed<IpAddress>> groups) {
    std::set<IpAddress> seen;
    for (const auto& [at, group] : groups)
      if (!seen.insert(group).second) refuse(at, fmt::format("group: {} is named twice", group));
    return groups;
  }

  void find_ways() {
    const MdnsFilter common{true, raw_.services.value.value_or(std::vector<std::string>())};
    if (!raw_.allow.present) {
      for (const auto& from : interfaces())
        for (const auto& to : interfaces())
          if (from.value != to.value) ways_[from.value].push_back({to.at, to.value, common});
      return;
    }
    for (const auto& allow : raw_.allow.value.value_or(std::vector<RawAllow>()))
      add_way(allow, common);
  }

  /// Such an interface is listened to, though nothing may go on from it: only so are the copies of
  /// other relays heard there.
  [[nodiscard]] bool is_reached(const std::string& interface) const {
    return std::ranges::any_of(ways_, [&](const auto& from) {
      return std::ranges::find(from.second, interface, &Way::to) != from.second.end();
    });
  }

  void add_way(const RawAllow& allow, MdnsFilter filter) {
    if (!allow.from.present || !allow.to.present)
      return refuse(allow.at, "`allow` needs `from` and `to`");
    if (!allow.from.value || !allow.to.value) return;
    for (const auto* end : {&allow.from, &allow.to})
      if (!has(*end->value))
        return refuse(end->at, fmt::format("allow: {} is none of the reflector's `interfaces`",
                                           quoted_excerpt(*end->value)));
    if (*allow.from.value == *allow.to.value)
      return refuse(allow.at, "allow: `from` and `to` are the same interface");
    auto& ways = ways_[*allow.from.value];
    if (std::ranges::find(ways, *allow.to.value, &Way::to) != ways.end())
      return refuse(allow.at, fmt::format("allow: from {} to {} is there already",
                                          printable_excerpt(*allow.from.value),
                                          printable_excerpt(*allow.to.value)));
    filter.questions = allow.questions.value.value_or(true);
    if (allow.services.value) filter.services = *allow.services.value;
    ways.push_back({allow.at, *allow.to.value, std::move(filter)});
  }

  /// They mean nothing to other kinds.
  void check_mdns_keys() {
    if (kind_ == ReflectorKind::mdns) {
      if (raw_.ttl.present) refuse(raw_.ttl.at, "ttl: mDNS has 255 (RFC 6762, section 11)");
      return;
    }
    const auto check = [&](const auto& field, std::string_view key) {
      if (field.present) refuse(field.at, fmt::format("{}: only kind = \"mdns\" has it", key));
    };
    check(raw_.services, "services");
    for (const auto& allow : raw_.allow.value.value_or(std::vector<RawAllow>())) {
      check(allow.questions, "questions");
      check(allow.services, "services");
    }
  }

  void check_sources(const std::vector<Placed<IpAddress>>& groups) {
    if (!raw_.sources.value) return;
    for (const auto* list : {&raw_.sources.value->named, &raw_.sources.value->excluded})
      for (const auto& source : *list)
        if (std::ranges::none_of(groups, [&](const auto& group) {
              return group.value.family() == source.first().family();
            }))
          refuse(raw_.sources.at,
                 fmt::format("sources: {} is of another IP family than the groups", source.str()));
    if (refused_) return;
    for (const auto& group : groups)
      if (!raw_.sources.value->named.empty() &&
          of_family(raw_.sources.value->named, group.value).empty())
        refuse(raw_.sources.at,
               fmt::format("sources: none is named of the IP family of {}", group.value));
  }

  static std::vector<Prefix> of_family(const std::vector<Prefix>& blocks, const IpAddress& group) {
    std::vector<Prefix> result;
    std::ranges::copy_if(blocks, std::back_inserter(result), [&](const Prefix& block) {
      return block.first().family() == group.family();
    });
    return result;
  }

  PlacedRule rule(const Placed<std::string>& from, const Endpoint& to, bool name_group) {
    PlacedRule placed;
    auto& rule = placed.rule;
    rule.reflector = *raw_.name.value;
    rule.kind = kind_;
    rule.name = fmt::format("{}/{}", rule.reflector, from.value);
    if (name_group) rule.name += fmt::format("/{}", to.address);
    rule.enabled = raw_.enabled.value.value_or(true);
    rule.comment = raw_.comment.value.value_or("");
    placed.name_at = raw_.name.at;
    placed.named = true;
    Input input;
    input.interface = from.value;
    input.destination = to.address;
    input.port = to.port;
    if (raw_.sources.value) {
      input.sources = of_family(raw_.sources.value->named, to.address);
      input.excluded = of_family(raw_.sources.value->excluded, to.address);
    }
    rule.inputs.push_back(std::move(input));
    placed.inputs_at.push_back(from.at);
    for (const auto& way : ways_[from.value]) {
      rule.outputs.push_back(output(way, to));
      placed.outputs_at.push_back(way.at);
    }
    return placed;
  }

  [[nodiscard]] Output output(const Way& way, const Endpoint& to) const {
    Output output{.interface = way.to, .destination = to.address, .port = to.port};
    output.ttl = ttl(to.address);
    output.limit.pps = raw_.max_pps.value.value_or(default_pps);
    output.mdns = way.filter;
    if (kind_ == ReflectorKind::mdns) output.source_port = to.port;
    return output;
  }

  [[nodiscard]] Ttl ttl(const IpAddress& destination) const {
    if (raw_.ttl.value) return *raw_.ttl.value;
    if (by_kind_.ttl != Ttl{} || !destination.is_multicast()) return by_kind_.ttl;
    return defaults_.ttl.value.value_or(Ttl::of(default_multicast_ttl));
  }

  inline static const std::vector<Placed<IpAddress>> no_groups;

  const RawReflector& raw_;
  const ReflectorKind kind_;
  const KindDefaults by_kind_;
  const RawOutput& defaults_;
  Diagnostics& diagnostics_;
  bool refused_ = false;
  std::map<std::string, std::vector<Way>> ways_;  ///< by the interface they lead from
};

}  // namespace

std::vector<Reflector> expand_reflectors(const std::vector<RawReflector>& raw,
                                         const RawOutput& defaults, Diagnostics& diagnostics,
                                         std::vector<PlacedRule>& rules) {
  std::vector<Reflector> reflectors;
  std::set<std::string> names;
  for (const auto& each : raw) {
    Expansion expansion(each, defaults, diagnostics);
    expansion.append(rules);
    reflectors.push_back(expansion.reflector());
    if (each.name.value && !names.insert(*each.name.value).second)
      diagnostics.add(each.name.at, fmt::format("a reflector named {} is there already",
                                                quoted_excerpt(*each.name.value)));
  }
  return reflectors;
}

}  // namespace mcr
