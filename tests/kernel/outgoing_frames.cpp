// Fact: a packet socket bound to one protocol never sees the frames that its host sends; one bound
// to ETH_P_ALL does. PACKET_IGNORE_OUTGOING keeps them away from a socket, but not from a member
// of a fanout group: there it takes PACKET_FANOUT_FLAG_IGNORE_OUTGOING, which Linux 6.1 accepts
// without doing anything, or a filter that looks at the packet type, which works everywhere.
#include "packet.hpp"

namespace {

constexpr std::uint16_t port = 5000;
constexpr unsigned ignore_outgoing = 0x4000;  // PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#ifndef PACKET_IGNORE_OUTGOING
constexpr int PACKET_IGNORE_OUTGOING = 23;  // Linux 4.20
#endif

/// Receives on `near`, from which the datagrams leave.
int tap(unsigned protocol) {
  const int fd = world::need(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(static_cast<std::uint16_t>(protocol));
  at.sll_ifindex = static_cast<int>(::if_nametoindex("near"));
  world::need(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind");
  return fd;
}

int fan_out(int socket, unsigned flags) {
  return world::set(socket, SOL_PACKET, PACKET_FANOUT,
                    (PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID | flags) << 16U);
}

void drop_outgoing(int socket) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0x40000),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  world::need(world::set(socket, SOL_SOCKET, SO_ATTACH_FILTER, program), "SO_ATTACH_FILTER");
}

}  // namespace

int main() {
  world::enter();
  world::peer();
  const int ip = tap(ETH_P_IP), all = tap(ETH_P_ALL), ignoring = tap(ETH_P_ALL);
  const int member = tap(ETH_P_ALL), flagged = tap(ETH_P_ALL), filtered = tap(ETH_P_ALL);
  world::need(world::set(ignoring, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1), "IGNORE_OUTGOING");
  world::need(world::set(member, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1), "IGNORE_OUTGOING");
  world::need(fan_out(member, 0), "a fanout group");
  drop_outgoing(filtered);
  world::need(fan_out(filtered, 0), "a fanout group");
  world::expect(fan_out(flagged, ignore_outgoing) == 0,
                "a group that is to ignore outgoing frames");

  const int socket = world::sender("239.1.1.1", port);
  world::need(static_cast<int>(::send(socket, "out", 3, 0)), "send");
  world::expect(world::count(all, port) == 1, "ETH_P_ALL sees what we send");
  world::expect(world::count(ip, port) == 0, "ETH_P_IP does not");
  world::expect(world::count(ignoring, port) == 0, "nor does PACKET_IGNORE_OUTGOING");
  world::expect(world::count(member, port) == 1, "which a member of a fanout group ignores");
  world::expect(world::count(filtered, port) == 0, "a filter of the packet type works there");
  if (world::count(flagged, port) == 0)
    fmt::print("found: as does the group's own flag\n");
  else
    fmt::print(
        "found: this kernel accepts the group's own flag, and ignores it (Linux 6.1 does)\n");
}
