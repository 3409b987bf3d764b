#include "mcr/packet/gro_reason.hpp"

#include <cstdint>
#include <vector>

#include "catch.hpp"

namespace {

using namespace mcr;

constexpr std::size_t sampled = 100;

SampledFrame frame(std::size_t stream = 0, std::size_t bytes = 1316) {
  return {{IpAddress::v4(0x0A000001U), 5000},
          {IpAddress::v4(static_cast<std::uint32_t>(0xEF010101U + stream)), 5000},
          bytes};
}

/// The reason for `sampled` frames: make(n) is number n.
template <typename Make>
std::optional<GroReason> why(Make make) {
  std::vector<SampledFrame> frames;
  for (std::size_t n = 0; n < sampled; ++n)
    frames.push_back(make(n));
  return find_gro_reason(frames);
}

}  // namespace

TEST_CASE("GRO: a stream of one size comes too slowly") {
  CHECK(why([](std::size_t) { return frame(); }) == GroReason::one_by_one);
  CHECK(why([](std::size_t n) { return frame(n % 50); }) == GroReason::one_by_one);
}

TEST_CASE("GRO: each thing that keeps GRO from it") {
  CHECK(why([](std::size_t n) {
          auto one = frame();
          one.has_checksum = n % 3 == 0;
          return one;
        }) == GroReason::no_checksum);
  CHECK(why([](std::size_t n) { return frame(0, n % 2 == 0 ? 200 : 1316); }) ==
        GroReason::sizes_differ);
  CHECK(why([](std::size_t n) { return frame(n % 80); }) == GroReason::many_flows);
  CHECK(why([](std::size_t) {
          auto one = frame();
          one.heard_here = true;
          return one;
        }) == GroReason::heard_here);
}

TEST_CASE("GRO: the shorter datagram at the end of a burst is no other size") {
  CHECK(why([](std::size_t n) { return frame(0, n % 10 == 9 ? 700 : 1316); }) ==
        GroReason::one_by_one);
}

TEST_CASE("GRO: a few frames tell nothing") {
  CHECK_FALSE(find_gro_reason({}));
  CHECK_FALSE(find_gro_reason(std::vector<SampledFrame>(31, frame())));
}

TEST_CASE("GRO: each reason is explained") {
  for (const auto reason : {GroReason::no_checksum, GroReason::sizes_differ, GroReason::many_flows,
                            GroReason::heard_here, GroReason::one_by_one})
    CHECK_FALSE(explained(reason, "eth0").empty());
}
