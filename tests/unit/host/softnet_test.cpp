#include "mcr/host/softnet.hpp"

#include <sstream>

#include "catch.hpp"

TEST_CASE("softnet: the columns of all CPUs are added up") {
  std::istringstream text(
      "0000c24e 00000010 00000003 00000000 00000000\n"
      "000000ff 0000000a 00000001 00000000 00000000\n");
  CHECK(mcr::read_softnet(text) == mcr::Softnet{26, 4});
  std::istringstream odd("no number\n\n12\n");
  CHECK(mcr::read_softnet(odd) == mcr::Softnet{});
}
