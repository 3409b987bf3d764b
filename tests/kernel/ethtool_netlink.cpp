// Fact: generic netlink's family "ethtool" reads and writes the features of an interface for root
// of a user namespace, too; a feature that a request does not list stays as it is; and the kernel
// answers what ethtool(8) says.
#include <array>

#include "mcr/host/ethtool.hpp"
#include "world.hpp"

int main() {
  world::enter();
  world::peer();
  const auto before = mcr::read_features("near");
  world::expect(before.contains("rx-gro") && before.contains("rx-udp-gro-forwarding"),
                fmt::format("veth has both features of UDP GRO, among {}", before.size()));
  for (const auto& wanted : std::array<mcr::GroSetting, 4>{
           {{true, true}, {false, true}, {true, false}, {false, false}}}) {
    mcr::write_gro("near", wanted);
    world::expect(mcr::read_gro("near") == wanted, "the kernel does what was asked for");
  }
  world::run("ethtool -K near rx-gro on rx-udp-gro-forwarding on");
  world::expect(mcr::read_gro("near") == mcr::GroSetting{true, true}, "what ethtool has set");
  auto after = mcr::read_features("near");
  for (const auto* name : {"rx-gro", "rx-udp-gro-forwarding"})
    after[name] = before.at(name);
  world::expect(after == before, "nothing else has changed");
  world::expect(mcr::read_features("nowhere").empty(), "an interface that does not exist has none");
}
