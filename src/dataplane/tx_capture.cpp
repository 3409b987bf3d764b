// Captures see copies. A copy has no frame of its own here: its headers are what its
// message tells the kernel, and where the socket decides (source port, the system's TTL) nothing.
#include <netinet/in.h>

#include <cstring>

#include "mcr/dataplane/tx.hpp"

namespace mcr {

/// Before there was a message: as the datagrams came.
void Tx::capture(const TableOutput& output, OutputDrop reason,
                 const Packet& dropped) const noexcept {
  const Copy copy{output.slot,         output.tx_slot, dropped.source,
                  dropped.destination, dropped.ttl,    dropped.traffic_class};
  for (const auto& each : *captures_)
    each->copied(worker_, copy, dropped.payload, dropped.segment, reason);
}

void Tx::capture(Message& message, std::optional<OutputDrop> reason) const noexcept {
  const auto fields = read_control(std::span(message.control).first(message.control_bytes));
  Copy copy{message.output_slot, message.tx_slot,
            {fields.source, 0},  message.destination.endpoint(),
            fields.ttl,          fields.traffic_class};
  if (message.way == Way::raw) {
    std::array<std::uint16_t, 2> ports{};
    std::memcpy(ports.data(), message.udp_header.data(), sizeof ports);
    copy.source.port = ntohs(ports[0]);
    copy.destination.port = ntohs(ports[1]);
  }
  for (std::uint32_t i = 0; message.shape.datagrams != 0 && i < message.shape.pieces; ++i) {
    auto& piece = message.pieces[i];
    if (message.way != Way::any) buffers_.follow(message.buffers[i], piece.iov_base);
    const std::span payload(static_cast<const std::byte*>(piece.iov_base), piece.iov_len);
    for (const auto& each : *captures_)
      each->copied(worker_, copy, payload, message.shape.segment, reason);
  }
}

}  // namespace mcr
