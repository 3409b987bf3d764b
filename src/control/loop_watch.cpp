// Two rules of one relay that feed each other are known from the configuration (config/loops.hpp).
// A ring over several relays is not: each has a rule for one way only, and its datagrams come back
// from a host that it knows nothing of. The packet path of such plain rules remembers nothing.
//
// So a sample of the frames is taken where much comes, when it grows, and now and then: some
// hundred, drawn by chance from a second. What goes round is in it again and again. Where N
// different datagrams do, about K * K / N of the K in a third of the sample are in another third,
// too, which is enough for thousands of them. What the network doubles comes at once, so it is in
// one third only; a padded stream repeats few datagrams, and these not most of the time.
//
// Hosts repeat themselves, too, and to hold one of several datagrams changes their order. A ring
// takes what its hosts can carry; so below LoopWatch::storm only one datagram that nearly all are
// is suspicious, of which it does not matter which one is held.
//
// The rules that take such are probed: each is given a circle, as if it fed itself. That gives it
// the guard against loops (rules/loop_guard.hpp), which finds out if its own datagrams come back
// (rules/return_probe.hpp). A rule that is probed loses nothing; it only costs more, as it is the
// workers'.
//
//   plain -- the same again and again --> probed -- an echo --> probed while echoes come
//     ^                                      |
//     +--- refuted, or nothing was proven ---+    then trusted for a while
#include "mcr/control/loop_watch.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "mcr/packet/echo_memory.hpp"
#include "mcr/packet/parse.hpp"

namespace mcr {

namespace {

/// A merged rule drops copies itself, and what a reflector hears is guarded always.
bool may_be_probed(const Rule& rule) {
  return rule.enabled && rule.reflector.empty() && !rule.merge && rule.circle.number == 0;
}

bool takes_from(const Input& input, const Interface& interface, const Interfaces& interfaces) {
  return !input.local && interfaces.find(input.interface) == &interface;
}

/// Adds the datagrams of a frame with its vnet header.
void add_datagrams(std::span<const std::byte> frame, const Interface& interface,
                   std::vector<SampledDatagram>& datagrams) {
  VnetHeader vnet;
  if (frame.size() < sizeof vnet) return;
  std::memcpy(&vnet, frame.data(), sizeof vnet);
  Packet packet;
  if (parse_frame(frame.subspan(sizeof vnet), vnet, interface.link_header().value_or(0), packet))
    return;
  const auto source =
      payload_hash(std::as_bytes(packet.source.address.bytes()), packet.source.port);
  for (std::uint32_t n = 0; n < packet.datagrams; ++n)
    datagrams.emplace_back(packet.destination, payload_hash(packet.part(n, 1).payload, source));
}

}  // namespace

std::vector<Endpoint> find_repeated(std::span<const SampledDatagram> datagrams, double pps) {
  struct Count {
    unsigned all = 0;
    unsigned again = 0;
    unsigned most = 0;  // of one datagram
    std::map<std::uint64_t, unsigned> each;
  };
  const auto enough = [](const Count& count, unsigned repetitions) {
    return repetitions >= LoopWatch::repeats && 4 * repetitions >= 3 * count.all;
  };
  const auto third = datagrams.size() / 3;
  const std::set first(datagrams.begin(), datagrams.begin() + static_cast<std::ptrdiff_t>(third));
  std::map<Endpoint, Count> counts;
  for (const auto& datagram : datagrams.last(third)) {
    auto& count = counts[datagram.first];
    ++count.all;
    if (!first.contains(datagram)) continue;
    ++count.again;
    count.most = std::max(count.most, ++count.each[datagram.second]);
  }
  std::vector<Endpoint> found;
  for (const auto& [destination, count] : counts)
    if (enough(count, count.most) ||
        (pps >= LoopWatch::storm &&
         (count.each.size() >= LoopWatch::repeats || enough(count, count.again))))
      found.push_back(destination);
  return found;
}

bool LoopWatch::tick(std::span<const Rule> rules, std::span<const Seen> seen,
                     const Interfaces& interfaces, Time now) {
  bool changed = review(rules, seen, now);
  std::map<unsigned, double> pps;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!may_be_probed(rules[i])) continue;
    for (const auto& input : rules[i].inputs)
      if (const auto* interface = interfaces.find(input.interface);
          interface != nullptr && interface->up && !input.local)
        pps[interface->index] += seen[i].pps;
  }
  std::erase_if(places_, [&](const auto& each) { return !pps.contains(each.first); });
  for (const auto& [index, rate] : pps) {
    auto& place = places_[index];
    if (place.sample)
      changed |= judge(rules, seen, interfaces, *interfaces.find(index), place, now);
    else
      look(*interfaces.find(index), rate, place, now);
  }
  return changed;
}

/// True if a rule is probed no more.
bool LoopWatch::review(std::span<const Rule> rules, std::span<const Seen> seen, Time now) {
  std::erase_if(trusted_, [now](const auto& each) { return now >= each.second; });
  std::map<std::string, Probed> kept;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto known = probed_.find(rules[i].name);
    if (known == probed_.end()) continue;
    auto probed = known->second;
    if (seen[i].echoes != probed.echoes) {
      probed.echoes = seen[i].echoes;
      probed.proven = true;
      probed.until = now + proven_for;
    }
    if (seen[i].refuted || now >= probed.until) {
      if (!probed.proven) trusted_[rules[i].name] = now + trusted_for;
    } else {
      kept.emplace(rules[i].name, probed);
    }
  }
  const bool changed = kept.size() != probed_.size();
  probed_ = std::move(kept);
  return changed;
}

void LoopWatch::look(const Interface& interface, double pps, Place& place, Time now) {
  const bool grew = pps > 2 * place.pps_at_look;
  if (pps < busy || (now < place.next_look && !grew)) return;
  place.pps_at_look = pps;
  place.next_look = now + apart;
  place.sample.emplace(interface.name, interface.index, std::min(1.0, FrameSample::frames / pps));
}

/// True if one more rule is to be probed.
bool LoopWatch::judge(std::span<const Rule> rules, std::span<const Seen> seen,
                      const Interfaces& interfaces, const Interface& interface, Place& place,
                      Time now) {
  std::vector<SampledDatagram> datagrams;
  place.sample->read(
      [&](std::span<const std::byte> frame) { add_datagrams(frame, interface, datagrams); });
  place.sample.reset();
  bool found = false;
  for (const auto& destination : find_repeated(datagrams, place.pps_at_look))
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const auto& rule = rules[i];
      const auto takes = [&](const Input& input) {
        return takes_from(input, interface, interfaces) &&
               input.destinations().overlaps({destination});
      };
      if (!may_be_probed(rule) || trusted_.contains(rule.name) ||
          !std::ranges::any_of(rule.inputs, takes))
        continue;
      const Probed probed{++last_circle_, seen[i].echoes, false, now + unproven_for};
      found |= probed_.try_emplace(rule.name, probed).second;
    }
  return found;
}

void LoopWatch::mark(std::span<Rule> rules) const {
  for (auto& rule : rules) {
    const auto known = probed_.find(rule.name);
    if (known != probed_.end() && may_be_probed(rule))
      rule.circle = {known->second.circle, true};
    else if (rule.circle.probed && known == probed_.end())
      rule.circle = {};
  }
}

}  // namespace mcr
