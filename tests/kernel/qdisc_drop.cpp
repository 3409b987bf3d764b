// Fact: a datagram that the queueing discipline drops is a successful send, unless IP_RECVERR is
// set: then it is ENOBUFS.
#include <array>

#include "world.hpp"

namespace {

/// Sends 30 datagrams; tells how many the kernel accepted and how many it refused with ENOBUFS.
std::pair<int, int> burst(bool receive_errors) {
  const int socket = world::sender("239.1.1.1", 5000);
  world::set(socket, IPPROTO_IP, IP_RECVERR, receive_errors ? 1 : 0);
  std::pair<int, int> result{};
  const std::array<char, 1400> payload{};
  for (int i = 0; i < 30; ++i) {
    if (::send(socket, payload.data(), payload.size(), MSG_DONTWAIT) > 0)
      ++result.first;
    else if (errno == ENOBUFS)
      ++result.second;
  }
  ::close(socket);
  return result;
}

}  // namespace

int main() {
  world::enter();
  world::peer();
  world::run("tc qdisc add dev near root tbf rate 8kbit burst 2000 limit 3000");
  const auto [accepted, refused] = burst(false);
  world::expect(accepted == 30 && refused == 0,
                fmt::format("without IP_RECVERR: {} of 30 accepted", accepted));
  const auto [passed, seen] = burst(true);
  world::expect(passed + seen == 30 && seen > 25,
                fmt::format("with IP_RECVERR: {} accepted, {} ENOBUFS", passed, seen));
}
