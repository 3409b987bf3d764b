#include "mcr/stream/recogniser.hpp"

#include <random>

#include "catch.hpp"
#include "ts_builder.hpp"

namespace {

using namespace mcr::stream;
using mcr::test::Bytes;

Bytes ts(std::size_t packets, std::size_t stride = 188, std::size_t offset = 0) {
  Bytes bytes(offset, std::byte{0});
  for (std::size_t i = 0; i < packets; ++i) {
    mcr::test::append(bytes, mcr::test::TsPacket{}.build());
    bytes.resize(bytes.size() + stride - 188, std::byte{1});
  }
  return bytes;
}

Kind after(Recogniser& recogniser, const Bytes& datagram, int times) {
  auto kind = Kind::unknown;
  for (int i = 0; i < times; ++i)
    kind = recogniser.see(datagram);
  return kind;
}

}  // namespace

TEST_CASE("a stream is recognised by its datagrams") {
  Recogniser recogniser;
  CHECK(recogniser.see(ts(7)) == Kind::ts);
  CHECK(recogniser.see(ts(7, 204)) == Kind::ts);
  CHECK(recogniser.see(ts(7, 188, 4)) == Kind::ts);
  CHECK(recogniser.see(mcr::test::mold("SESSION001", 1, 2)) == Kind::moldudp64);
  CHECK(after(recogniser, ts(1), 4) == Kind::unknown);
  CHECK(recogniser.see(ts(1)) == Kind::ts);
}

TEST_CASE("RTP needs two datagrams in sequence") {
  Recogniser recogniser;
  const Bytes encrypted(700, std::byte{0xC3});
  CHECK(recogniser.see(mcr::test::rtp(65535, 0, 1, encrypted)) == Kind::unknown);
  CHECK(recogniser.see(mcr::test::rtp(0, 0, 2, encrypted)) == Kind::unknown);  // another source
  CHECK(recogniser.see(mcr::test::rtp(1, 0, 2, encrypted)) == Kind::rtp);
  CHECK(recogniser.sequence_before() == 0);
  CHECK(recogniser.see(mcr::test::rtp(3, 0, 2, ts(7))) == Kind::rtp_ts);
}

TEST_CASE("what is nothing of it stays unknown, and costs less and less") {
  std::mt19937 random(1);
  Recogniser recogniser;
  for (int i = 0; i < 1000; ++i) {
    Bytes datagram(700);
    for (auto& byte : datagram)
      byte = static_cast<std::byte>(random());
    CHECK(recogniser.see(datagram) == Kind::unknown);
  }
  // It may become something: each 64th is looked at, and the one after it.
  int looks = 0;
  for (std::uint16_t i = 0; recogniser.see(mcr::test::rtp(i, 0, 1, {})) == Kind::unknown; ++i)
    ++looks;
  CHECK(looks < 130);
}
