#include "resolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>

namespace mcr {
namespace {

class Resolver {
 public:
  Resolver(const WrittenOutput& defaults, Mistakes& mistakes)
      : defaults_(defaults), mistakes_(mistakes) {}

  PlacedRule rule(const WrittenRule& written) {
    PlacedRule placed;
    if (!written.input.present && !written.inputs.present)
      missing(written.at, "a rule", "an `input`");
    if (written.input.present && written.inputs.present)
      mistakes_.add(written.inputs.at, "a rule has an `input` or `inputs`, not both");
    if (!written.outputs.present) missing(written.at, "a rule", "`outputs`");
    if (written.input.value) input(*written.input.value, placed);
    if (written.inputs.value && !written.input.present)
      for (const auto& each : *written.inputs.value)
        input(each, placed);
    name(written, placed);
    placed.rule.expect = written.expect.value;
    placed.rule.enabled = written.enabled.value.value_or(true);
    placed.rule.comment = written.comment.value.value_or("");
    placed.rule.allow_loop = written.allow_loop.value.value_or(false);
    if (written.outputs.value)
      for (const auto& each : *written.outputs.value)
        output(each, placed);
    return placed;
  }

 private:
  void missing(Position at, std::string_view where, std::string_view what) {
    mistakes_.add(at, fmt::format("{} needs {}", where, what));
  }

  void input(const WrittenInput& written, PlacedRule& placed) {
    if (!written.interface.present) missing(written.at, "an input", "an `interface`");
    if (!written.group.present && !written.address.present)
      missing(written.at, "an input", "a `group`, or an `address` of this host");
    if (!written.port.present) missing(written.at, "an input", "a `port`");
    const auto destination = input_destination(written);
    const bool sources_fit = input_sources_fit(written, destination);
    const bool kind_fits = input_kind_fits(written);
    if (!written.interface.value || !destination || !written.port.value || !sources_fit ||
        !kind_fits)
      return;
    placed.rule.inputs.push_back({.interface = *written.interface.value,
                                  .destination = destination->first(),
                                  .port = written.port.value->first,
                                  .sources = written.sources.value.value_or(std::vector<Prefix>()),
                                  .addresses = size_of(*destination),
                                  .ports = written.port.value->count,
                                  .vlan = written.vlan.value.value_or(0),
                                  .local = written.local.value.value_or(false)});
    placed.inputs_at.push_back(written.at);
  }

  std::optional<Prefix> input_destination(const WrittenInput& written) {
    if (!written.group.present)
      return written.address.value ? std::optional<Prefix>(*written.address.value) : std::nullopt;
    if (!written.address.present) return written.group.value;
    mistakes_.add(written.at, "an input has a `group` or an `address`, not both");
    return std::nullopt;
  }

  bool input_kind_fits(const WrittenInput& written) {
    if (written.vlan.value && written.local.value.value_or(false)) {
      mistakes_.add(written.vlan.at,
                    "vlan: with `local` name the VLAN's own interface (such as eth0.100) instead");
      return false;
    }
    return (!written.vlan.present || written.vlan.value) &&
           (!written.local.present || written.local.value);
  }

  bool input_sources_fit(const WrittenInput& written, const std::optional<Prefix>& destination) {
    if (!written.sources.present) return true;
    if (!written.sources.value) return false;
    bool fit = true;
    for (const auto& source : *written.sources.value) {
      if (!destination || source.first().family() == destination->first().family()) continue;
      mistakes_.add(written.sources.at,
                    fmt::format("sources: {} cannot send to {}: one is IPv4, the other IPv6",
                                source.str(), destination->first()));
      fit = false;
    }
    return fit;
  }

  static void name(const WrittenRule& written, PlacedRule& placed) {
    placed.named = written.name.present;
    placed.name_at = written.name.present ? written.name.at : written.at;
    if (written.name.present) {
      placed.rule.name = written.name.value.value_or("");
    } else if (!placed.rule.inputs.empty()) {
      const Input& input = placed.rule.inputs.front();
      placed.rule.name = fmt::format("{}/{}", input.interface, input.destinations().str());
    }
  }

  void output(const WrittenOutput& written, PlacedRule& placed) {
    if (!written.interface.present) missing(written.at, "an output", "an `interface`");
    if (written.group.present && written.address.present)
      mistakes_.add(written.at, "an output has a `group` or an `address`, not both");
    const auto to = destinations(written, placed.rule);
    if (!written.interface.value || !to) return;
    const auto& address = to->first.address;
    if (!sends_as_asked(written, address, placed.rule)) return;
    placed.rule.outputs.push_back(
        {.interface = *written.interface.value,
         .destination = address,
         .port = to->first.port,
         .ttl = ttl(written, address),
         .dscp = chosen(written.dscp, defaults_.dscp),
         .source = source(written, address, placed.rule),
         .source_port = chosen(written.source_port, defaults_.source_port),
         .loopback = address.is_multicast() && chosen(written.loopback, defaults_.loopback),
         .limit = limit(written),
         .addresses = to->addresses,
         .ports = to->ports});
    placed.outputs_at.push_back(written.at);
  }

  /// Whether what the output itself asks for could be read, and goes together.
  bool sends_as_asked(const WrittenOutput& written, const IpAddress& to, const Rule& rule) {
    bool fit = fits(written.ttl) && fits(written.dscp) && fits(written.source) &&
               fits(written.source_port) && fits(written.loopback);
    if (written.source.value && !suits(*written.source.value, to, rule)) {
      mistakes_.add(written.source.at,
                    "source: the input, the source and the output's address are "
                    "not all of one family, IPv4 or IPv6");
      fit = false;
    }
    if (written.loopback.value.value_or(false) && !to.is_multicast()) {
      mistakes_.add(written.loopback.at, "loopback: only a group has listeners on this host");
      fit = false;
    }
    return fit;
  }

  /// Whether what goes to this address can have that source.
  static bool suits(const Source& source, const IpAddress& to, const Rule& rule) {
    if (source.mode == Source::Mode::address) return source.address.family() == to.family();
    return source.mode == Source::Mode::interface ||
           std::ranges::all_of(rule.inputs, [&](const Input& input) {
             return input.destination.family() == to.family();
           });
  }

  /// One of `[defaults]` that is of another family is not meant.
  [[nodiscard]] Source source(const WrittenOutput& written, const IpAddress& to,
                              const Rule& rule) const {
    const auto wanted = chosen(written.source, defaults_.source);
    return suits(wanted, to, rule) ? wanted : Source{};
  }

  /// Not there, or read without a mistake.
  template <typename T>
  static bool fits(const Field<T>& field) {
    return !field.present || field.value;
  }

  /// What the output says, else `[defaults]`, else nothing in particular.
  template <typename T>
  static T chosen(const Field<T>& written, const Field<T>& by_default) {
    return written.value ? *written.value : by_default.value.value_or(T());
  }

  /// None if a part of it was refused, or is the inputs' and does not fit.
  std::optional<Destinations> destinations(const WrittenOutput& written, const Rule& rule) {
    if (written.group.present && written.address.present) return std::nullopt;
    std::optional<Prefix> address = written.group.value;
    if (written.address.value) address = *written.address.value;
    auto ports = written.port.value;
    if (!written.address.present && !written.group.present) {
      if (!std::ranges::all_of(rule.inputs,
                               [](const Input& i) { return i.destination.is_multicast(); })) {
        missing(written.at, "an output of a unicast input", "a `group` or an `address`");
        return std::nullopt;
      }
      address = inherited(rule, "group", written.at,
                          [](const Input& input) { return block_of(input.destinations()); });
    }
    if (!written.port.present)
      ports = inherited(rule, "port", written.at, [](const Input& input) {
        return PortRange{input.port, static_cast<std::uint16_t>(input.ports)};
      });
    if (!address || !ports) return std::nullopt;
    const Destinations to{{address->first(), ports->first}, size_of(*address), ports->count};
    const bool fit = as_many(rule, &Input::addresses, to.addresses, "group", written.at) &&
                     as_many(rule, &Input::ports, to.ports, "port", written.at);
    return fit ? std::optional(to) : std::nullopt;
  }

  static std::uint32_t size_of(const Prefix& prefix) {
    return 1U << (Prefix::width(prefix.first().family()) - prefix.bits());
  }

  static Prefix block_of(const Destinations& destinations) {
    const auto width = Prefix::width(destinations.first.address.family());
    const auto rest = static_cast<unsigned>(std::countr_zero(destinations.addresses));
    return {destinations.first.address, width - rest};
  }

  /// What the rule's inputs have, if they agree; none if there are no inputs.
  template <typename Of>
  auto inherited(const Rule& rule, std::string_view key, Position at, Of of)
      -> std::optional<decltype(of(rule.inputs.front()))> {
    if (rule.inputs.empty()) return std::nullopt;
    const auto first = of(rule.inputs.front());
    if (std::ranges::all_of(rule.inputs, [&](const Input& i) { return of(i) == first; }))
      return first;
    mistakes_.add(
        at, fmt::format("the inputs have different {0}s: this output must name its `{0}`", key));
    return std::nullopt;
  }

  /// Groups and ports are mapped by their distance from the first.
  bool as_many(const Rule& rule, std::uint32_t Input::*member, std::uint32_t count,
               std::string_view key, Position at) {
    if (count == 1) return true;
    for (const auto& input : rule.inputs) {
      if (input.*member == count) continue;
      mistakes_.add(at, fmt::format("the output has {} {}s, the input {}: it must have as many, or "
                                    "one",
                                    count, key, input.*member));
      return false;
    }
    return true;
  }

  /// `[defaults]` speaks of groups; a host is reached with the system's own ttl.
  [[nodiscard]] Ttl ttl(const WrittenOutput& written, const IpAddress& destination) const {
    if (written.ttl.value || !destination.is_multicast()) return written.ttl.value.value_or(Ttl{});
    return defaults_.ttl.value.value_or(Ttl::of(default_multicast_ttl));
  }

  [[nodiscard]] RateLimit limit(const WrittenOutput& written) const {
    return {.pps = written.max_pps.value.value_or(defaults_.max_pps.value.value_or(0)),
            .bps = written.max_bps.value.value_or(defaults_.max_bps.value.value_or(0))};
  }

  const WrittenOutput& defaults_;
  Mistakes& mistakes_;
};

}  // namespace

std::vector<PlacedRule> resolve(const Written& written, Mistakes& mistakes) {
  Resolver resolver(written.defaults, mistakes);
  std::vector<PlacedRule> rules;
  rules.reserve(written.rules.size());
  for (const auto& rule : written.rules)
    rules.push_back(resolver.rule(rule));
  return rules;
}

}  // namespace mcr
