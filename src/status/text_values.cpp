// Numbers lose digits that nobody reads and get units; texts of others are escaped here, once, so
// that the pages can join them as they like.
#include "text_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "mcr/base/prefix.hpp"
#include "mcr/base/printable.hpp"

namespace mcr::status {

std::string shown(std::string_view text) {
  return text.empty() ? "-" : printable(text);
}

std::string grouped(std::uint64_t number) {
  auto digits = std::to_string(number);
  for (auto i = digits.size(); i > 3;)
    digits.insert(i -= 3, 1, ',');
  return digits;
}

std::string grouped(const Count& count) {
  return count ? grouped(*count) : "-";
}

std::string si(const std::optional<double>& number) {
  if (!number) return "-";
  constexpr std::array units{"", "k", "M", "G", "T", "P", "E"};
  auto value = *number;
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < units.size(); ++unit)
    value /= 1000;
  if (unit == 0) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, units[unit]);
}

std::string size(const Count& bytes) {
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

std::string plural(std::uint64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(n), noun, n == 1 ? "" : "s");
}

std::string last_seen(const Rule& rule) {
  if (rule.last_seen_s) return duration(*rule.last_seen_s);
  return rule.rx_datagrams.value_or(0) > 0 ? "-" : "never";
}

template <typename AnyDrops>
std::vector<Drop> nonzero(const AnyDrops& drops) {
  std::vector<Drop> result;
  for (std::size_t i = 0; i < AnyDrops::names.size(); ++i)
    if (drops.counts[i] != 0) result.push_back({std::string(AnyDrops::names[i]), drops.counts[i]});
  for (const auto& [reason, datagrams] : drops.others)
    result.push_back({printable(reason), datagrams});
  std::ranges::sort(result, {}, &Drop::reason);
  return result;
}
template std::vector<Drop> nonzero(const ReceivedDrops& drops);
template std::vector<Drop> nonzero(const SentDrops& drops);

bool is_usual(std::string_view reason) {
  const auto name = [](InputDrop drop) { return input_drop_names[static_cast<std::size_t>(drop)]; };
  const auto carried = output_drop_names[static_cast<std::size_t>(OutputDrop::carried)];
  return reason == name(InputDrop::duplicate) || reason == name(InputDrop::standby) ||
         reason == name(InputDrop::loop) || reason == carried;
}

std::vector<Drop> unusual(std::vector<Drop> drops) {
  std::erase_if(drops, [](const Drop& drop) { return is_usual(drop.reason); });
  return drops;
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

std::string destination_text(const Destinations& destinations) {
  return destinations.first.address ? destinations.str() : "-";
}

std::string destination_text(const Input& input) {
  return destination_text(input.destinations());
}

std::string destination_text(const mcr::Output& output) {
  const auto host = printable(output.host.name);
  if (host.empty()) return destination_text(output.destinations());
  if (!output.destination) return fmt::format("{}:{}", host, output.destinations().port_str());
  return fmt::format("{} ({})", output.destinations().str(), host);
}

std::set<std::string_view> names_in_use(const std::vector<Rule>& rules) {
  std::set<std::string_view> names;
  for (const auto& rule : rules) {
    for (const auto& input : rule.inputs)
      names.insert(input.interface);
    for (const auto& output : rule.outputs)
      names.insert(output.config.interface);
  }
  return names;
}

std::string names_text(const std::vector<std::string>& first, std::uint64_t all) {
  std::string result;
  for (const auto& name : first)
    result += (result.empty() ? "" : ", ") + shown(name);
  const auto more = all - std::min<std::uint64_t>(all, first.size());
  return more == 0 ? result : fmt::format("{} and {} more", result, grouped(more));
}

std::string in_words(const std::optional<MembershipState>& state) {
  return state == MembershipState::waiting_interface ? "waits for its interface" : shown(state);
}

std::vector<const Membership*> memberships_for(const Status& status, const Input& input) {
  std::vector<const Membership*> result;
  const auto groups = Prefix::parse(input.destinations().address_str());
  if (!groups) return result;
  for (const auto& each : status.memberships)
    if (each.group.interface == input.interface && groups->contains(each.group.group))
      result.push_back(&each);
  return result;
}

bool is_unjoined(const Membership& membership) {
  return membership.state != MembershipState::joined &&
         membership.state != MembershipState::leaving;
}

Unjoined unjoined(const Status& status) {
  Unjoined result;
  for (const auto& each : status.memberships)
    if (is_unjoined(each))
      result.insert_or_assign({each.group.interface, each.group.group}, in_words(each.state));
  return result;
}

namespace {

std::string silence_of(const Unjoined& unjoined, const Input& input) {
  const auto interface = shown(input.interface);
  const auto destination = destination_text(input.destinations());
  if (input.local)
    return fmt::format("this host has sent nothing to {} by {}", destination, interface);
  if (!input.destination.is_multicast())
    return fmt::format("nothing has arrived for {} on {}; check source and routing", destination,
                       interface);
  const auto found = unjoined.find({input.interface, input.destination});
  if (input.addresses == 1 && found != unjoined.end())
    return fmt::format("{} is not joined on {}: {}", input.destination, interface, found->second);
  if (input.vlan != 0)
    return fmt::format(
        "nothing has arrived on {0} for VLAN {1}; check source, trunk, and whether the card keeps "
        "the VLAN out (ethtool -K {0} rx-vlan-filter off)",
        interface, input.vlan);
  return fmt::format(
      "joined, but nothing has arrived on {}; check source, TTL, IGMP snooping/querier", interface);
}

}  // namespace

std::string silence(const Unjoined& unjoined, const Rule& rule) {
  if (rule.rx_datagrams != std::uint64_t{0}) return "";
  if (!nonzero(rule.drops).empty()) return "nothing forwarded: all that came was dropped";
  return "no datagram yet" +
         (rule.inputs.empty() ? "" : ": " + silence_of(unjoined, rule.inputs.front()));
}

std::string source_text(const Source& source) {
  switch (source.mode) {
    case Source::Mode::preserve:
      return "preserve";
    case Source::Mode::address:
      return source.address.str();
    case Source::Mode::interface:
      break;
  }
  return "interface";
}

}  // namespace mcr::status
