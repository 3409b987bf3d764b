#include "mcr/packet/merging.hpp"

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
std::optional<Unmerged> why(Make make) {
  std::vector<SampledFrame> frames;
  for (std::size_t n = 0; n < sampled; ++n)
    frames.push_back(make(n));
  return why_unmerged(frames);
}

}  // namespace

TEST_CASE("merging: a stream of one size comes too slowly") {
  CHECK(why([](std::size_t) { return frame(); }) == Unmerged::one_by_one);
  CHECK(why([](std::size_t n) { return frame(n % 50); }) == Unmerged::one_by_one);
}

TEST_CASE("merging: each thing that keeps GRO from it") {
  CHECK(why([](std::size_t n) {
          auto one = frame();
          one.has_checksum = n % 3 == 0;
          return one;
        }) == Unmerged::no_checksum);
  CHECK(why([](std::size_t n) { return frame(0, n % 2 == 0 ? 200 : 1316); }) ==
        Unmerged::sizes_differ);
  CHECK(why([](std::size_t n) { return frame(n % 80); }) == Unmerged::many_streams);
  CHECK(why([](std::size_t) {
          auto one = frame();
          one.heard_here = true;
          return one;
        }) == Unmerged::heard_here);
}

TEST_CASE("merging: the shorter datagram at the end of a burst is no other size") {
  CHECK(why([](std::size_t n) { return frame(0, n % 10 == 9 ? 700 : 1316); }) ==
        Unmerged::one_by_one);
}

TEST_CASE("merging: a few frames tell nothing") {
  CHECK_FALSE(why_unmerged({}));
  CHECK_FALSE(why_unmerged(std::vector<SampledFrame>(31, frame())));
}

TEST_CASE("merging: each reason is explained") {
  for (const auto reason : {Unmerged::no_checksum, Unmerged::sizes_differ, Unmerged::many_streams,
                            Unmerged::heard_here, Unmerged::one_by_one})
    CHECK_FALSE(explained(reason).empty());
}
