#include "mcr/host/frame_sample.hpp"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>

namespace mcr {

namespace {

/// A frame takes 2 to 4 KiB of it, twice, so some hundred fit.
constexpr std::uint64_t buffer_bytes = 512UL << 10U;

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

}  // namespace mcr
