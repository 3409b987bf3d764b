// A superframe is kept as its datagrams, each with the frame's headers; control makes these fit.
#include "mcr/dataplane/capture.hpp"

#include <time.h>

#include <algorithm>

namespace mcr {

namespace {

using What = CapturedDatagram::What;

std::uint64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  constexpr std::uint64_t second = 1'000'000'000;
  return static_cast<std::uint64_t>(now.tv_sec) * second + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Puts the datagrams of `payload` into a ring, each with the header and with `snap` bytes at most.
template <typename Ring>
void keep(Ring& ring, CapturedDatagram datagram, std::span<const std::byte> header,
          std::span<const std::byte> payload, std::uint32_t segment, std::size_t snap) noexcept {
  header = header.first(std::min(header.size(), snap));
  datagram.frame_header = static_cast<std::uint16_t>(header.size());
  datagram.time_ns = now_ns();
  do {
    const auto one = payload.first(std::min<std::size_t>(segment, payload.size()));
    const auto kept = one.first(std::min(one.size(), snap - header.size()));
    datagram.original = static_cast<std::uint32_t>(one.size());
    datagram.payload = static_cast<std::uint32_t>(kept.size());
    ring.put(datagram, header, kept);
    payload = payload.subspan(one.size());
  } while (!payload.empty());
}

/// The same for a frame.
template <typename Ring>
void keep_frame(Ring& ring, CapturedDatagram datagram, const Frame& frame, const Packet& packet,
                std::size_t snap) noexcept {
  datagram.socket = frame.slot;
  datagram.source = packet.source;
  datagram.destination = packet.destination;
  datagram.ttl = packet.ttl;
  datagram.traffic_class = packet.traffic_class;
  datagram.fit = packet.datagrams > 1 || (frame.vnet.flags & VnetHeader::needs_checksum) != 0;
  keep(ring, datagram, frame.bytes.first(packet.headers), packet.payload, packet.segment, snap);
}

}  // namespace

void keep_in(PastRing& ring, std::uint32_t rule, const Frame& frame,
             const Packet& packet) noexcept {
  keep_frame(ring, {.what = What::received, .slot = rule}, frame, packet, CaptureWish::whole);
}

Capture::Capture(CaptureWish wish, std::size_t workers) : wish_(std::move(wish)), rings_(workers) {}

std::uint64_t Capture::missed() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& ring : rings_)
    sum += ring.missed();
  return sum;
}

void Capture::keep_frame(std::size_t worker, const CapturedDatagram& datagram, const Frame& frame,
                         const Packet& packet) const noexcept {
  mcr::keep_frame(rings_[worker], datagram, frame, packet, wish_.snap);
}

void Capture::received(std::size_t worker, std::uint32_t rule, const Frame& frame,
                       const Packet& packet) const noexcept {
  if (wish_.in && rule == wish_.rule)
    keep_frame(worker, {.what = What::received, .slot = rule}, frame, packet);
}

void Capture::dropped(std::size_t worker, std::uint32_t rule, const Frame& frame,
                      const Packet& packet, InputDrop reason) const noexcept {
  if (!wish_.drops || rule != wish_.rule) return;
  keep_frame(worker,
             {.what = What::input_drop, .reason = static_cast<std::uint8_t>(reason), .slot = rule},
             frame, packet);
}

void Capture::copied(std::size_t worker, const Copy& copy, std::span<const std::byte> payload,
                     std::uint32_t segment, std::optional<OutputDrop> reason) const noexcept {
  if (!(reason ? wish_.drops : wish_.out)) return;
  if (!std::ranges::binary_search(wish_.outputs, copy.output)) return;
  keep(rings_[worker],
       {.what = reason ? What::output_drop : What::sent,
        .reason = static_cast<std::uint8_t>(reason.value_or(OutputDrop{})),
        .ttl = copy.ttl,
        .traffic_class = copy.traffic_class,
        .socket = copy.tx_slot,
        .slot = copy.output,
        .source = copy.source,
        .destination = copy.destination},
       {}, payload, segment, wish_.snap);
}

}  // namespace mcr
