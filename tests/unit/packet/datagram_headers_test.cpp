#include "mcr/packet/datagram_headers.hpp"

#include <algorithm>

#include "catch.hpp"
#include "mcr/packet/parse.hpp"

namespace {

using namespace mcr;

std::vector<std::byte> frame_of(std::vector<std::byte> headers,
                                const std::vector<std::byte>& payload) {
  headers.insert(headers.end(), payload.begin(), payload.end());
  return headers;
}

HeaderFields fields_of(const char* source, const char* destination) {
  return {{*IpAddress::parse(source), 4000}, {*IpAddress::parse(destination), 5000}, 7, 0xB8};
}

/// The parser reads what was made, and its checksums hold.
void check_read(const std::vector<std::byte>& frame, std::size_t link_header,
                const HeaderFields& fields, const std::vector<std::byte>& payload) {
  Packet packet;
  REQUIRE_FALSE(parse_frame(frame, {}, link_header, packet));
  CHECK(packet.source == fields.source);
  CHECK(packet.destination == fields.destination);
  CHECK(packet.ttl == fields.ttl);
  CHECK(packet.traffic_class == fields.traffic_class);
  CHECK(std::ranges::equal(packet.payload, payload));
  CHECK(udp_checksum_holds(packet));
}

}  // namespace

TEST_CASE("headers that were made are read as they were meant") {
  const std::vector<std::byte> payload(101, std::byte{0x5A});
  for (const auto& fields : {fields_of("10.0.0.1", "239.1.1.1"), fields_of("fd00::1", "ff05::1")})
    check_read(frame_of(make_datagram_headers(fields, payload, payload.size()), payload), 0, fields,
               payload);
}

TEST_CASE("headers of a part of a datagram tell how long it was") {
  const std::vector<std::byte> part(10, std::byte{1});
  const auto headers = make_datagram_headers(fields_of("10.0.0.1", "239.1.1.1"), part, 1000);
  CHECK(headers[2] == std::byte{1028 >> 8U});
  CHECK(headers[3] == std::byte{1028 & 0xFFU});
  CHECK(headers[26] == std::byte{0});
  CHECK(headers[27] == std::byte{0});
}

TEST_CASE("headers of a superframe become those of one datagram") {
  const std::vector<std::byte> whole(3000, std::byte{0x5A});
  const std::vector<std::byte> one(1000, std::byte{0x5A});
  for (const auto& fields : {fields_of("10.0.0.1", "239.1.1.1"), fields_of("fd00::1", "ff05::1")}) {
    const auto type = fields.source.address.is_v6() ? 0x86DDU : 0x0800U;
    std::vector<std::byte> headers(14);
    headers[12] = static_cast<std::byte>(type >> 8U);
    headers[13] = static_cast<std::byte>(type);
    const auto ip = make_datagram_headers(fields, whole, whole.size());
    headers.insert(headers.end(), ip.begin(), ip.end());
    fit_datagram_headers(headers, 14, one, one.size());
    check_read(frame_of(headers, one), 14, fields, one);
  }
}
