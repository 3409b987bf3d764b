#include "mcr/redundancy/numbers.hpp"

#include <random>

#include "catch.hpp"
#include "datagrams.hpp"

using namespace mcr;
using namespace mcr::redundancy;

TEST_CASE("what a datagram bears") {
  const auto one = read_bearing(by_rtp, rtp(65'000, 0xABCD));
  REQUIRE(one);
  CHECK(one->id == 0xABCD);
  CHECK(one->number == 65'000);
  CHECK(one->step == 1);
  CHECK(read_bearing(by_mold, mold(1ULL << 40U, 3))->number == 1ULL << 40U);
  CHECK(read_bearing(by_mold, mold(7, 3))->step == 3);
  CHECK(read_bearing(by_mold, mold(7, 0))->step == 0);
  CHECK(read_bearing(by_number, numbered(0x12345678))->number == 0x12345678);
  const Merge with_step{Merge::By::sequence, {0, 1, false, 1, 2}};
  CHECK(read_bearing(with_step, Bytes{std::byte{9}, std::byte{1}, std::byte{2}})->step == 258);
}

TEST_CASE("what bears no number") {
  CHECK_FALSE(read_bearing(by_rtp, Bytes(11)));
  CHECK_FALSE(read_bearing(by_mold, rtp(1)));
  CHECK_FALSE(read_bearing(by_number, Bytes(5)));
  CHECK_FALSE(read_bearing(by_content, rtp(1)));
}

TEST_CASE("plain RTP bears what any RTP does") {
  std::mt19937 dice(1);
  std::size_t plain = 0;
  for (int round = 0; round < 5'000; ++round) {
    Bytes bytes(dice() % 40);
    for (auto& byte : bytes)
      byte = static_cast<std::byte>(dice());
    if (!bytes.empty() && dice() % 4 != 0) bytes[0] = std::byte{0x80};
    const auto one = read_bearing(by_rtp, bytes);
    const auto other = read_any_bearing(by_rtp, bytes);
    REQUIRE(one.has_value() == other.has_value());
    if (!one) continue;
    ++plain;
    REQUIRE(one->id == other->id);
    REQUIRE(one->digest == other->digest);
    REQUIRE(one->number == other->number);
    REQUIRE(one->step == other->step);
  }
  CHECK(plain > 1'000);
}

TEST_CASE("copies have one digest, others another") {
  CHECK(read_bearing(by_rtp, rtp(5))->digest == read_bearing(by_rtp, rtp(5))->digest);
  CHECK(read_bearing(by_rtp, rtp(5))->digest != read_bearing(by_rtp, rtp(5, 1, 1))->digest);
  auto longer = rtp(5);
  longer.push_back({});
  CHECK(read_bearing(by_rtp, rtp(5))->digest != read_bearing(by_rtp, longer)->digest);
}
