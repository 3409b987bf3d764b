#include "mcr/host/frame_sample.hpp"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>

namespace mcr {

namespace {

/// The kernel takes it twice; a frame of up to 2 KiB takes 1 to 4 KiB of that.
constexpr std::uint64_t buffer_bytes = FrameSample::frames * 2048UL;

/// UDP over IPv4 or IPv6, and of that by chance some; offsets are from the IP header on.
constexpr auto at_ip = static_cast<std::uint32_t>(SKF_NET_OFF);
constexpr auto random_word = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM);
constexpr std::array<sock_filter, 11> some_udp{{
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, at_ip},
    {BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 4},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, at_ip + 9},
    {BPF_JMP | BPF_JA, 0, 0, 1},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, at_ip + 6},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, IPPROTO_UDP},
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, random_word},
    {BPF_JMP | BPF_JGT | BPF_K, 1, 0, 0},  // its K is the probability
    {BPF_RET | BPF_K, 0, 0, 0xFFFFFFFF},
    {BPF_RET | BPF_K, 0, 0, 0},
}};
constexpr std::size_t at_probability = 8;

}  // namespace

FrameSample::FrameSample(const std::string& interface, unsigned index, double probability)
    : socket_(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK) {
  if (!socket_.valid()) throw_errno("open a packet socket", interface);
  auto program = some_udp;
  program[at_probability].k = static_cast<std::uint32_t>(probability * 0xFFFFFFFF);
  if (!socket_.attach_filter(program)) throw_errno("attach a packet filter", interface);
  socket_.ask_for_buffer(SocketBuffer::receive, buffer_bytes);
  socket_.set(SOL_PACKET, PACKET_VNET_HDR, 1, "ask for segment sizes", interface);
  socket_.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "ignore own frames", interface);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (!socket_.bind(address)) throw_errno("bind a packet socket", interface);
}

}  // namespace mcr
