// Fact: PACKET_FANOUT_FLAG_UNIQUEID gives two first members (two daemons) groups of their own; the
// id can be read back, others join by it; each group sees all traffic, its members share it.
#include "packet.hpp"

namespace {

constexpr std::uint16_t port = 5000;

int join(int socket, unsigned id, unsigned flags) {
  return world::set(socket, SOL_PACKET, PACKET_FANOUT, id | (PACKET_FANOUT_HASH | flags) << 16U);
}

unsigned id_of(int socket) {
  unsigned value = 0;
  socklen_t length = sizeof value;
  world::need(::getsockopt(socket, SOL_PACKET, PACKET_FANOUT, &value, &length), "read the id back");
  return value & 0xFFFFU;
}

}  // namespace

int main() {
  world::enter();
  const int away = world::peer();
  const int one = world::packets(away), other = world::packets(away), second = world::packets(away);
  world::expect(join(one, 0, PACKET_FANOUT_FLAG_UNIQUEID) == 0, "a first member with a unique id");
  world::expect(join(other, 0, PACKET_FANOUT_FLAG_UNIQUEID) == 0, "another first member");
  world::expect(id_of(one) != id_of(other), fmt::format("ids {} and {}", id_of(one), id_of(other)));
  world::expect(join(second, id_of(one), 0) == 0, "a second member joins by the id");
  world::expect(id_of(second) == id_of(one), "and is in that group");

  for (int flow = 0; flow < 64; ++flow) {
    const int socket = world::sender("239.1.1.1", port);
    world::need(static_cast<int>(::send(socket, "flow", 4, 0)), "send");
    ::close(socket);
  }
  const auto a = world::count(one, port), b = world::count(second, port);
  const auto all = world::count(other, port);
  world::expect(a + b == 64 && a > 0 && b > 0, fmt::format("64 flows: {} + {} in one group", a, b));
  world::expect(all == 64, fmt::format("{} in the other", all));
}
