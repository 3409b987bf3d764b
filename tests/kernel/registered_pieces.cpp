// Fact: from Linux 6.15 on SENDMSG_ZC takes several pieces from a registered buffer
// (IORING_RECVSEND_FIXED_BUF), with UDP_SEGMENT, and charges none of it to RLIMIT_MEMLOCK; pieces
// outside of the buffer give EFAULT. Before, the flag gives EINVAL. The probe tells one from the
// other.
#include <netinet/udp.h>
#include <sys/resource.h>

#include "mcr/dataplane/zerocopy_features.hpp"
#include "uring.hpp"

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t segment = 1400;
constexpr std::size_t piece = 2 * segment;

int send(world::Uring& uring, int socket, std::byte* first, std::byte* second) {
  return world::send_zerocopy(uring, socket, {{first, piece}, {second, piece}}, true);
}

}  // namespace

int main() {
  world::enter();
  world::peer();
  const int socket = world::sender("239.1.1.1", 5000);
  world::need(world::set(socket, SOL_UDP, UDP_SEGMENT, static_cast<int>(segment)), "UDP_SEGMENT");
  world::Uring uring;
  constexpr std::size_t bytes = 16 * page;
  void* map =
      ::mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) world::skip("mmap");
  auto* memory = static_cast<std::byte*>(map);
  const iovec registered{memory, bytes};
  if (io_uring_register_buffers(&uring.ring, &registered, 1) != 0)
    world::skip("no buffer may be registered: RLIMIT_MEMLOCK");
  // The probe comes first: its ring, too, is charged to RLIMIT_MEMLOCK.
  const bool known = mcr::zerocopy_features().registered_pieces;
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_MEMLOCK, &none);
  const int inside = send(uring, socket, memory + 100, memory + 8 * page);
  world::expect(inside == (known ? static_cast<int>(2 * piece) : -EINVAL),
                fmt::format("two pieces of a registered buffer: {}", inside));
  const int outside = send(uring, socket, memory, memory + bytes);
  world::expect(outside == (known ? -EFAULT : -EINVAL),
                fmt::format("a piece outside of it: {}", outside));
}
