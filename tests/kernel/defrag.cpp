// Fact: a fanout group with PACKET_FANOUT_FLAG_DEFRAG, also one of a single socket, gets a
// fragmented IPv4 datagram whole, and its filter sees it whole. Of two such groups on one link only
// one does. A socket without the flag gets the fragments beside it.
#include <array>

#include "packet.hpp"

namespace {

constexpr std::uint16_t port = 5000;
constexpr std::size_t payload = 4000;
constexpr unsigned defrag = 0x8000;  // PACKET_FANOUT_FLAG_DEFRAG

int group_of_one(int away) {
  const int socket = world::packets(away);
  // The length of the IP packet, and the port: what a fragment lacks.
  world::filter(socket, {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 16),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, payload + 28, 0, 3),
                         BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1), BPF_STMT(BPF_RET, 0xFFFF),
                         BPF_STMT(BPF_RET, 0)});
  const unsigned mode = PACKET_FANOUT_CPU | PACKET_FANOUT_FLAG_UNIQUEID | defrag;
  world::need(world::set(socket, SOL_PACKET, PACKET_FANOUT, mode << 16U), "a fanout group");
  return socket;
}

/// Bytes of the next frame; 0 if none comes.
std::size_t next(int socket) {
  std::array<unsigned char, 8192> frame{};
  const auto size = ::recv(socket, frame.data(), frame.size(), 0);
  return size < 0 ? 0 : static_cast<std::size_t>(size);
}

void send_large(int socket) {
  const std::array<char, payload> data{};
  world::need(static_cast<int>(::send(socket, data.data(), data.size(), 0)), "send");
}

}  // namespace

int main() {
  constexpr std::size_t whole = world::headers + payload;
  world::enter();
  const int away = world::peer();
  const int sender = world::sender("239.1.1.1", port);
  const int plain = world::packets(away);
  const int one = group_of_one(away);
  send_large(sender);
  world::expect(next(one) == whole, "the group's socket gets one frame, whole");
  world::expect(next(one) == 0, "and no other");
  int fragments = 0;
  for (std::size_t size = 0; (size = next(plain)) != 0; ++fragments)
    world::expect(size < whole, fmt::format("a socket without the flag: a frame of {} B", size));
  world::expect(fragments == 3, "three in all");

  const int other = group_of_one(away);
  send_large(sender);
  const bool to_one = next(one) == whole;
  const bool to_other = next(other) == whole;
  world::expect(to_one != to_other, "with a second such group only one of them gets it");
}
