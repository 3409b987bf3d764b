#include "mcr/control/socket_pool.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/host/socket_buffer.hpp"

namespace mcr {

namespace {

InterfaceTuning tuning_of(const Config& config, const std::string& interface) {
  const auto known = config.interfaces.find(interface);
  return known == config.interfaces.end() ? InterfaceTuning{} : known->second;
}

std::uint64_t receive_buffer(const InterfaceTuning& tuning) {
  return tuning.receive_buffer.value_or(default_receive_buffer);
}

std::optional<std::uint64_t> ring_bytes(const InterfaceTuning& tuning) {
  if (tuning.ingress != IngressMode::mmap) return std::nullopt;
  return receive_buffer(tuning);
}

/// The kernel's figure is twice what was asked for: half of it is for its own bookkeeping. It is an
/// int, so of 1 GiB a byte is missing.
void warn_if_less(std::string_view what, const std::string& interface, std::uint64_t asked,
                  std::uint32_t granted, std::string_view sysctl) {
  if (granted / 2 + 1 >= asked) return;
  log::warning(
      "{} smaller than asked for: interface={} asked={} granted={} do=\"raise {} or give "
      "CAP_NET_ADMIN\"",
      what, log::value(interface), asked, granted / 2, sysctl);
}

template <typename Action>
void do_for(const std::string& interface, Action&& action) {
  try {
    action();
  } catch (const OsError& error) {
    throw InterfaceError(interface, error);
  }
}

}  // namespace

bool Sockets::hold_source_port(std::uint16_t port) {
  if (port == source_port_.number()) return true;
  return fixed_ports_.try_emplace(port, port).first->second.held();
}

void Sockets::open(const RuleTable& table, const Config& config) {
  refuse_restart_keys(table, config);
  std::vector<std::uint16_t> new_ingress;
  std::vector<std::uint16_t> new_egress;
  try {
    for (const auto& wanted : table.ingress()) {
      if (ingress_.contains(wanted.port)) continue;
      do_for(wanted.interface, [&] { open_ingress_port(wanted, config); });
      new_ingress.push_back(wanted.port);
    }
    for (const auto& wanted : table.egress()) {
      if (egress_.contains(wanted.port)) continue;
      do_for(wanted.interface, [&] { open_egress_port(wanted); });
      new_egress.push_back(wanted.port);
    }
  } catch (...) {
    for (const auto port : new_ingress)
      ingress_.erase(port);
    for (const auto port : new_egress)
      egress_.erase(port);
    throw;
  }
  for (auto& [port, ingress] : ingress_)
    tune(ingress, config);
  for (auto& [port, egress] : egress_)
    tune(port, egress, config);
}

/// A ring is made before its socket is used, or not at all.
void Sockets::refuse_restart_keys(const RuleTable& table, const Config& config) const {
  for (const auto& wanted : table.ingress()) {
    const auto known = ingress_.find(wanted.port);
    if (known == ingress_.end()) continue;
    const auto& ingress = known->second;
    const auto tuning = tuning_of(config, ingress.interface);
    const bool other_mode = tuning.ingress != ingress.mode;
    const bool other_ring =
        ingress.mode == IngressMode::mmap && receive_buffer(tuning) != ingress.receive_buffer_asked;
    if (other_mode || other_ring)
      throw Failure(ExitCode::config,
                    fmt::format("[interface.{}] {} has changed: that needs a restart",
                                ingress.interface, other_mode ? "ingress" : "receive_buffer"));
  }
}

void Sockets::open_ingress_port(const TableIngress& wanted, const Config& config) {
  Ingress ingress;
  ingress.interface = wanted.interface;
  ingress.key = wanted.key;
  ingress.link_header = wanted.link_header;
  const auto tuning = tuning_of(config, wanted.interface);
  ingress.mode = tuning.ingress;
  ingress.sockets = open_ingress(wanted.interface, wanted.key, config.daemon.fanout,
                                 workers_.size(), ring_bytes(tuning));
  if (const auto& ring = ingress.sockets.front().ring) {
    ingress.receive_buffer_asked = receive_buffer(tuning);
    ingress.receive_buffer = ring->blocks().count * Blocks::bytes;
  }
  ingress.before = received(wanted.port);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto& cell = workers_[i]->ports().ingress[wanted.port];
    const auto& [socket, ring] = ingress.sockets[i];
    cell.socket = socket;
    cell.blocks = ring ? BlockReader(ring->blocks()) : BlockReader();
    cell.link_header = wanted.link_header;
    cell.failures.store(0, std::memory_order_relaxed);
  }
  ingress_.emplace(wanted.port, std::move(ingress));
}

void Sockets::tune(Ingress& ingress, const Config& config) {
  const auto tuning = tuning_of(config, ingress.interface);
  const auto asked = receive_buffer(tuning);
  if (ingress.mode == IngressMode::mmap ||
      std::exchange(ingress.receive_buffer_asked, asked) == asked)
    return;
  for (const auto& [socket, ring] : ingress.sockets)
    ingress.receive_buffer = ask_for_buffer(socket, SocketBuffer::receive, asked);
  if (tuning.receive_buffer)
    warn_if_less("receive buffer", ingress.interface, asked, ingress.receive_buffer,
                 "net.core.rmem_max");
}

void Sockets::open_egress_port(const TableEgress& wanted) {
  Egress egress;
  egress.interface = wanted.interface;
  egress.source_port = wanted.key.source_port;
  if (!wanted.key.raw && egress.source_port != source_port_.number())
    fixed_ports_.try_emplace(egress.source_port, egress.source_port);
  for (const auto& worker : workers_) {
    egress.sockets.push_back(open_egress(wanted.interface, wanted.key));
    worker->ports().egress[wanted.port].socket = egress.sockets.back();
  }
  egress_.emplace(wanted.port, std::move(egress));
}

void Sockets::tune(std::uint16_t port, Egress& egress, const Config& config) {
  const auto wanted = tuning_of(config, egress.interface).send_buffer;
  const auto asked = wanted.value_or(default_send_buffer);
  if (std::exchange(egress.send_buffer_asked, asked) == asked) return;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    egress.send_buffer = ask_for_buffer(egress.sockets[i], SocketBuffer::send, asked);
    workers_[i]->ports().egress[port].send_buffer.store(egress.send_buffer,
                                                        std::memory_order_relaxed);
  }
  if (wanted)
    warn_if_less("send buffer", egress.interface, asked, egress.send_buffer, "net.core.wmem_max");
}

void Sockets::pass(Ingress& ingress, std::vector<Endpoint> destinations) {
  if (ingress.exact && destinations == ingress.passing) return;
  std::vector<Fd> sockets;
  for (const auto& each : ingress.sockets)
    sockets.emplace_back(each.socket);
  ingress.exact = false;  // should it fail half-way
  pass_only(ingress.interface, sockets, destinations, ingress.key, ingress.link_header);
  ingress.exact = true;
  ingress.passing = std::move(destinations);
}

void Sockets::widen(const RuleTable& table) {
  for (const auto& wanted : table.ingress()) {
    auto& ingress = ingress_.at(wanted.port);
    std::vector<Endpoint> both;
    std::ranges::set_union(ingress.passing, wanted.destinations, std::back_inserter(both));
    do_for(ingress.interface, [&] { pass(ingress, std::move(both)); });
  }
}

void Sockets::narrow(const RuleTable& table) noexcept {
  std::map<std::uint16_t, const std::vector<Endpoint>*> wanted;
  for (const auto& ingress : table.ingress())
    wanted[ingress.port] = &ingress.destinations;
  for (auto& [port, ingress] : ingress_) {
    try {
      const auto known = wanted.find(port);
      pass(ingress, known == wanted.end() ? std::vector<Endpoint>{} : *known->second);
    } catch (const std::exception& error) {
      log::warning("packet filter not narrowed: interface={} reason={}",
                   log::value(ingress.interface), log::value(error.what()));
    }
  }
}

bool Sockets::retire(const RuleTable& table, Indexes& indexes) {
  std::set<std::uint16_t> ingress_wanted;
  std::set<std::uint16_t> egress_wanted;
  for (const auto& wanted : table.ingress())
    ingress_wanted.insert(wanted.port);
  for (const auto& wanted : table.egress())
    egress_wanted.insert(wanted.port);

  for (auto entry = ingress_.begin(); entry != ingress_.end();) {
    const auto port = entry->first;
    if (ingress_wanted.contains(port) || receiving(port)) {
      ++entry;
      continue;
    }
    close(port, entry->second);
    entry = ingress_.erase(entry);
  }
  std::erase_if(egress_, [&](const auto& entry) {
    const auto port = entry.first;
    if (egress_wanted.contains(port)) return false;
    return std::ranges::none_of(workers_, [port](const auto& worker) {
      return worker->ports().egress[port].unresolved.load(std::memory_order_acquire) != 0;
    });
  });
  std::erase_if(fixed_ports_, [this](const auto& fixed) {
    return std::ranges::none_of(
        egress_, [&](const auto& entry) { return entry.second.source_port == fixed.first; });
  });
  indexes.ingress.remove_if([this](const auto&, std::uint32_t port) {
    return !ingress_.contains(static_cast<std::uint16_t>(port));
  });
  indexes.egress.remove_if([this](const auto&, std::uint32_t port) {
    return !egress_.contains(static_cast<std::uint16_t>(port));
  });
  return ingress_.size() == ingress_wanted.size() && egress_.size() == egress_wanted.size();
}

bool Sockets::receiving(std::uint16_t port) const noexcept {
  return std::ranges::any_of(workers_, [port](const auto& worker) {
    return worker->ports().ingress[port].busy.load(std::memory_order_acquire);
  });
}

Received Sockets::received(std::uint16_t port) const noexcept {
  Received sum;
  for (const auto& worker : workers_) {
    const auto& counters = worker->counters().ingress[port];
    sum.frames += counters.rx_frames.get();
    sum.datagrams += counters.rx_datagrams.get();
  }
  return sum;
}

Received Sockets::received(const std::string& interface) const {
  const auto closed = received_.find(interface);
  Received sum = closed == received_.end() ? Received{} : closed->second;
  for (const auto& [port, ingress] : ingress_) {
    if (ingress.interface != interface) continue;
    const auto now = received(port);
    sum.frames += now.frames - ingress.before.frames;
    sum.datagrams += now.datagrams - ingress.before.datagrams;
  }
  return sum;
}

/// What the kernel had taken for us and nobody read is lost with the socket: counted as its drops.
void Sockets::close(std::uint16_t port, Ingress& ingress) {
  count(ingress);
  const auto now = received(port);
  const auto frames = now.frames - ingress.before.frames;
  counted_[ingress.interface].dropped += ingress.counted.offered - ingress.counted.dropped - frames;
  received_[ingress.interface].frames += frames;
  received_[ingress.interface].datagrams += now.datagrams - ingress.before.datagrams;
}

void Sockets::count(Ingress& ingress) {
  auto& total = counted_[ingress.interface];
  for (const auto& [socket, ring] : ingress.sockets) {
    const auto statistics = take_statistics(socket);
    ingress.counted.offered += statistics.offered;
    ingress.counted.dropped += statistics.dropped;
    total.offered += statistics.offered;
    total.dropped += statistics.dropped;
  }
}

void Sockets::count() {
  for (auto& [port, ingress] : ingress_)
    count(ingress);
}

std::map<std::string, GrantedBuffers> Sockets::granted() const {
  std::map<std::string, GrantedBuffers> result;
  for (const auto& [port, ingress] : ingress_)
    result[ingress.interface].receive = ingress.receive_buffer;
  for (const auto& [port, egress] : egress_)
    result[egress.interface].send = egress.send_buffer;
  return result;
}

void Sockets::close_all() {
  for (auto& [port, ingress] : ingress_)
    close(port, ingress);
  ingress_.clear();
  egress_.clear();
}

}  // namespace mcr
