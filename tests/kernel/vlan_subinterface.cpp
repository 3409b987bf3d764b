// Fact: where a VLAN has an interface of its own, a packet socket bound to ETH_P_IP on the parent
// still gets its frames: their tag removed, not as OTHERHOST. Only the interface that the kernel
// has them arrive on (SKF_AD_IFINDEX) tells them from the parent's own.
#include "tagged.hpp"

int main() {
  world::enter();
  const int away = world::peer();
  const int home = world::here();
  world::go(away);
  world::run("ip link add link far name far.100 type vlan id 100 && ip link set far.100 up");
  const int parent = world::packets_on("far", ETH_P_IP);
  const int filtered = world::packets_on("far", ETH_P_IP);
  const int child = world::packets_on("far.100", ETH_P_IP);
  const auto index = ::if_nametoindex("far");
  world::go(home);
  for (const int socket : {parent, filtered, child})
    world::need(world::set(socket, SOL_PACKET, PACKET_AUXDATA, 1), "PACKET_AUXDATA");
  world::filter(filtered, {BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                    static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_IFINDEX)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, index, 1, 0), BPF_STMT(BPF_RET, 0),
                           BPF_STMT(BPF_RET, 0xFFFF)});

  world::send_tagged({{ETH_P_8021Q, 100}}, 5100);
  world::send_tagged({}, 5001);
  const auto seen = world::next(parent);
  world::expect(seen.port == 5100 && !seen.tagged && seen.packet_type == PACKET_MULTICAST,
                "the parent's socket gets the VLAN's frame as one of its own");
  world::expect(world::next(child).port == 5100, "so does the VLAN's");
  world::expect(world::next(child).port == 0, "which gets no untagged one");
  world::expect(world::next(filtered).port == 5001, "a filter on the interface tells them apart");
}
