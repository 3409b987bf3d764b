#include "mcr/host/audience.hpp"

#include <sstream>

#include "catch.hpp"

using namespace mcr;

namespace {

bool packet(const std::string& rows, const SocketInodes& own = {}) {
  std::istringstream text("sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n" + rows);
  return has_packet_socket(text, 2, own);
}

bool raw(const std::string& rows) {
  std::istringstream text("  sl  local_address rem_address   st tx_queue rx_queue tr ...\n" + rows);
  return has_raw_udp_socket(text, {77});
}

using Ports = std::set<std::uint16_t>;

Ports heard(const std::string& rows) {
  std::istringstream text("  sl  local_address rem_address   st tx_queue rx_queue tr ...\n" + rows);
  return udp_ports_heard(text);
}

}  // namespace

TEST_CASE("packet sockets that hear what traffic control lets pass") {
  CHECK_FALSE(packet(""));
  CHECK_FALSE(packet("0000000000000000 3      3    0003   2     1 0      0      70\n"));
  CHECK(packet("0000000000000000 3      3    0800   2     1 0      0      70\n"));
  CHECK(packet("0000000000000000 3      3    86dd   0     1 0      0      70\n"));
  CHECK_FALSE(packet("0000000000000000 3      3    0800   3     1 0      0      70\n"));
  CHECK_FALSE(packet("0000000000000000 3      3    0800   2     1 0      0      70\n", {70}));
  CHECK(packet("rubbish\n"));
}

TEST_CASE("raw sockets that hear UDP") {
  const auto row = [](const char* protocol, const char* inode) {
    return std::string("  17: 00000000:") + protocol +
           " 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 " + inode +
           " 2 0000000000000000 0\n";
  };
  CHECK_FALSE(raw(""));
  CHECK_FALSE(raw(row("0001", "5")));
  CHECK(raw(row("0011", "5")));
  CHECK_FALSE(raw(row("0011", "77")));
  CHECK(raw("rubbish\n"));
}

TEST_CASE("UDP sockets that may hear a multicast") {
  CHECK(heard("") == Ports{});
  CHECK(heard("  1: 00000000:1388 00000000:0000 07 00000000:00000000\n") == Ports{5000});
  CHECK(heard("  1: 010101EF:1388 00000000:0000 07\n") == Ports{5000});
  CHECK(heard("  1: 0100007F:1388 00000000:0000 07\n") == Ports{});
  CHECK(heard("  1: 00000000000000000000000000000000:1388 0:0 07\n"
              "  2: 000002FF000000000000000001000000:1389 0:0 07\n"
              "  3: 000080FE000000000000000001000000:138A 0:0 07\n") == Ports{5000, 5001});
  CHECK(heard("rubbish\n  1: 1388\n  2: :1388 x\n") == Ports{});
}
