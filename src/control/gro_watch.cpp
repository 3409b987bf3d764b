// A look takes a sample of the frames of the second between two ticks. It is taken where most
// frames have one datagram although GRO is on, and again after a while.
#include "mcr/control/gro_watch.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "mcr/config/rule.hpp"
#include "mcr/host/audience.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/packet/parse.hpp"

namespace mcr {

namespace {

std::set<unsigned> inputs_of(std::span<const Rule> rules, const Interfaces& interfaces) {
  std::set<unsigned> indices;
  for (const auto& rule : rules)
    for (const auto& input : rule.inputs)
      if (const auto* interface = interfaces.find(input.interface);
          rule.enabled && interface != nullptr && interface->up)
        indices.insert(interface->index);
  return indices;
}

bool merges(const std::string& interface) {
  const auto setting = read_gro(interface);
  return setting && setting->merging && setting->udp_forwarding;
}

}  // namespace

void GroWatch::tick(std::span<const Rule> rules, const Interfaces& interfaces,
                    const SocketPool& sockets, Time now) {
  const auto inputs = inputs_of(rules, interfaces);
  std::erase_if(watched_, [&](const auto& each) { return !inputs.contains(each.first); });
  for (const auto index : inputs) {
    const auto& interface = *interfaces.find(index);
    look(watched_[index], interface, sockets.received(interface.name), now);
  }
}

void GroWatch::look(Watched& watched, const Interface& interface, const Received& received,
                    Time now) {
  const Received came{received.frames - watched.before.frames,
                      received.datagrams - watched.before.datagrams};
  watched.before = received;
  if (watched.sample) return judge(watched, interface.link_header().value_or(0));
  if (came.frames < busy) return;
  if (2 * came.datagrams > 3 * came.frames || !merges(interface.name)) return watched.why.reset();
  if (now < watched.next_look) return;
  watched.next_look = now + apart;
  watched.sample.emplace(interface.name, interface.index, 1.0);
}

void GroWatch::judge(Watched& watched, std::size_t link_header) {
  const auto ports = udp_ports_heard();
  std::vector<SampledFrame> frames;
  watched.sample->read([&](std::span<const std::byte> frame) {
    const auto bytes = frame.subspan(std::min(sizeof(VnetHeader), frame.size()));
    Packet packet;
    if (parse_frame(bytes, {}, link_header, packet)) return;
    const bool has_checksum =
        bytes[packet.headers - 1U] != std::byte{} || bytes[packet.headers - 2U] != std::byte{};
    frames.push_back({packet.source, packet.destination, packet.payload.size(), has_checksum,
                      ports.contains(packet.destination.port)});
  });
  watched.sample.reset();
  watched.why = find_gro_reason(frames);
}

std::optional<GroReason> GroWatch::why(unsigned interface) const {
  const auto known = watched_.find(interface);
  return known == watched_.end() ? std::nullopt : known->second.why;
}

}  // namespace mcr
