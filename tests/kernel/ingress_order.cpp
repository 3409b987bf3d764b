// Fact: a frame passes packet sockets bound to ETH_P_ALL first, then the ingress of traffic
// control, then packet sockets bound to ETH_P_IP. A program there can set the frame's mark, the
// classic filter of an ETH_P_IP socket sees it, and what the program steals the socket never sees.
// Needs root.
#include "bpf.hpp"
#include "packet.hpp"

namespace {

constexpr std::uint16_t port = 5000;
constexpr int bit = 0x01'00'00'00;
constexpr int go_on = -1;  // TC_ACT_UNSPEC
constexpr int steal = 4;   // TC_ACT_STOLEN

/// Sets the bit in the mark of every frame, and ends with `verdict`.
mcr::Fd marking(int verdict) {
  using namespace world::bpf;
  return load_program({load(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(__sk_buff, mark)),
                       instruction(BPF_ALU64 | BPF_OR | BPF_K, BPF_REG_2, 0, 0, bit),
                       store(BPF_W, BPF_REG_1, offsetof(__sk_buff, mark), BPF_REG_2),
                       set(BPF_REG_0, verdict), leave()});
}

/// Passes only frames with, or without, the bit.
void only(int socket, bool marked) {
  const std::uint8_t yes = marked ? 0 : 1;
  const std::uint8_t no = marked ? 1 : 0;
  const sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_MARK)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bit, yes, no),
      BPF_STMT(BPF_RET | BPF_K, 0x40000),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  world::filter(socket, code);
}

}  // namespace

int main() {
  world::enter_as_root();
  const int away = world::peer();
  const int home = world::here();
  const int all = world::packets(away, ETH_P_ALL);
  const int marked = world::packets(away);
  const int unmarked = world::packets(away);
  only(all, false);
  only(marked, true);
  only(unmarked, false);
  const int socket = world::sender("239.1.1.1", port);

  world::go(away);
  world::bpf::attach(marking(go_on), "far");
  world::go(home);
  world::need(static_cast<int>(::send(socket, "one", 3, 0)), "send");
  world::expect(world::count(marked, port) == 1, "ETH_P_IP sees the mark of the program");
  world::expect(world::count(unmarked, port) == 0, "a filter can drop what is marked");
  world::expect(world::count(all, port) == 1, "ETH_P_ALL has seen the frame before, unmarked");

  world::go(away);
  world::bpf::attach(marking(steal), "far", 99);
  world::go(home);
  world::need(static_cast<int>(::send(socket, "two", 3, 0)), "send");
  world::expect(world::count(all, port) == 1, "ETH_P_ALL sees also what is stolen");
  world::expect(world::count(marked, port) == 0, "ETH_P_IP does not");
}
