// The worker's part that sends for rules in a circle: where other relays may join the same
// networks, a datagram waits for a copy of theirs. Theory in rules/carriers.cpp.
//
// Held datagrams stay in their receive buffers, with a reference each. Their number is bounded:
// when there are more the oldest is sent early, since a rule with so much traffic is no discovery.
// A datagram that is held to see if it comes back (rules/return_probe.hpp) keeps no other one
// waiting: the same was sent already.
//
// A round of the loop sends what is due. If nothing else wakes the worker, that time does.
#include <chrono>

#include "mcr/dataplane/worker.hpp"
#include "mcr/packet/discovery.hpp"

namespace mcr {

void Worker::send_guarded(const TableEntry& entry, const Frame& frame, const Packet& packet,
                          const RuleTable& table) noexcept {
  if (entry.probed) return send_probed(entry, frame, packet, table);
  auto& carriers = loop_guard_.carriers();
  for (const auto& output : table.outputs(entry)) {
    if (output.filter != 0 && !let_pass(output, packet, table)) continue;
    if (wary_ || !carriers.carries(output.slot) || held_.has(output.slot)) {
      hold(entry, output, frame, packet, table);
      continue;
    }
    if (carriers.is_due(output.slot, now_ns_)) {
      const auto first = packet.part(0, 1);
      carriers.sent(output.slot, loop_guard_.hash(entry.circle, first.payload), output.interface,
                    now_ns_);
    }
    pass_on(output, packet, frame.buffer, table);
  }
}

/// Nothing but a probe waits: so a rule keeps order when it comes to be probed, and after.
void Worker::send_probed(const TableEntry& entry, const Frame& frame, const Packet& packet,
                         const RuleTable& table) noexcept {
  for (const auto& output : table.outputs(entry))
    if (probe_ns_ != 0)
      hold(entry, output, frame, packet, table);
    else
      pass_on(output, packet, frame.buffer, table);
}

/// By what the packet's one datagram says. The control thread sends searches on
/// (control/searches.hpp), so this way they are no loss.
bool Worker::let_pass(const TableOutput& output, const Packet& packet,
                      const RuleTable& table) noexcept {
  const auto& filter = table.filter(output);
  if (filter.kind != ReflectorKind::mdns) return !is_search(filter.kind, packet.payload);
  if (passes(filter.mdns, packet.payload)) return true;
  tx_.drop(output, OutputDrop::filtered, packet);
  return false;
}

void Worker::hold(const TableEntry& entry, const TableOutput& output, const Frame& frame,
                  const Packet& packet, const RuleTable& table) noexcept {
  auto wait = probe_ns_;
  if (wait == 0)
    wait = static_cast<std::uint64_t>(
        loop_guard_.carriers().wait(output.slot, output.rank, entry.preserves).count());
  for (std::uint32_t n = 0; n < packet.datagrams; ++n) {
    while (held_.full() || (!held_.empty() && buffers_.available() < buffers_.count() / 4))
      send_held(held_.pop(), table);
    const auto datagram = packet.part(n, 1);
    buffers_.retain(frame.buffer);
    held_.push({.packet = datagram,
                .payload_hash = loop_guard_.hash(entry.circle, datagram.payload),
                .came_ns = now_ns_,
                .due_ns = now_ns_ + wait,
                .rule = entry.rule,
                .output = output.slot,
                .rx_slot = frame.slot,
                .buffer = frame.buffer,
                .probe = probe_ns_ != 0});
  }
}

void Worker::send_due(const RuleTable& table, std::uint64_t now_ns) noexcept {
  held_.pop_due(now_ns, [&](const HeldDatagram& held) { send_held(held, table); });
}

/// If the rule or the output is gone meanwhile, nothing is sent.
void Worker::send_held(const HeldDatagram& held, const RuleTable& table) noexcept {
  auto packet = held.packet;
  void* data = const_cast<std::byte*>(packet.payload.data());  // of memory that is ours
  buffers_.follow(held.buffer, data);
  packet.payload = {static_cast<const std::byte*>(data), packet.payload.size()};
  if (held.probe) loop_guard_.released(held.rule, held.payload_hash, now_ns_);
  auto& carriers = loop_guard_.carriers();
  for (const auto& entry : table.lookup(held.rx_slot, packet.destination)) {
    if (entry.rule != held.rule) continue;
    for (const auto& output : table.outputs(entry)) {
      if (output.slot != held.output) continue;
      if (held.probe) {
        pass_on(output, packet, held.buffer, table);
        continue;
      }
      if (carriers.is_there(held.payload_hash, output.interface, held.came_ns)) {
        carriers.left(output.slot, held.payload_hash, output.interface, packet.source, now_ns_);
        tx_.drop(output, OutputDrop::carried, packet);
        continue;
      }
      if (carriers.is_due(output.slot, now_ns_))
        carriers.sent(output.slot, held.payload_hash, output.interface, now_ns_);
      pass_on(output, packet, held.buffer, table);
    }
  }
  buffers_.release(held.buffer);
}

}  // namespace mcr
