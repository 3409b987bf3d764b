#include "mcr/stream/moldudp64.hpp"

#include "catch.hpp"
#include "ts_builder.hpp"

using namespace mcr::stream;

TEST_CASE("a MoldUDP64 header is read where the messages fill the datagram") {
  auto bytes = mcr::test::mold("SESSION001", 0x0102030405060708, 3);
  const auto header = read_moldudp64(bytes);
  REQUIRE(header);
  CHECK(header->sequence == 0x0102030405060708);
  CHECK(header->messages == 3);
  CHECK(header->session != read_moldudp64(mcr::test::mold("SESSION002", 1, 1))->session);
  bytes.push_back(std::byte{0});
  CHECK_FALSE(read_moldudp64(bytes));
  CHECK_FALSE(read_moldudp64(std::span(bytes).first(bytes.size() - 2)));
}

TEST_CASE("heartbeats and the end of a session take no numbers") {
  for (const std::uint16_t count : {std::uint16_t{0}, std::uint16_t{0xFFFF}}) {
    const auto header = read_moldudp64(mcr::test::mold("SESSION001", 77, count));
    REQUIRE(header);
    CHECK(header->sequence == 77);
    CHECK(header->messages == 0);
  }
}

TEST_CASE("a session that is no text is another protocol") {
  auto bytes = mcr::test::mold("SESSION001", 1, 1);
  bytes[3] = std::byte{0x80};
  CHECK_FALSE(read_moldudp64(bytes));
  CHECK_FALSE(read_moldudp64(std::span(bytes).first(19)));
}
