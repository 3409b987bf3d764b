// Headers of a datagram for those who look at it, in a capture say. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

/// The content of a datagram's headers.
struct HeaderFields {
  Endpoint source;
  Endpoint destination;  ///< of the same family
  std::uint8_t ttl = 0;
  std::uint8_t traffic_class = 0;
};

/// An IP header and a UDP header as they stand on the wire. `payload`: what there is of it;
/// `payload_bytes`: how many there were. The UDP checksum is 0 (absent) where not all is there.
[[nodiscard]] std::vector<std::byte> make_datagram_headers(const HeaderFields& fields,
                                                           std::span<const std::byte> payload,
                                                           std::size_t payload_bytes);

/// Makes the headers of a superframe those of one of its datagrams: lengths and checksums.
/// `headers`: a frame up to its payload, that parse_frame() took. `link_header`: bytes before IP.
void fit_datagram_headers(std::span<std::byte> headers, std::size_t link_header,
                          std::span<const std::byte> payload, std::size_t payload_bytes) noexcept;

}  // namespace mcr
