#include "mcr/port_holder.hpp"

#include <cerrno>
#include <utility>

#include "mcr/error.hpp"
#include "mcr/hold_port.hpp"
#include "mcr/log.hpp"

namespace mcr {

namespace {

/// Of unicast inputs, each with the index of its interface: the scope of a link-local address.
std::map<Endpoint, unsigned> own_ports(const RuleTable& table) {
  std::map<Endpoint, unsigned> ports;
  for (const auto& ingress : table.ingress()) {
    if (ingress.key.kind.local) continue;
    for (const auto& destination : ingress.destinations)
      if (!destination.address.is_multicast())
        ports.emplace(destination, ingress.key.interface_index);
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

void PortHolder::hold(const RuleTable& table) {
  for (const auto& [port, interface_index] : own_ports(table))
    ports_.try_emplace(port, Port{SocketAddress(port, interface_index), {}, false});
  retry();
}

void PortHolder::release(const RuleTable& table) {
  const auto wanted = own_ports(table);
  std::erase_if(ports_, [&](const auto& entry) { return !wanted.contains(entry.first); });
}

void PortHolder::retry() {
  for (auto& [endpoint, port] : ports_) {
    if (port.socket.valid()) continue;
    port.socket = hold_port(port.address);
    if (!port.socket.valid() && !std::exchange(port.told, true)) tell(endpoint, errno);
  }
}

}  // namespace mcr
