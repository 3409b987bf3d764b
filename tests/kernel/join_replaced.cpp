// Fact: (*,G) and then (S,G) on one socket: accepted, and silently only S passes from then on. On
// two sockets both hold.
#include <sstream>
#include <string_view>

#include "world.hpp"

namespace {

int join_source(int socket, const char* group, const char* source) {
  group_source_req request{};
  request.gsr_interface = ::if_nametoindex("near");
  const auto g = world::endpoint(group, 0), s = world::endpoint(source, 0);
  std::memcpy(&request.gsr_group, &g, sizeof g);
  std::memcpy(&request.gsr_source, &s, sizeof s);
  return world::set(socket, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, request);
}

/// "includes excludes" of the group and source, as the interface has them; "" if it has no such.
std::string filter(std::string_view group, std::string_view source) {
  std::ifstream file("/proc/net/mcfilter");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string index, name, g, s, includes, excludes;
    words >> index >> name >> g >> s >> includes >> excludes;
    if (g == group && s == source) return includes + " " + excludes;
  }
  return "";
}

/// True if a datagram from 10.0.0.2, which is not S, gets to a socket bound to the group's port.
bool hears_others(int socket, std::uint16_t port, int away) {
  const int home = world::here();
  world::go(away);
  const int fd = world::need(::socket(AF_INET, SOCK_DGRAM, 0), "socket");
  ip_mreqn out{};
  out.imr_ifindex = static_cast<int>(::if_nametoindex("far"));
  world::set(fd, IPPROTO_IP, IP_MULTICAST_IF, out);
  const auto to = world::endpoint("239.1.1.1", port);
  world::need(
      static_cast<int>(::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to)),
      "send");
  ::close(fd);
  world::go(home);
  char byte = 0;
  return ::recv(socket, &byte, 1, 0) == 1;
}

}  // namespace

int main() {
  world::enter();
  const int away = world::peer();
  const int socket = world::listener(5000);
  world::need(world::join(socket, "239.1.1.1", "near") == 0 ? 0 : -1, "join");
  world::expect(hears_others(socket, 5000, away), "(*,G): any source is heard");
  world::expect(join_source(socket, "239.1.1.1", "10.9.9.9") == 0, "(S,G) on top is accepted");
  world::expect(!hears_others(socket, 5000, away), "and now only S is heard");
  world::expect(filter("0xef010101", "0x0a090909") == "1 0", "/proc/net/mcfilter includes S alone");

  const int any = world::listener(5001);
  world::need(world::join(any, "239.1.1.1", "near") == 0 ? 0 : -1, "join");
  world::expect(hears_others(any, 5001, away), "(*,G) on another socket: both hold");
  world::expect(!hears_others(socket, 5000, away), "each for itself");
}
