#include "mcr/control/port_guards.hpp"

#include <cerrno>
#include <set>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/host/port_guard.hpp"

namespace mcr {

namespace {

/// The kernel refuses no broadcast.
bool is_broadcast(const TableRx& rx, const IpAddress& address) {
  return address.is_broadcast() || std::ranges::find(rx.broadcasts, address) != rx.broadcasts.end();
}

/// The ports that unicast inputs take.
std::set<PortGuards::Place> own_ports(const RuleTable& table) {
  std::set<PortGuards::Place> ports;
  for (const auto& rx : table.rx()) {
    if (rx.key.kind.local) continue;
    for (const auto& destination : rx.destinations)
      if (!destination.address.is_multicast() && !is_broadcast(rx, destination.address))
        ports.insert(
            {destination, destination.address.is_link_local_v6() ? rx.key.interface_index : 0});
  }
  return ports;
}

void tell(const Endpoint& port, int error) {
  if (error == EADDRINUSE)
    log::info("another program has the port of an input, and gets what comes, too: endpoint={}",
              port);
  else
    log::warning(
        "port of an input not held, so the host tells its senders that it is unreachable: "
        "endpoint={} error={}",
        port, log::value(errno_text(error)));
}

}  // namespace

void PortGuards::hold(const RuleTable& table) {
  for (const auto& place : own_ports(table))
    ports_.try_emplace(place);
  retry();
}

void PortGuards::release(const RuleTable& table) {
  const auto wanted = own_ports(table);
  std::erase_if(ports_, [&](const auto& entry) { return !wanted.contains(entry.first); });
}

void PortGuards::retry() {
  for (auto& [place, port] : ports_) {
    if (port.socket.valid()) continue;
    port.socket = hold_port(SocketAddress(place.endpoint, place.scope));
    if (!port.socket.valid() && !std::exchange(port.told, true)) tell(place.endpoint, errno);
  }
}

}  // namespace mcr
