// Fact: a packet socket bound to ETH_P_IP gets frames of VLANs that nobody here has, their tag
// removed, as OTHERHOST; those tagged for VLAN 0 (priority only) as any other. One bound to
// ETH_P_ALL gets the frame with its outer tag beside it, where a filter can read it, and the bytes
// of an untagged frame; it also gets what the host itself sends, as OUTGOING.
#include "tagged.hpp"

namespace {

constexpr std::uint32_t ancillary(int what) {
  return static_cast<std::uint32_t>(SKF_AD_OFF + what);
}

void sees_untagged(int away) {
  const int plain = world::packets(away);
  world::need(world::set(plain, SOL_PACKET, PACKET_AUXDATA, 1), "PACKET_AUXDATA");
  world::send_tagged({{ETH_P_8021Q, 100}}, 5100);
  world::send_tagged({{ETH_P_8021Q, 0}}, 5000);
  world::send_tagged({{ETH_P_8021AD, 200}, {ETH_P_8021Q, 100}}, 5200);
  world::send_tagged({}, 5001);
  auto seen = world::next(plain);
  world::expect(seen.port == 5100 && !seen.tagged && seen.packet_type == PACKET_OTHERHOST,
                "ETH_P_IP: a frame of VLAN 100, no tag to see, OTHERHOST");
  seen = world::next(plain);
  world::expect(seen.port == 5000 && !seen.tagged && seen.packet_type == PACKET_MULTICAST,
                "ETH_P_IP: a frame of VLAN 0 as an untagged one");
  seen = world::next(plain);
  world::expect(seen.port == 5001, "ETH_P_IP: nothing of a frame with two tags");
}

void sees_tags(int away) {
  const int all = world::packets(away, ETH_P_ALL);
  world::need(world::set(all, SOL_PACKET, PACKET_AUXDATA, 1), "PACKET_AUXDATA");
  world::filter(all, {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_PROTOCOL)),
                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 7),
                      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_VLAN_TAG_PRESENT)),
                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0),
                      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_VLAN_TPID)),
                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021Q, 0, 3),
                      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_VLAN_TAG)),
                      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xFFF),
                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 100, 1, 0), BPF_STMT(BPF_RET, 0),
                      BPF_STMT(BPF_RET, 0xFFFF)});
  world::send_tagged({}, 5001);
  world::send_tagged({{ETH_P_8021Q, 101}}, 5101);
  world::send_tagged({{ETH_P_8021Q, 0x1000 * 5}}, 5000);
  world::send_tagged({{ETH_P_8021AD, 100}}, 5300);
  world::send_tagged({{ETH_P_8021Q, 100}, {ETH_P_8021Q, 7}}, 5200);
  world::send_tagged({{ETH_P_8021Q, 0x1000 * 5 + 100}}, 5100);
  const auto seen = world::next(all);
  world::expect(
      seen.port == 5100 && seen.tagged && seen.vlan == 100 && seen.packet_type == PACKET_MULTICAST,
      "ETH_P_ALL: of all frames a filter on the tag passes the one of VLAN 100");
  world::expect(world::next(all).port == 0, "and no other");
}

void sees_own() {
  const int own = world::packets_on("near", ETH_P_ALL);
  const int socket = world::sender("239.1.1.1", 5000);
  world::need(static_cast<int>(::send(socket, "own", 3, 0)), "send");
  const auto seen = world::next(own);
  world::expect(seen.port == 5000 && seen.packet_type == PACKET_OUTGOING,
                "ETH_P_ALL: what this host sends, as OUTGOING");
}

}  // namespace

int main() {
  world::enter();
  const int away = world::peer();
  sees_untagged(away);
  sees_tags(away);
  sees_own();
}
