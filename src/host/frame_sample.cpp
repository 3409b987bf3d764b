#include "mcr/host/frame_sample.hpp"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <string_view>

namespace mcr {

namespace {

constexpr std::uint64_t buffer_bytes = 128UL << 10U;

/// UDP over IPv4 or IPv6; offsets are from the IP header on.
constexpr auto at_ip = static_cast<std::uint32_t>(SKF_NET_OFF);
constexpr std::array<sock_filter, 8> only_udp{{
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, at_ip},
    {BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 4},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, at_ip + 9},
    {BPF_JMP | BPF_JA, 0, 0, 1},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, at_ip + 6},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, IPPROTO_UDP},
    {BPF_RET | BPF_K, 0, 0, 0xFFFFFFFF},
}};
constexpr sock_filter nothing_else{BPF_RET | BPF_K, 0, 0, 0};

}  // namespace

FrameSample::FrameSample(const std::string& interface, unsigned index)
    : socket_(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK) {
  if (!socket_.valid()) throw_errno("open a packet socket", interface);
  std::array<sock_filter, only_udp.size() + 1> program{};
  std::ranges::copy(only_udp, program.begin());
  program.back() = nothing_else;
  if (!socket_.attach_filter(program)) throw_errno("attach a packet filter", interface);
  socket_.ask_for_buffer(SocketBuffer::receive, buffer_bytes);
  socket_.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "ignore own frames", interface);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (!socket_.bind(address)) throw_errno("bind a packet socket", interface);
}

void add_udp_ports_heard(std::istream& text, std::set<std::uint16_t>& ports) {
  std::string line;
  std::getline(text, line);  // its head
  for (std::string slot, local, rest; text >> slot >> local && std::getline(text, rest);) {
    const auto colon = local.find(':');
    if (colon == std::string::npos || colon < 8) continue;
    const std::string_view address(local.data(), colon);
    // Words of 32 bits in host byte order: their first byte is written last.
    const auto first = address.substr(6, 2);
    const bool any = address.find_first_not_of('0') == std::string_view::npos;
    const bool multicast = colon == 8 ? first >= "E0" && first <= "EF" : first == "FF";
    std::uint16_t port = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
    if (any || multicast) ports.insert(port);
  }
}

std::set<std::uint16_t> udp_ports_heard() {
  std::set<std::uint16_t> ports;
  for (const auto* name : {"/proc/self/net/udp", "/proc/self/net/udp6"}) {
    std::ifstream text(name);
    add_udp_ports_heard(text, ports);
  }
  return ports;
}

}  // namespace mcr
