#include "mcr/rules/remedies.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "mcr/host/locked_memory.hpp"

namespace mcr {

namespace {

/// By Trouble. {0}: the interface, {1}: the address.
constexpr std::array<std::string_view, troubles> remedies{
    "create {0}, or correct its name in the configuration (ip link shows the names); the rule then "
    "starts by itself",
    "ip link set {0} up; if it stays down it has no carrier: look at the cable and the port of the "
    "switch (ethtool {0})",
    "give {0} an address to send from: ip address add {1}/LENGTH dev {0}",
    "ip address add {1}/LENGTH dev {0}, or name another `source`",
    "the kernel has no room for the group: raise the sysctls net.ipv4.igmp_max_memberships, "
    "net.ipv4.igmp_max_msf or net.core.optmem_max; 0 allows none",
    "{0} has no IP configuration of the group's family: ip address add {1}/LENGTH dev {0}",
    "the join is tried again after 1 to 30 s; mcr doctor looks at {0}",
    "sysctl -w net.ipv4.igmp_max_memberships=20",
    "sysctl -w net.ipv4.igmp_max_msf=10",
    "sysctl -w net.core.optmem_max=131072",
    "raise net.core.rmem_max, or give CAP_NET_ADMIN",
    "raise net.core.wmem_max, or give CAP_NET_ADMIN",
    "raise receive_buffer in [interface.{0}] and restart, or use more workers; mcr doctor finds a "
    "worker on a "
    "CPU that the interface interrupts",
    "ethtool -G {0} rx N (ethtool -g {0} shows the most)",
    "sysctl -w net.core.netdev_max_backlog=10000",
    "tc -s qdisc show dev {0}",
    "ethtool -S {0}",
    "give CAP_NET_ADMIN",
    "as root: echo NANOSECONDS >/sys/class/net/{0}/gro_flush_timeout (a rule of udev can keep it)",
    "another program has the source port: ss -uanp shows which; stop it, or choose another "
    "source_port",
    "give CAP_NET_BIND_SERVICE, or choose a source_port from sysctl "
    "net.ipv4.ip_unprivileged_port_start on",
    "it is tried again after 1 to 30 s; mcr doctor looks at {0}",
    raise_locked_memory,
    "is that host up, and its address right? ip neigh show dev {0}; ip route get {1} oif {0}",
    "ip route add {1} via GATEWAY dev {0}, or correct the output's address or interface; ip route "
    "get {1} oif {0} shows what the kernel does now",
    "getent ahosts {1} shows what this host knows of the name: it must be another host's address, "
    "that {0} can send to",
};
static_assert(!remedies.back().empty());

constexpr std::array<DropAdvice, input_drop_names.size()> input_advice{{
    {"not an IP packet, or its header says another version", "look at the sender"},
    {"another protocol than UDP", "only UDP is relayed"},
    {"the kernel handed over less than the frame had: a superframe of an offloading sender on a "
     "kernel before 6.2",
     "switch its segmentation offload, or GRO here, off"},
    {"lengths in the IP and UDP headers contradict each other",
     "look for a broken sender or a damaged frame"},
    {"damaged on the way (checksum of UDP or of the IPv4 header), or IPv6 without a checksum",
     "look at cabling, NIC and sender; relaying it would hide the damage"},
    {"a piece of a fragmented datagram that the kernel did not put together",
     "make the sender's datagrams fit the path's MTU"},
    {"sent by this relay itself and come back",
     "look for a loop behind the outputs; set allow_loop if it is meant"},
    {"the input's `sources` do not name the sender, or leave it out",
     "change them if it is welcome"},
    {"known already: another relay has carried it, or it has come back",
     "nothing is wrong, unless the rule says that it is looping"},
    {"it came by an input that is not on air, or this host stands by",
     "nothing is wrong; mcr switch RULE INPUT changes it by hand"},
    {"another input of the rule had brought it before", "nothing is wrong: it went on once"},
    {"it came so much later than the first copy that its number was forgotten",
     "one path is too slow; mcr status RULE shows how far inputs are apart"},
}};

constexpr std::array<DropAdvice, output_drop_names.size()> output_advice{{
    {"the TTL ran out here", "raise it at the sender, or set ttl on the output"},
    {"above the output's own limit", "raise max_pps or max_bps, or tame the sender"},
    {"more came than the egress took, and our queue before it was full",
     "look at the link's speed, raise send_buffer in its [interface]"},
    {"the interface's queueing discipline dropped it",
     "look at tc -s qdisc, the link's speed and its txqueuelen"},
    {"no buffer or kernel memory left",
     "raise the limit of locked memory (RLIMIT_MEMLOCK), look for an output that stands still"},
    {"larger than the egress can take", "raise its MTU, or make the sender's datagrams smaller"},
    {"the output's interface was missing, down, or without a source address or a route",
     "look at ip address, and at the output's last refusal if it has one"},
    {"refused by the kernel, by netfilter on this host, or by MCR itself",
     "the output's last refusal says by whom and why"},
    {"left out by the reflector's `questions` or `services`", "change them if it is welcome"},
    {"another relay or a wire had brought it there already", "nothing is wrong: it came once"},
}};

}  // namespace

std::string remedy(Trouble trouble, std::string_view interface, std::string_view address) {
  return fmt::format(fmt::runtime(remedies[static_cast<std::size_t>(trouble)]), interface, address);
}

Trouble join_trouble(int error) noexcept {
  if (error == ENOBUFS || error == ENOMEM) return Trouble::join_no_room;
  return error == ENODEV ? Trouble::join_no_configuration : Trouble::join_refused;
}

Trouble socket_trouble(int error) noexcept {
  if (error == EADDRINUSE) return Trouble::source_port_taken;
  return error == EACCES ? Trouble::source_port_forbidden : Trouble::socket_refused;
}

Trouble next_hop_trouble(int error) noexcept {
  return error == EHOSTUNREACH ? Trouble::next_hop_dead : Trouble::no_route;
}

const DropAdvice& advice_about(InputDrop reason) noexcept {
  return input_advice[static_cast<std::size_t>(reason)];
}

const DropAdvice& advice_about(OutputDrop reason) noexcept {
  return output_advice[static_cast<std::size_t>(reason)];
}

}  // namespace mcr
