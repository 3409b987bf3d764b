// Fact: replacing a packet socket's filter (SO_ATTACH_FILTER) while traffic flows loses no packet
// that both the old and the new one let pass.
#include <atomic>
#include <thread>
#include <vector>

#include "packet.hpp"

namespace {

constexpr unsigned port = 5000;

/// Passes UDP to `port`; `padding` only makes the program another one.
void attach(int socket, unsigned padding) {
  std::vector<sock_filter> code(padding, BPF_STMT(BPF_LD | BPF_IMM, 0));
  code.push_back(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36));
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1));
  code.push_back(BPF_STMT(BPF_RET | BPF_K, 0x40000));
  code.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  world::need(world::set(socket, SOL_SOCKET, SO_ATTACH_FILTER, program), "SO_ATTACH_FILTER");
}

}  // namespace

int main() {
  constexpr unsigned packets = 50'000, together = 50;
  world::enter();
  const int away = world::peer();
  const int tap = world::packets(away);
  const int socket = world::sender("239.1.1.1", port);
  attach(tap, 0);
  std::atomic<bool> over = false;
  std::atomic<unsigned> replaced = 0;
  std::thread replacer([&] {
    while (!over)
      attach(tap, ++replaced % 100);
  });
  unsigned received = 0;
  for (unsigned sent = 0; sent < packets; sent += together) {
    for (unsigned i = 0; i < together; ++i)
      world::need(static_cast<int>(::send(socket, "packet", 6, 0)), "send");
    // On a busy machine the kernel delivers later: what has not come yet would fill the buffer.
    for (unsigned tries = 0; tries < 1000 && received < sent + together; ++tries) {
      received += world::count(tap, port);
      if (received < sent + together) ::usleep(tries);
    }
  }
  over = true;
  replacer.join();
  const timespec pause{0, 50'000'000};
  ::nanosleep(&pause, nullptr);
  received += world::count(tap, port);
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  ::getsockopt(tap, SOL_PACKET, PACKET_STATISTICS, &stats, &length);
  if (stats.tp_drops > 0) world::skip("the socket's buffer was too small");
  world::expect(
      received == packets && replaced > 10,
      fmt::format("{} of {} packets through {} replacements", received, packets, replaced.load()));
}
