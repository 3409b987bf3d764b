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
