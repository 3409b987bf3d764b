// Fact: at the ingress of traffic control a frame of a local sender behind veth has a partial
// checksum: the UDP header has the sum of the pseudo header, and bpf_csum_level() answers EACCES. A
// superframe says how many datagrams of which size it has, and its UDP length is that of all.
// Needs root.
#include <netinet/udp.h>

#include <array>

#include "bpf.hpp"
#include "packet.hpp"

namespace {

constexpr int segment = 1000;
constexpr int segments = 5;

/// The program's view of a frame, in host byte order but for the two of the header.
struct Seen {
  std::uint32_t level, size, count;
  std::uint16_t length, checksum;  // of the UDP header, as they stand there
};
static_assert(sizeof(Seen) == 16);

/// Notes what it sees of each frame in the only element of the map.
mcr::Fd noting(int map) {
  using namespace world::bpf;
  return load_program({
      copy(BPF_REG_6, BPF_REG_1),
      set(BPF_REG_2, BPF_CSUM_LEVEL_QUERY),
      call(BPF_FUNC_csum_level),
      store(BPF_W, BPF_REG_10, -16, BPF_REG_0),
      load(BPF_W, BPF_REG_1, BPF_REG_6, offsetof(__sk_buff, gso_size)),
      store(BPF_W, BPF_REG_10, -12, BPF_REG_1),
      load(BPF_W, BPF_REG_1, BPF_REG_6, offsetof(__sk_buff, gso_segs)),
      store(BPF_W, BPF_REG_10, -8, BPF_REG_1),
      store_value(BPF_W, BPF_REG_10, -4, 0),
      copy(BPF_REG_1, BPF_REG_6),
      set(BPF_REG_2, 14 + 20 + 4),
      copy(BPF_REG_3, BPF_REG_10),
      add(BPF_REG_3, -4),
      set(BPF_REG_4, 4),
      call(BPF_FUNC_skb_load_bytes),
      store_value(BPF_W, BPF_REG_10, -20, 0),
      instruction(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
      instruction(0, 0),
      copy(BPF_REG_2, BPF_REG_10),
      add(BPF_REG_2, -20),
      copy(BPF_REG_3, BPF_REG_10),
      add(BPF_REG_3, -16),
      set(BPF_REG_4, BPF_ANY),
      call(BPF_FUNC_map_update_elem),
      set(BPF_REG_0, -1),
      leave(),
  });
}

std::uint16_t pseudo_sum(std::uint16_t length) {
  const auto from = world::endpoint("10.0.0.1", 0), to = world::endpoint("239.1.1.1", 0);
  std::uint64_t sum =
      std::uint64_t{from.sin_addr.s_addr} + to.sin_addr.s_addr + htons(IPPROTO_UDP) + length;
  while (sum > 0xFFFF)
    sum = (sum & 0xFFFF) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

Seen read(int map) {
  const std::uint32_t zero = 0;
  Seen seen{};
  world::need(::bpf_map_lookup_elem(map, &zero, &seen), "read the map");
  return seen;
}

void expect_partial(const Seen& seen, std::size_t payload) {
  world::expect(seen.length == htons(static_cast<std::uint16_t>(payload + 8)),
                fmt::format("UDP length {}", ntohs(seen.length)));
  world::expect(seen.level == static_cast<std::uint32_t>(-EACCES),
                "the kernel does not call the checksum right");
  world::expect(seen.checksum == pseudo_sum(seen.length), "it is the sum of the pseudo header");
}

}  // namespace

int main() {
  world::enter_as_root();
  const int away = world::peer();
  const int home = world::here();
  const int map = ::bpf_map_create(BPF_MAP_TYPE_ARRAY, "seen", 4, sizeof(Seen), 1, nullptr);
  if (map < 0) world::skip(fmt::format("make a map: {}", std::strerror(-map)));
  world::go(away);
  world::bpf::attach(noting(map), "far");
  world::go(home);
  const int socket = world::sender("239.1.1.1", 5000);
  const std::array<char, segment * segments> payload{};
  world::need(static_cast<int>(::send(socket, payload.data(), segment, 0)), "send");
  const auto single = read(map);
  expect_partial(single, segment);
  world::expect(single.size == 0 && single.count <= 1, "one datagram has no size of segments");

  world::need(world::set(socket, SOL_UDP, UDP_SEGMENT, segment), "UDP_SEGMENT");
  world::need(static_cast<int>(::send(socket, payload.data(), payload.size(), 0)), "send");
  const auto superframe = read(map);
  expect_partial(superframe, payload.size());
  world::expect(superframe.size == segment && superframe.count == segments,
                fmt::format("{} segments of {} B", superframe.count, superframe.size));
}
