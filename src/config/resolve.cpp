// A value is looked for in three places, in this order: what the user wrote for it, `[defaults]`
// (outputs only), and the program's default. An output without a group or a port takes those of its
// rule's input; of several inputs only if they agree.
//
// A part with a mistake is left out and the rest goes on, so that one mistake hides no other. A
// part that was refused by the reader is not reported again here.
#include "resolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>

#include "mcr/base/printable.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/sources.hpp"

namespace mcr {
namespace {

class Resolver {
 public:
  Resolver(const RawOutput& defaults, const InterfaceTunings& interfaces, Diagnostics& diagnostics)
      : defaults_(defaults), interfaces_(interfaces), diagnostics_(diagnostics) {}

  PlacedRule rule(const RawRule& raw) {
    PlacedRule placed;
    if (!raw.input.present && !raw.inputs.present) missing(raw.at, "a rule", "an `input`");
    if (raw.input.present && raw.inputs.present)
      diagnostics_.add(raw.inputs.at, "a rule has an `input` or `inputs`, not both");
    if (!raw.outputs.present) missing(raw.at, "a rule", "`outputs`");
    if (raw.input.value) input(*raw.input.value, placed);
    if (raw.inputs.value && !raw.input.present)
      for (const auto& each : *raw.inputs.value)
        input(each, placed);
    name(raw, placed);
    if (raw.expect.value) placed.rule.expect = expectation(*raw.expect.value, raw.inspect);
    placed.rule.enabled = raw.enabled.value.value_or(true);
    placed.rule.comment = raw.comment.value.value_or("");
    placed.rule.allow_loop = raw.allow_loop.value.value_or(false);
    placed.rule.consume = raw.consume.value.value_or(Consume::automatic);
    placed.rule.inspect = raw.inspect.value.value_or(std::nullopt);
    placed.rule.capture_before = raw.capture_before.value.value_or(0);
    placed.rule.merge = raw.merge.value;
    placed.rule.failover = raw.failover.value;
    legs(raw, placed.rule);
    if (raw.outputs.value)
      for (const auto& each : *raw.outputs.value)
        output(each, placed);
    return placed;
  }

 private:
  void missing(Position at, std::string_view where, std::string_view what) {
    diagnostics_.add(at, fmt::format("{} needs {}", where, what));
  }

  void input(const RawInput& raw, PlacedRule& placed) {
    if (!raw.interface.present) missing(raw.at, "an input", "an `interface`");
    if (!raw.group.present && !raw.address.present)
      missing(raw.at, "an input", "a `group`, or an `address` of this host");
    if (!raw.port.present) missing(raw.at, "an input", "a `port`");
    const auto destination = input_destination(raw);
    const bool sources_fit = input_sources_fit(raw, destination);
    const bool kind_fits = input_kind_fits(raw);
    if (!raw.interface.value || !destination || !raw.port.value || !sources_fit || !kind_fits)
      return;
    const auto sources = raw.sources.value.value_or(RawSources());
    Input input{.interface = *raw.interface.value,
                .destination = destination->first(),
                .port = raw.port.value->first,
                .sources = sources.named,
                .addresses = size_of(*destination),
                .ports = raw.port.value->count,
                .vlan = raw.vlan.value.value_or(0),
                .local = raw.local.value.value_or(false),
                .excluded = sources.excluded,
                .priority = raw.priority.value.value_or(0),
                .warm = raw.warm.value.value_or(true)};
    if (!input.warm && (input.local || !input.destination.is_multicast()))
      return diagnostics_.add(raw.warm.at, "warm: only what arrives for a group is joined at all");
    if (const auto ranges = source_ranges(input); ranges.size() == 1 && !ranges[0].first)
      return diagnostics_.add(raw.sources.at, "sources: all that is named is left out, too");
    placed.rule.inputs.push_back(std::move(input));
    placed.inputs_at.push_back(raw.at);
  }

  std::optional<Prefix> input_destination(const RawInput& raw) {
    if (!raw.group.present)
      return raw.address.value ? std::optional<Prefix>(*raw.address.value) : std::nullopt;
    if (!raw.address.present) return raw.group.value;
    diagnostics_.add(raw.at, "an input has a `group` or an `address`, not both");
    return std::nullopt;
  }

  bool input_kind_fits(const RawInput& raw) {
    if (raw.vlan.value && raw.local.value.value_or(false)) {
      diagnostics_.add(
          raw.vlan.at,
          "vlan: with `local` name the VLAN's own interface (such as eth0.100) instead");
      return false;
    }
    return (!raw.vlan.present || raw.vlan.value) && (!raw.local.present || raw.local.value);
  }

  bool input_sources_fit(const RawInput& raw, const std::optional<Prefix>& destination) {
    if (!raw.sources.present) return true;
    if (!raw.sources.value) return false;
    bool fit = true;
    for (const auto* list : {&raw.sources.value->named, &raw.sources.value->excluded})
      for (const auto& source : *list) {
        if (!destination || source.first().family() == destination->first().family()) continue;
        diagnostics_.add(raw.sources.at,
                         fmt::format("sources: {} cannot send to {}: one is IPv4, the other IPv6",
                                     source.str(), destination->first()));
        fit = false;
      }
    return fit;
  }

  Expectation expectation(const RawExpectation& raw,
                          const Field<std::optional<Inspection>>& inspect) {
    check_inspected(raw, inspect);
    const Expectation expect{
        .min_pps = raw.min_pps.value.value_or(0),
        .silent_after = raw.silent_after.value.value_or(Expectation::default_silent_after),
        .max_loss_ppm = raw.max_loss.value,
        .max_cc_errors = raw.max_cc_errors.value,
        .min_bps = raw.min_bps.value.value_or(0),
        .max_bps = raw.max_bps.value.value_or(0),
        .pids = raw.pids.value.value_or(std::vector<std::uint16_t>()),
        .within = raw.within.value.value_or(Expectation::default_within)};
    if (expect.max_bps != 0 && expect.min_bps > expect.max_bps)
      diagnostics_.add(raw.min_bps.at, "min_bps: is more than max_bps");
    const bool measured = raw.max_loss.present || raw.max_cc_errors.present ||
                          raw.min_bps.present || raw.max_bps.present || raw.pids.present;
    if (raw.within.present && !measured)
      diagnostics_.add(raw.within.at,
                       "within: needs one of `max_loss`, `max_cc_errors`, `min_bps`, `max_bps`, "
                       "`pids`, which it is for");
    return expect;
  }

  /// Some of it only inspection can tell. An `inspect` that was refused is not reported again.
  void check_inspected(const RawExpectation& raw, const Field<std::optional<Inspection>>& inspect) {
    if (inspect.present && !inspect.value) return;
    const auto inspection = inspect.value.value_or(std::nullopt);
    using Kind = Inspection::Kind;
    const bool no_ts =
        inspection && (inspection->kind == Kind::moldudp64 || inspection->kind == Kind::sequence);
    const auto need = [&](const auto& field, std::string_view key, bool of_ts) {
      if (!field.present) return;
      if (!inspection)
        diagnostics_.add(field.at, fmt::format("{}: needs `inspect` in this rule", key));
      else if (of_ts && no_ts)
        diagnostics_.add(field.at, fmt::format("{}: needs an `inspect` that finds MPEG-TS: "
                                               "\"auto\", \"ts\" or \"rtp\"",
                                               key));
    };
    need(raw.max_loss, "max_loss", false);
    need(raw.max_cc_errors, "max_cc_errors", true);
    need(raw.pids, "pids", true);
  }

  /// Checks what `merge` and `failover` ask of the inputs, and gives these lanes and priorities.
  void legs(const RawRule& raw, Rule& rule) {
    if (raw.merge.present && raw.failover.present)
      diagnostics_.add(raw.failover.at, "a rule has `merge` or `failover`, not both");
    if (!raw.failover.present) refuse_keys_of_failover(raw);
    if (!rule.merge && !rule.failover) return;
    const std::string_view key = rule.merge ? "merge" : "failover";
    const auto at = rule.merge ? raw.merge.at : raw.failover.at;
    const auto wanted = raw.inputs.value ? raw.inputs.value->size() : raw.input.present ? 1U : 0U;
    if ((raw.input.present || raw.inputs.value) && (wanted < 2 || wanted > limits::legs))
      diagnostics_.add(at, fmt::format("{}: the rule has {}: 2 to {} are wanted", key,
                                       counted(wanted, "input"), limits::legs));
    if (rule.merge && std::ranges::any_of(rule.inputs, [](const Input& input) {
          return input.destinations().size() != 1;
        }))
      diagnostics_.add(at, "merge: each input must have one group and one port, no block of them");
    std::uint8_t place = 0;
    for (auto& input : rule.inputs) {
      ++place;
      input.lane = lane_of(rule.name);
      if (rule.failover && input.priority == 0) input.priority = place;
    }
    if (rule.failover && rule.failover->revert != Failover::Revert::never)
      refuse_cold_best(raw, rule);
  }

  /// While another one is on air, the best one is joined, too: else nobody sees it come back.
  void refuse_cold_best(const RawRule& raw, const Rule& rule) {
    if (!raw.inputs.value || raw.inputs.value->size() != rule.inputs.size()) return;
    const auto best = std::ranges::min_element(rule.inputs, {}, &Input::priority);
    if (best == rule.inputs.end() || best->warm ||
        std::ranges::count(rule.inputs, best->priority, &Input::priority) != 1)
      return;
    const auto place = static_cast<std::size_t>(best - rule.inputs.begin());
    diagnostics_.add(
        (*raw.inputs.value)[place].warm.at,
        "warm: the input with the best priority is always joined, unless `failover` has "
        "revert = \"never\"");
  }

  void refuse_keys_of_failover(const RawRule& raw) {
    const auto refuse = [this](const RawInput& input) {
      if (input.priority.present)
        diagnostics_.add(input.priority.at,
                         "priority: only the inputs of a rule with `failover` have one");
      if (input.warm.present)
        diagnostics_.add(input.warm.at,
                         "warm: only the inputs of a rule with `failover` have this key");
    };
    if (raw.input.value) refuse(*raw.input.value);
    if (raw.inputs.value) std::ranges::for_each(*raw.inputs.value, refuse);
  }

  static void name(const RawRule& raw, PlacedRule& placed) {
    placed.named = raw.name.present;
    placed.name_at = raw.name.present ? raw.name.at : raw.at;
    if (raw.name.present) {
      placed.rule.name = raw.name.value.value_or("");
    } else if (!placed.rule.inputs.empty()) {
      const Input& input = placed.rule.inputs.front();
      placed.rule.name = fmt::format("{}/{}", input.interface, input.destinations().str());
    }
  }

  void output(const RawOutput& raw, PlacedRule& placed) {
    if (!raw.interface.present) missing(raw.at, "an output", "an `interface`");
    if (raw.group.present && raw.address.present)
      diagnostics_.add(raw.at, "an output has a `group` or an `address`, not both");
    else if (raw.host.present && (raw.group.present || raw.address.present))
      diagnostics_.add(raw.host.at, "host: the output has a `group` or an `address` already");
    if (raw.addresses.present && !raw.host.present)
      diagnostics_.add(raw.addresses.at, "addresses: only an output with a `host` has several");
    const auto to = destinations(raw, placed.rule);
    if (!raw.interface.value || !to) return;
    const auto& address = to->first.address;
    if (!sends_as_asked(raw, address, placed.rule)) return;
    placed.rule.outputs.push_back(
        {.interface = *raw.interface.value,
         .destination = address,
         .port = to->first.port,
         .ttl = ttl(raw, address),
         .dscp = chosen(raw.dscp, defaults_.dscp),
         .source = source(raw, address, placed.rule),
         .source_port = chosen(raw.source_port, defaults_.source_port),
         .loopback = address.is_multicast() && chosen(raw.loopback, defaults_.loopback),
         .limit = limit(raw),
         .addresses = to->addresses,
         .ports = to->ports,
         .segmentation = segmentation(raw),
         .host = host(raw, placed.rule)});
    placed.outputs_at.push_back(raw.at);
  }

  /// True if the output's own keys could be read and fit together. Adds a diagnostic if they do
  /// not.
  bool sends_as_asked(const RawOutput& raw, const IpAddress& to, const Rule& rule) {
    bool fit = fits(raw.addresses) && fits(raw.ttl) && fits(raw.dscp) && fits(raw.source) &&
               fits(raw.source_port) && fits(raw.loopback) && fits(raw.segmentation);
    if (raw.source.value && !suits(*raw.source.value, to, rule)) {
      diagnostics_.add(raw.source.at,
                       "source: the input, the source and the output's address are "
                       "not all of one family, IPv4 or IPv6");
      fit = false;
    }
    if (raw.loopback.value.value_or(false) && !to.is_multicast()) {
      diagnostics_.add(raw.loopback.at, "loopback: only outputs to a group can have it");
      fit = false;
    }
    return fit;
  }

  /// True if copies to this address can have that source: one IP family throughout. Of a host whose
  /// address is not known, only those of that family are taken.
  static bool suits(const Source& source, const IpAddress& to, const Rule& rule) {
    if (source.mode == Source::Mode::interface) return true;
    const auto family = to ? to.family() : family_of(source, rule);
    if (source.mode == Source::Mode::address) return source.address.family() == family;
    return std::ranges::all_of(
        rule.inputs, [&](const Input& input) { return input.destination.family() == family; });
  }

  /// The family of all that has this source; none: it may be either.
  static Family family_of(const Source& source, const Rule& rule) {
    if (source.mode == Source::Mode::address) return source.address.family();
    if (source.mode == Source::Mode::interface || rule.inputs.empty()) return Family::none;
    return rule.inputs.front().destination.family();
  }

  [[nodiscard]] OutputHost host(const RawOutput& raw, const Rule& rule) const {
    if (!raw.host.value) return {};
    return {.name = *raw.host.value,
            .all = raw.addresses.value.value_or(true),
            .family = family_of(source(raw, {}, rule), rule)};
  }

  /// The source of the output. One from `[defaults]` of another IP family does not apply to it.
  [[nodiscard]] Source source(const RawOutput& raw, const IpAddress& to, const Rule& rule) const {
    const auto wanted = chosen(raw.source, defaults_.source);
    return suits(wanted, to, rule) ? wanted : Source{};
  }

  /// True if the key is absent, or its value was read without a mistake.
  template <typename T>
  static bool fits(const Field<T>& field) {
    return !field.present || field.value;
  }

  /// The output's own value, else that of `[defaults]`, else the type's.
  template <typename T>
  static T chosen(const Field<T>& raw, const Field<T>& by_default) {
    return raw.value ? *raw.value : by_default.value.value_or(T());
  }

  /// The destinations of an output. Nothing if a part of them was refused, or the inputs' do not
  /// fit.
  std::optional<Destinations> destinations(const RawOutput& raw, const Rule& rule) {
    if (raw.group.present + raw.address.present + raw.host.present > 1) return std::nullopt;
    std::optional<Prefix> address = raw.group.value;
    if (raw.address.value) address = *raw.address.value;
    if (raw.host.value) address = IpAddress();
    auto ports = raw.port.value;
    if (!raw.address.present && !raw.group.present && !raw.host.present) {
      if (!std::ranges::all_of(rule.inputs,
                               [](const Input& i) { return i.destination.is_multicast(); })) {
        missing(raw.at, "an output of a unicast input", "a `group` or an `address`");
        return std::nullopt;
      }
      address = inherited(rule, "group", raw.at,
                          [](const Input& input) { return block_of(input.destinations()); });
    }
    if (!raw.port.present)
      ports = inherited(rule, "port", raw.at, [](const Input& input) {
        return PortRange{input.port, static_cast<std::uint16_t>(input.ports)};
      });
    if (!address || !ports) return std::nullopt;
    const Destinations to{{address->first(), ports->first}, size_of(*address), ports->count};
    const bool fit = as_many(rule, &Input::addresses, to.addresses, "group", raw.at) &&
                     as_many(rule, &Input::ports, to.ports, "port", raw.at);
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

  /// The value that all inputs of the rule have in common. Nothing without inputs, and, with a
  /// diagnostic, if they differ.
  template <typename Of>
  auto inherited(const Rule& rule, std::string_view key, Position at, Of of)
      -> std::optional<decltype(of(rule.inputs.front()))> {
    if (rule.inputs.empty()) return std::nullopt;
    const auto first = of(rule.inputs.front());
    if (std::ranges::all_of(rule.inputs, [&](const Input& i) { return of(i) == first; }))
      return first;
    diagnostics_.add(
        at, fmt::format("the inputs have different {0}s: this output must name its `{0}`", key));
    return std::nullopt;
  }

  /// Checks that the output can be mapped: groups and ports go to those at the same distance from
  /// the first, so there must be as many, or one.
  bool as_many(const Rule& rule, std::uint32_t Input::*member, std::uint32_t count,
               std::string_view key, Position at) {
    if (count == 1) return true;
    for (const auto& input : rule.inputs) {
      if (input.*member == count) continue;
      diagnostics_.add(at,
                       fmt::format("the output has {} {}s, the input {}: it must have as many, or "
                                   "one",
                                   count, key, input.*member));
      return false;
    }
    return true;
  }

  /// The TTL in `[defaults]` is for groups. Copies to a host have the system's own.
  [[nodiscard]] Ttl ttl(const RawOutput& raw, const IpAddress& destination) const {
    if (raw.ttl.value || !destination.is_multicast()) return raw.ttl.value.value_or(Ttl{});
    return defaults_.ttl.value.value_or(Ttl::of(default_multicast_ttl));
  }

  /// That of the interface is more special than that of `[defaults]`.
  [[nodiscard]] bool segmentation(const RawOutput& raw) const {
    if (raw.segmentation.value) return *raw.segmentation.value;
    const auto interface = interfaces_.find(*raw.interface.value);
    if (interface != interfaces_.end() && interface->second.segmentation)
      return *interface->second.segmentation;
    return defaults_.segmentation.value.value_or(true);
  }

  [[nodiscard]] RateLimit limit(const RawOutput& raw) const {
    return {.pps = raw.max_pps.value.value_or(defaults_.max_pps.value.value_or(0)),
            .bps = raw.max_bps.value.value_or(defaults_.max_bps.value.value_or(0))};
  }

  const RawOutput& defaults_;
  const InterfaceTunings& interfaces_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::vector<PlacedRule> resolve_rules(const std::vector<RawRule>& raw, const RawOutput& defaults,
                                      const InterfaceTunings& interfaces,
                                      Diagnostics& diagnostics) {
  Resolver resolver(defaults, interfaces, diagnostics);
  std::vector<PlacedRule> rules;
  rules.reserve(raw.size());
  for (const auto& rule : raw)
    rules.push_back(resolver.rule(rule));
  return rules;
}

}  // namespace mcr
