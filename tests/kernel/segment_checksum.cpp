// Fact: before Linux 6.11 a message of several datagrams (UDP_SEGMENT) is refused with EIO where
// the interface computes no checksums; a single one passes.
#include <netinet/udp.h>

#include <array>

#include "mcr/base/kernel_features.hpp"
#include "world.hpp"

int main() {
  world::enter();
  world::peer();
  const int socket = world::sender("239.1.1.1", 5000);
  const std::array<char, 2800> two{};
  const auto send = [&](int segment, std::size_t bytes) {
    world::need(world::set(socket, SOL_UDP, UDP_SEGMENT, segment), "UDP_SEGMENT");
    return ::send(socket, two.data(), bytes, MSG_DONTWAIT) < 0 ? errno : 0;
  };
  world::expect(send(1400, 2800) == 0, "two datagrams in one message");
  world::run("ethtool -K near tx off");
  world::expect(send(0, 1400) == 0, "one, without checksums of the interface");
  const int error = send(1400, 2800);
  world::expect(error == (mcr::kernel_is_at_least(6, 11) ? 0 : EIO),
                fmt::format("two in one message, without them: {}", std::strerror(error)));
}
