// The workers only pass datagrams on. What they say is read here, from sockets of the control
// thread that hear the same group: so nothing that strangers write takes a worker's time, and a
// torrent of it fills a socket's buffer and no more. What a firewall of this host drops is not
// seen, though it is relayed.
#include "mcr/control/heard_services.hpp"

#include <algorithm>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/host/group_socket.hpp"
#include "mcr/packet/mdns_services.hpp"

namespace mcr {

void HeardServices::follow(std::span<const Rule> rules, const std::vector<RuleStatus>& statuses,
                           const Interfaces& interfaces) {
  std::map<Wanted, UniqueFd> listeners;
  std::map<Place, Services> places;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const auto& rule = rules[r];
    if (rule.kind != ReflectorKind::mdns || statuses[r].state != RuleState::active ||
        !rule.inputs.front().destination.is_multicast())
      continue;
    const auto& input = rule.inputs.front();
    const auto* interface = interfaces.find(input.interface);
    const Wanted wanted{
        rule.reflector, input.interface, interface->index, {input.destination, input.port}};
    auto& socket = listeners[wanted];
    if (const auto known = listeners_.find(wanted); known != listeners_.end())
      socket = std::move(known->second);
    const Place place{wanted.reflector, wanted.interface};
    if (const auto known = places_.find(place); known != places_.end())
      places[place] = std::move(known->second);
    places_.erase(place);
  }
  listeners_ = std::move(listeners);
  places_ = std::move(places);
  for (auto& [wanted, socket] : listeners_)
    open(wanted, socket);
}

void HeardServices::open(const Wanted& wanted, UniqueFd& socket) {
  if (socket.valid()) return;
  try {
    socket = open_group_listener(wanted.group, wanted.interface, wanted.index);
  } catch (const OsError& error) {
    log::debug("services are not heard: reflector={} interface={} reason={}",
               log::value(wanted.reflector), wanted.interface, log::value(error.what()));
  }
}

void HeardServices::tick(Time now) {
  for (auto& [wanted, socket] : listeners_) {
    open(wanted, socket);
    if (socket.valid()) read(wanted, socket, now);
  }
  for (auto& [place, services] : places_)
    std::erase_if(services, [&](const auto& each) { return each.second.until <= now; });
}

void HeardServices::read(const Wanted& wanted, Fd socket, Time now) {
  for (std::size_t n = 0; n < most_at_once; ++n) {
    SocketAddress from;
    from.length = sizeof from.v6;
    const auto bytes =
        ::recvfrom(socket.get(), buffer_.data(), buffer_.size(), 0, &from.generic, &from.length);
    if (bytes < 0) return;
    hear(wanted.reflector, wanted.interface, from.endpoint().address,
         std::span(buffer_).first(static_cast<std::size_t>(bytes)), now);
  }
}

void HeardServices::hear(const std::string& reflector, const std::string& interface,
                         const IpAddress& from, std::span<const std::byte> message, Time now) {
  auto& services = places_[{reflector, interface}];
  MdnsServices announced(message);
  while (const auto service = announced.next()) {
    const Key key{printable(service->type()), printable(service->instance())};
    if (service->ttl_s() == 0) {
      services.erase(key);
      continue;
    }
    if (services.size() == most && !services.contains(key)) {
      services.erase(std::ranges::min_element(services, {},
                                              [](const auto& each) { return each.second.heard; }));
      ++forgotten_[reflector];
    }
    const std::chrono::seconds lives(service->ttl_s());
    services[key] = {from, now, now + std::min<std::chrono::seconds>(lives, longest)};
  }
}

std::vector<HeardService> HeardServices::of(std::string_view reflector, Time now) const {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  std::vector<HeardService> result;
  for (const auto& [place, services] : places_) {
    if (place.reflector != reflector) continue;
    for (const auto& [key, known] : services)
      if (known.until > now)
        result.push_back({place.interface, key.type, key.instance, known.from,
                          duration_cast<seconds>(now - known.heard),
                          duration_cast<seconds>(known.until - now)});
  }
  return result;
}

std::uint64_t HeardServices::forgotten(const std::string& reflector) const {
  const auto known = forgotten_.find(reflector);
  return known == forgotten_.end() ? 0 : known->second;
}

}  // namespace mcr
