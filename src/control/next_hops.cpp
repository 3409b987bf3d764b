// A neighbour that does not answer is FAILED in the kernel's table, and INCOMPLETE again for some
// seconds with each datagram that is sent to it. A living one is INCOMPLETE for a moment, once. So
// one that is found INCOMPLETE at two looks in a row, a second or more apart, is dead.
#include "mcr/control/next_hops.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/config/rule.hpp"

namespace mcr {

namespace {

bool has_next_hop(const Output& output, const Interfaces& interfaces) {
  const auto* interface = interfaces.find(output.interface);
  return !output.destination.is_multicast() && interface != nullptr &&
         !interface->is_broadcast(output.destination);
}

}  // namespace

Reason describe_dead(const NextHop& hop, const IpAddress& destination,
                     const std::string& interface) {
  if (hop.error != 0)
    return {fmt::format("no route to {} by {}: {}", destination, interface, errno_text(hop.error)),
            hop.error};
  const bool silent = hop.neighbour == Neighbour::failed || hop.neighbour == Neighbour::resolving;
  if (!silent) return {};
  if (hop.assumed)
    return {fmt::format("no route to {} by {}, and no host there has that address", destination,
                        interface),
            ENETUNREACH};
  return {fmt::format("{}{} does not answer on {}: what is sent there is lost",
                      hop.address == destination ? "" : "the gateway ", hop.address, interface),
          EHOSTUNREACH};
}

void NextHops::add_output(const Rule& rule, const Output& output, const Interfaces& interfaces,
                          std::map<Way, Watched>& ways, std::map<OutputKey, Known>& outputs) const {
  const auto* interface = interfaces.find(output.interface);
  if (interface == nullptr) return;
  const auto* source =
      output.source.mode == Source::Mode::preserve ? nullptr : source_address(output, interfaces);
  for (std::size_t n = 0; n < output.destinations().size(); ++n) {
    const auto key = output_key(rule.name, output, output.destinations().at(n));
    const Way way{interface->index, key.destination.address,
                  source != nullptr ? *source : IpAddress()};
    const auto known = outputs_.find(key);
    outputs.emplace(key, known != outputs_.end() ? known->second : Known{}).first->second.way = way;
    auto [place, is_new] = ways.try_emplace(way);
    if (is_new) {
      if (const auto before = ways_.find(way); before != ways_.end())
        place->second = before->second;
      place->second.interface = output.interface;
      place->second.outputs.clear();
    }
    place->second.outputs.push_back(key);
  }
}

void NextHops::watch(std::span<const Rule> rules, const std::vector<RuleStatus>& statuses,
                     const Interfaces& interfaces) {
  std::map<Way, Watched> ways;
  std::map<OutputKey, Known> outputs;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const auto& rule = rules[r];
    if (!rule.enabled) continue;
    for (std::size_t o = 0; o < rule.outputs.size(); ++o)
      if (has_next_hop(rule.outputs[o], interfaces) && statuses[r].output_reasons[o].empty())
        add_output(rule, rule.outputs[o], interfaces, ways, outputs);
  }
  ways_ = std::move(ways);
  outputs_ = std::move(outputs);
}

std::vector<NextHops::Event> NextHops::tick(const Sent& sent) {
  std::vector<Event> events;
  auto place = ways_.lower_bound(next_);
  for (std::size_t n = std::min(looks, ways_.size()); n != 0; --n) {
    if (place == ways_.end()) place = ways_.begin();
    look(place->first, place->second, sent, events);
    ++place;
  }
  next_ = place == ways_.end() ? Way() : place->first;
  return events;
}

void NextHops::look(const Way& way, Watched& watched, const Sent& sent,
                    std::vector<Event>& events) {
  const bool was_suspect = watched.suspect;
  watched.hop = find_(way);
  const auto reason = describe_dead(watched.hop, way.destination, watched.interface);
  watched.suspect = !reason.empty();
  const bool sure = watched.hop.neighbour != Neighbour::resolving || was_suspect;
  for (const auto& output : watched.outputs) {
    auto& known = outputs_.at(output);
    const auto before = std::exchange(known.sent, sent(output));
    if (was_suspect && watched.suspect && known.sent > before)
      known.unreachable += known.sent - before;
  }
  const bool was_dead = !watched.dead.empty();
  watched.dead = sure ? reason : Reason();
  if (was_dead != !watched.dead.empty())
    events.push_back({!was_dead, watched.interface, way, watched.dead});
}

Reason NextHops::reason(const OutputKey& output) const {
  const auto known = outputs_.find(output);
  return known == outputs_.end() ? Reason() : ways_.at(known->second.way).dead;
}

std::uint64_t NextHops::unreachable(const OutputKey& output) const {
  const auto known = outputs_.find(output);
  return known == outputs_.end() ? 0 : known->second.unreachable;
}

}  // namespace mcr
