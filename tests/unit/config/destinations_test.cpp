#include "mcr/config/destinations.hpp"

#include "catch.hpp"

using namespace mcr;

namespace {

Destinations make(const char* address, std::uint16_t port, std::uint32_t addresses = 1,
                  std::uint32_t ports = 1) {
  return {{IpAddress::parse(address).value(), port}, addresses, ports};
}

}  // namespace

TEST_CASE("destinations: at() counts ports before addresses") {
  const auto block = make("239.1.0.254", 5000, 4, 3);
  CHECK(block.size() == 12);
  CHECK(fmt::format("{}", block.at(0)) == "239.1.0.254:5000");
  CHECK(fmt::format("{}", block.at(2)) == "239.1.0.254:5002");
  CHECK(fmt::format("{}", block.at(6)) == "239.1.1.0:5000");
  CHECK(fmt::format("{}", block.at(11)) == "239.1.1.1:5002");
}

TEST_CASE("destinations: written as a user writes them") {
  CHECK(make("239.1.1.1", 5000).str() == "239.1.1.1:5000");
  CHECK(make("239.1.0.0", 5000, 256).str() == "239.1.0.0/24:5000");
  CHECK(make("239.1.0.0", 5000, 4096, 11).str() == "239.1.0.0/20:5000-5010");
  CHECK(make("ff15::", 5000, 256).str() == "[ff15::/120]:5000");
}

TEST_CASE("destinations: mapped by their distance from the first") {
  const auto from = make("239.1.0.0", 5000, 4, 3);
  const auto nth = [&](const Destinations& to) {
    return fmt::format("{}", to.mapped_from(from, 7));
  };
  CHECK(nth(make("239.9.0.0", 6000, 4, 3)) == "239.9.0.2:6001");
  CHECK(nth(make("239.9.0.0", 6000, 4, 1)) == "239.9.0.2:6000");
  CHECK(nth(make("239.9.0.0", 6000, 1, 3)) == "239.9.0.0:6001");
  CHECK(nth(make("10.0.0.1", 6000)) == "10.0.0.1:6000");
}

TEST_CASE("destinations: they overlap if an address and a port is in both") {
  const auto block = make("239.1.0.0", 5000, 256, 11);
  const auto meets = [&](const Destinations& other) {
    CHECK(block.overlaps(other) == other.overlaps(block));
    return block.overlaps(other);
  };
  CHECK(meets(block));
  CHECK(meets(make("239.1.0.255", 5010)));
  CHECK(meets(make("239.0.0.0", 4000, 1U << 24U, 1001)));
  CHECK_FALSE(meets(make("239.1.1.0", 5000)));
  CHECK_FALSE(meets(make("239.0.255.255", 5000)));
  CHECK_FALSE(meets(make("239.1.0.0", 5011)));
  CHECK_FALSE(meets(make("239.1.0.0", 4999)));
  CHECK_FALSE(meets(make("ff15::", 5000)));
}
