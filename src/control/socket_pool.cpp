// Control opens a slot's sockets, one for each worker, and fills the workers' cells (WorkerSockets)
// before it publishes a table that names the slot; from then on the sockets are the workers'. They
// come back by two flags: a worker that has dropped the table finishes what it holds, and clears
// `busy` (rx) or counts `unresolved` down to 0 (tx). Only then are the sockets closed and the slot
// given to another key, since a completion that still names the slot must find the old socket.
//
// An rx socket's packet filter passes the destinations of its table and nothing else. It is widened
// before a table is published and narrowed afterwards, so that no datagram of a rule that stays is
// lost; what comes between is counted as `unmatched`.
//
// The kernel clears a socket's counters by reading them, so the sums live here. They are kept by
// interface name, and outlive the sockets.
#include "mcr/control/socket_pool.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/control/try_or_log.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/rules/remedies.hpp"

namespace mcr {

namespace {

std::uint64_t receive_buffer(const InterfaceTuning& tuning) {
  return tuning.receive_buffer.value_or(default_receive_buffer);
}

/// A ring of slots takes this part of what the buffer may take, since its memory is taken at once.
constexpr std::uint64_t ring_share = 4;
constexpr std::uint64_t least_ring = 1U << 20U;
/// All rings of slots together; sockets beyond it have none.
constexpr std::uint64_t most_rings = 64U << 20U;

/// The sockets have the ring, or none where it is only an offer and the kernel has no memory.
std::vector<RxSocket> open_with_ring(const TableRx& wanted, Fanout fanout, std::size_t count,
                                     std::optional<RingRequest> ring) {
  try {
    return open_rx_sockets(wanted.interface, wanted.key, fanout, count, ring);
  } catch (const OsError& error) {
    if (error.code() != ENOMEM || !ring || ring->layout == RingLayout::packed) throw;
    return open_rx_sockets(wanted.interface, wanted.key, fanout, count, std::nullopt);
  }
}

/// The kernel reports twice what it was asked for: it counts its own bookkeeping as half of it. The
/// figure is an int, so 1 GiB is reported as one byte less than its double.
void warn_if_less(std::string_view what, const std::string& interface, std::uint64_t asked,
                  std::uint32_t granted, Trouble trouble) {
  if (granted / 2 + 1 >= asked) return;
  log::warning("{} smaller than asked for: interface={} asked={} granted={} do=\"{}\"", what,
               log::value(interface), asked, granted / 2, remedy(trouble));
}

/// `wanted`: the interface, and the key of the sockets.
template <typename Wanted, typename Action>
void try_for(std::vector<SocketRefusal>& refusals, const Wanted& wanted, Action&& action) {
  try {
    action();
  } catch (const OsError& error) {
    refusals.push_back({wanted.interface, wanted.key, error});
  }
}

}  // namespace

bool SocketPool::hold_source_port(std::uint16_t port) {
  if (port == source_port_.number()) return true;
  const auto [holder, added] = fixed_ports_.try_emplace(port, port);
  const bool held = holder->second.held();
  if (!held && added) fixed_ports_.erase(holder);
  return held;
}

OpenSockets SocketPool::opened() const {
  OpenSockets open;
  for (const auto& [slot, rx] : rx_)
    open.rx.emplace(slot, OpenSockets::Rx{rx.passing, rx.exact});
  for (const auto& [slot, tx] : tx_)
    open.tx.insert(slot);
  return open;
}

void SocketPool::open(std::span<const TableRx> rx, std::span<const TableTx> tx,
                      const InterfaceTunings& tunings, Fanout fanout) {
  try {
    std::vector<SocketRefusal> refusals;
    for (const auto& wanted : rx)
      try_for(refusals, wanted, [&] { open_rx_slot(wanted, tunings, fanout); });
    for (const auto& wanted : tx)
      try_for(refusals, wanted, [&] { open_tx_slot(wanted, tunings); });
    if (!refusals.empty()) throw SocketsRefused(std::move(refusals));
  } catch (...) {
    for (const auto& wanted : rx)
      rx_.erase(wanted.slot);
    for (const auto& wanted : tx)
      tx_.erase(wanted.slot);
    throw;
  }
}

/// A socket gets its ring of blocks before it is used, or never.
void SocketPool::refuse_restart_keys(const RuleTable& table,
                                     const InterfaceTunings& tunings) const {
  for (const auto& wanted : table.rx()) {
    const auto known = rx_.find(wanted.slot);
    if (known == rx_.end()) continue;
    const auto& rx = known->second;
    const auto tuning = tuning_of(tunings, rx.interface);
    const bool other_mode = tuning.ingress != rx.mode;
    const bool other_ring =
        rx.mode == IngressMode::mmap && receive_buffer(tuning) != rx.receive_buffer_asked;
    if (other_mode || other_ring)
      throw Failure(ExitCode::config,
                    fmt::format("[interface.{}] {} has changed: that needs a restart", rx.interface,
                                other_mode ? "ingress" : "receive_buffer"));
  }
}

/// The ring that each of so many sockets is to have; none: it goes without.
std::optional<RingRequest> SocketPool::ring_for(const InterfaceTuning& tuning,
                                                std::size_t sockets) const {
  const auto buffer = receive_buffer(tuning);
  if (tuning.ingress == IngressMode::mmap) return RingRequest{RingLayout::packed, buffer};
  if (tuning.ingress == IngressMode::recvmsg || !superframes_are_described()) return std::nullopt;
  const auto bytes = buffer / ring_share;
  auto all = bytes * sockets;
  for (const auto& [slot, rx] : rx_)
    all += rx.ring_bytes;
  if (bytes < least_ring || all > most_rings) return std::nullopt;
  return RingRequest{RingLayout::slots, bytes};
}

void SocketPool::open_rx_slot(const TableRx& wanted, const InterfaceTunings& tunings,
                              Fanout fanout) {
  Rx rx;
  rx.interface = wanted.interface;
  rx.key = wanted.key;
  rx.link_header = wanted.link_header;
  const auto tuning = tuning_of(tunings, wanted.interface);
  rx.mode = tuning.ingress;
  const auto lane = wanted.key.kind.lane;
  const auto count = lane == 0 ? workers_.size() : 1;
  rx.sockets = open_with_ring(wanted, fanout, count, ring_for(tuning, count));
  if (const auto& ring = rx.sockets.front().ring) {
    const auto bytes = ring->blocks().count * Blocks::bytes;
    rx.ring_bytes = std::uint64_t{bytes} * count;
    if (rx.mode == IngressMode::mmap) {
      rx.receive_buffer_asked = receive_buffer(tuning);
      rx.receive_buffer = bytes;
    }
  }
  rx.before = received(wanted.slot);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto& cell = workers_[i]->sockets().rx[wanted.slot];
    if (lane != 0 && i != (lane - 1U) % workers_.size()) {
      cell.assign(Fd(), Blocks(), wanted.link_header);
      continue;
    }
    const auto& [socket, ring] = rx.sockets[lane == 0 ? i : 0];
    cell.assign(socket, ring ? ring->blocks() : Blocks(), wanted.link_header);
  }
  resize_buffer(rx, tunings);
  rx_.emplace(wanted.slot, std::move(rx));
}

void SocketPool::resize_buffer(Rx& rx, const InterfaceTunings& tunings) {
  const auto tuning = tuning_of(tunings, rx.interface);
  const auto asked = receive_buffer(tuning);
  if (rx.mode == IngressMode::mmap || std::exchange(rx.receive_buffer_asked, asked) == asked)
    return;
  for (const auto& [socket, ring] : rx.sockets)
    rx.receive_buffer = SocketOptions(socket).ask_for_buffer(SocketBuffer::receive, asked);
  if (tuning.receive_buffer)
    warn_if_less("receive buffer", rx.interface, asked, rx.receive_buffer,
                 Trouble::receive_buffer_smaller);
}

void SocketPool::open_tx_slot(const TableTx& wanted, const InterfaceTunings& tunings) {
  Tx tx;
  tx.interface = wanted.interface;
  tx.source_port = wanted.key.source_port;
  if (!wanted.key.raw && tx.source_port != source_port_.number())
    fixed_ports_.try_emplace(tx.source_port, tx.source_port);
  for (const auto& worker : workers_) {
    tx.sockets.push_back(open_tx_socket(wanted.interface, wanted.key));
    worker->sockets().assign_tx(wanted.slot, tx.sockets.back());
  }
  resize_buffer(wanted.slot, tx, tunings);
  tx_.emplace(wanted.slot, std::move(tx));
}

void SocketPool::resize_buffer(std::uint16_t slot, Tx& tx, const InterfaceTunings& tunings) {
  const auto wanted = tuning_of(tunings, tx.interface).send_buffer;
  const auto asked = wanted.value_or(default_send_buffer);
  if (std::exchange(tx.send_buffer_asked, asked) == asked) return;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    tx.send_buffer = SocketOptions(tx.sockets[i]).ask_for_buffer(SocketBuffer::send, asked);
    workers_[i]->sockets().tx[slot].send_buffer.store(tx.send_buffer, std::memory_order_relaxed);
  }
  if (wanted)
    warn_if_less("send buffer", tx.interface, asked, tx.send_buffer, Trouble::send_buffer_smaller);
}

void SocketPool::pass(Rx& rx, std::vector<Endpoint> destinations) {
  if (rx.exact && destinations == rx.passing) return;
  std::vector<Fd> sockets;
  for (const auto& each : rx.sockets)
    sockets.emplace_back(each.socket);
  rx.exact = false;  // should it fail half-way
  pass_only(rx.interface, sockets, destinations, rx.key, rx.link_header, relayed_);
  rx.exact = true;
  rx.passing = std::move(destinations);
}

void SocketPool::widen(std::span<const RxFilter> filters) {
  std::vector<SocketRefusal> refusals;
  for (const auto& filter : filters) {
    auto& rx = rx_.at(filter.slot);
    try_for(refusals, rx, [&] { pass(rx, filter.destinations); });
  }
  if (!refusals.empty()) throw SocketsRefused(std::move(refusals));
}

void SocketPool::narrow(std::span<const RxFilter> filters) noexcept {
  for (const auto& filter : filters)
    if (const auto rx = rx_.find(filter.slot); rx != rx_.end())
      try_or_log("narrow packet filter", rx->second.interface,
                 [&] { pass(rx->second, filter.destinations); });
}

void SocketPool::resize_buffers(const InterfaceTunings& tunings) noexcept {
  for (auto& [slot, rx] : rx_)
    try_or_log("resize receive buffer", rx.interface,
               [&, &rx = rx] { resize_buffer(rx, tunings); });
  for (auto& [slot, tx] : tx_)
    try_or_log("resize send buffer", tx.interface,
               [&, slot = slot, &tx = tx] { resize_buffer(slot, tx, tunings); });
}

bool SocketPool::retire(const std::set<std::uint16_t>& rx, const std::set<std::uint16_t>& tx,
                        SlotAllocators& allocators) {
  bool all = true;
  for (const auto slot : rx) {
    const auto entry = rx_.find(slot);
    if (entry == rx_.end()) continue;
    if (receiving(slot)) {
      all = false;
      continue;
    }
    close(slot, entry->second);
    rx_.erase(entry);
  }
  for (const auto slot : tx) {
    if (sending(slot))
      all = false;
    else
      tx_.erase(slot);
  }
  std::erase_if(fixed_ports_, [this](const auto& fixed) {
    return std::ranges::none_of(
        tx_, [&](const auto& entry) { return entry.second.source_port == fixed.first; });
  });
  allocators.rx.remove_if([this](const auto&, std::uint32_t slot) {
    return !rx_.contains(static_cast<std::uint16_t>(slot));
  });
  allocators.tx.remove_if([this](const auto&, std::uint32_t slot) {
    return !tx_.contains(static_cast<std::uint16_t>(slot));
  });
  return all;
}

bool SocketPool::sending(std::uint16_t slot) const noexcept {
  return std::ranges::any_of(workers_, [slot](const auto& worker) {
    return worker->sockets().tx[slot].unresolved.load(std::memory_order_acquire) != 0;
  });
}

bool SocketPool::receiving(std::uint16_t slot) const noexcept {
  return std::ranges::any_of(workers_, [slot](const auto& worker) {
    return worker->sockets().rx[slot].busy.load(std::memory_order_acquire);
  });
}

Received SocketPool::received(std::uint16_t slot) const noexcept {
  Received sum;
  for (const auto& worker : workers_) {
    const auto& counters = worker->counters().rx[slot];
    sum.frames += counters.rx_frames.get();
    sum.datagrams += counters.rx_datagrams.get();
    sum.lost_frames += counters.lost_frames.get();
  }
  return sum;
}

Received SocketPool::received(const std::string& interface) const {
  const auto closed = received_.find(interface);
  Received sum = closed == received_.end() ? Received{} : closed->second;
  for (const auto& [slot, rx] : rx_) {
    if (rx.interface != interface) continue;
    const auto now = received(slot);
    sum.frames += now.frames - rx.before.frames;
    sum.datagrams += now.datagrams - rx.before.datagrams;
  }
  return sum;
}

/// Frames that the kernel had queued and nobody read are lost with the socket: they count as its
/// drops.
void SocketPool::close(std::uint16_t slot, Rx& rx) noexcept {
  count(slot, rx);
  try_or_log("sum up a socket", rx.interface, [&] {
    const auto now = received(slot);
    const auto frames = now.frames - rx.before.frames;
    const auto queued = rx.counted.offered - rx.counted.dropped;
    counted_[rx.interface].dropped += queued > frames ? queued - frames : 0;
    received_[rx.interface].frames += frames;
    received_[rx.interface].datagrams += now.datagrams - rx.before.datagrams;
  });
}

void SocketPool::count(std::uint16_t slot, Rx& rx) noexcept {
  try_or_log("read packet statistics", rx.interface, [&] {
    auto& total = counted_[rx.interface];
    for (const auto& [socket, ring] : rx.sockets) {
      const auto statistics = take_statistics(socket);
      rx.counted.offered += statistics.offered;
      rx.counted.dropped += statistics.dropped;
      total.offered += statistics.offered;
      total.dropped += statistics.dropped;
    }
    const auto lost = received(slot).lost_frames - rx.before.lost_frames;
    rx.counted.dropped += lost - rx.lost_frames;
    total.dropped += lost - std::exchange(rx.lost_frames, lost);
  });
}

void SocketPool::count() noexcept {
  for (auto& [slot, rx] : rx_)
    count(slot, rx);
}

std::map<std::string, GrantedBuffers> SocketPool::granted() const {
  std::map<std::string, GrantedBuffers> result;
  for (const auto& [slot, rx] : rx_)
    result[rx.interface] = {rx.receive_buffer, rx.ring_bytes / rx.sockets.size(), 0};
  for (const auto& [slot, tx] : tx_)
    result[tx.interface].send = tx.send_buffer;
  return result;
}

SocketInodes SocketPool::inodes() const {
  SocketInodes inodes;
  const auto add = [&inodes](Fd socket) {
    struct stat status {};
    if (::fstat(socket.get(), &status) == 0) inodes.insert(status.st_ino);
  };
  for (const auto& [slot, rx] : rx_)
    for (const auto& each : rx.sockets)
      add(each.socket);
  for (const auto& [slot, tx] : tx_)
    for (const auto& each : tx.sockets)
      add(each);
  return inodes;
}

void SocketPool::close_all() noexcept {
  for (auto& [slot, rx] : rx_)
    close(slot, rx);
  rx_.clear();
  tx_.clear();
}

}  // namespace mcr
