// Fact: a message of SENDMSG_ZC may have 17 page fragments: 65,507 contiguous bytes go as one
// with UDP_SEGMENT, 17 iovecs from separate pages too, 18 give EMSGSIZE.
#include <netinet/udp.h>

#include "uring.hpp"

namespace {

constexpr std::size_t page = 4096;

}  // namespace

int main() {
  world::enter();
  world::peer();
  const int socket = world::sender("239.1.1.1", 5000);
  world::need(world::set(socket, SOL_UDP, UDP_SEGMENT, 1400), "UDP_SEGMENT");
  world::Uring uring;
  std::vector<char> memory(64 * page);
  auto* first = memory.data();
  first += page - reinterpret_cast<std::uintptr_t>(first) % page;

  constexpr std::size_t most = 65'507;  // an IPv4 datagram's payload
  for (std::size_t offset : {0U, 100U, 4095U}) {
    const int result = world::send_zerocopy(uring, socket, {{first + offset, most}});
    world::expect(result == most,
                  fmt::format("{} bytes at offset {} of a page: {}", most, offset, result));
  }
  for (auto [count, expected] : {std::pair{17U, 17'000}, std::pair{18U, -EMSGSIZE}}) {
    std::vector<iovec> parts;
    for (unsigned i = 0; i < count; ++i)
      parts.push_back({first + 2 * i * page, 1000});
    const int result = world::send_zerocopy(uring, socket, parts);
    world::expect(result == expected, fmt::format("{} separate pages: {}", count, result));
  }
}
