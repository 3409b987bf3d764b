#include "mcr/host/frame_sample.hpp"

#include <sstream>

#include "catch.hpp"

using namespace mcr;

namespace {

using Ports = std::set<std::uint16_t>;

Ports heard(const std::string& rows) {
  std::istringstream text("  sl  local_address rem_address   st tx_queue rx_queue tr ...\n" + rows);
  Ports ports;
  add_udp_ports_heard(text, ports);
  return ports;
}

}  // namespace

TEST_CASE("frame sample: sockets that may hear a multicast") {
  CHECK(heard("") == Ports{});
  CHECK(heard("  1: 00000000:1388 00000000:0000 07 00000000:00000000\n") == Ports{5000});
  CHECK(heard("  1: 010101EF:1388 00000000:0000 07\n") == Ports{5000});
  CHECK(heard("  1: 0100007F:1388 00000000:0000 07\n") == Ports{});
  CHECK(heard("  1: 00000000000000000000000000000000:1388 0:0 07\n"
              "  2: 000002FF000000000000000001000000:1389 0:0 07\n"
              "  3: 000080FE000000000000000001000000:138A 0:0 07\n") == Ports{5000, 5001});
  CHECK(heard("rubbish\n  1: 1388\n  2: :1388 x\n") == Ports{});
}
