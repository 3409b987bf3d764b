// Frames are composed in a ring of memory that the kernel shares (PACKET_TX_RING, packet(7)), and
// one system call hands over as many as there are. A slot is the kernel's until it has copied the
// frame; slots are used in turn. What a full interface refuses stays in its slot and goes with the
// next call, so nothing is lost here. What has not gone at the end counts in `errors`.
//
// The headers are those of a UDP socket. The UDP checksum is left to the interface (virtio 1.2,
// 5.1.6.2), as the kernel's own is: over a veth nobody computes it. `header_bytes` covers the whole
// frame, so that the kernel copies it instead of lending the slot to whoever receives it: a veth
// gives the slot back while a packet socket at the other end has yet to read.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>

#include "mcr/base/error.hpp"
#include "mcr/base/group_link_address.hpp"
#include "mcr/base/inet_checksum.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/packet/datagram_headers.hpp"
#include "mcr/packet/parse.hpp"
#include "mcr/traffic/sender.hpp"

namespace mcr {

namespace {

constexpr std::uint32_t slot_count = 256;
constexpr std::uint32_t block_bytes = 1U << 17U;  // above the largest frame
constexpr std::size_t frames_a_call = 64;
/// Where the kernel looks for a frame in its slot.
constexpr std::size_t frame_offset = TPACKET2_HDRLEN - sizeof(sockaddr_ll);
constexpr std::size_t udp_header = 8;
constexpr std::size_t udp_checksum = 6;  ///< its place in the header
constexpr std::uint16_t source_port = 5000;

void put(std::span<std::byte> bytes, std::size_t at, std::uint16_t in_network_order) noexcept {
  std::memcpy(&bytes[at], &in_network_order, sizeof in_network_order);
}

/// Sets "don't fragment": routers and GRO may then ignore the identification, which is always 0
/// (RFC 6864).
void forbid_fragments(std::span<std::byte> ip) noexcept {
  constexpr std::size_t flags = 6;
  constexpr std::size_t checksum = 10;
  put(ip, flags, htons(0x4000));
  put(ip, checksum, 0);
  put(ip, checksum, static_cast<std::uint16_t>(~inet_checksum::fold(inet_checksum::sum(ip))));
}

/// Memory that mmap(2) has given.
struct Unmap {
  std::size_t bytes = 0;
  void operator()(std::byte* memory) const noexcept { ::munmap(memory, bytes); }
};

Interface interface_of(const GenOptions& options) {
  const auto refuse = [&](std::string_view why) {
    throw Failure(ExitCode::usage,
                  fmt::format("--tx-ring on {}: {}", options.streams.interface, why));
  };
  auto interface = options.streams.find_interface();
  if (interface.type != ARPHRD_ETHER || !interface.link_address)
    refuse("frames are made for Ethernet only");
  if (!options.streams.group.is_multicast()) refuse("the destination must be a multicast group");
  if (interface.source(options.streams.group) == nullptr) refuse("it has no address to send from");
  const auto headers = (options.streams.group.is_v6() ? 40U : 20U) + udp_header;
  if (options.size + headers > interface.mtu)
    refuse(
        fmt::format("--size must be at most {} (MTU {})", interface.mtu - headers, interface.mtu));
  return interface;
}

class FrameSender final : public Sender {
 public:
  explicit FrameSender(const GenOptions& options)
      : writer_(options),
        socket_(AF_PACKET, SOCK_RAW),
        sequences_(options.streams.count, options.first) {
    if (!socket_.valid()) throw_errno("open a packet socket on", options.streams.interface);
    const auto interface = interface_of(options);
    for (std::uint32_t stream = 0; stream < options.streams.count; ++stream)
      headers_.push_back(headers_of(options, interface, options.streams.group.plus(stream)));
    frame_bytes_ = sizeof(VnetHeader) + headers_.front().size() + options.size;
    make_ring(options.streams.interface);
    bind_to(interface);
  }

  void send(std::uint64_t ready) override {
    const auto wanted = std::min<std::uint64_t>(ready, frames_a_call);
    std::uint64_t composed = 0;
    const auto now = realtime_ns();
    for (; composed < wanted && status_of(next_) == TP_STATUS_AVAILABLE; ++composed)
      compose(now);
    totals_.sent += composed;
    push();
    if (composed < wanted) wait();
  }

  void finish() override {
    const auto pending = [this] {
      std::uint64_t count = 0;
      for (std::uint32_t slot = 0; slot < slot_count; ++slot)
        count += (status_of(slot) & TP_STATUS_SEND_REQUEST) != 0 ? 1 : 0;
      return count;
    };
    const auto end = monotonic_ns() + interrupt::latest_ns;
    auto left = pending();
    for (; left > 0 && monotonic_ns() < end; left = pending())
      push();
    totals_.sent -= left;
    totals_.errors += left;
  }

 private:
  static std::vector<std::byte> headers_of(const GenOptions& options, const Interface& interface,
                                           const IpAddress& group) {
    const Endpoint source{*interface.source(group), source_port};
    const Endpoint destination{group, options.streams.port};
    auto ip = make_datagram_headers(
        {source, destination, static_cast<std::uint8_t>(options.ttl), 0}, {}, options.size);
    const std::span all(ip);
    if (!group.is_v6()) forbid_fragments(all.first(all.size() - udp_header));
    // The interface adds the rest to this sum.
    put(all.last(udp_header), udp_checksum,
        inet_checksum::fold(inet_checksum::pseudo_sum(source.address, destination.address,
                                                      IPPROTO_UDP, udp_header + options.size)));
    const auto target = group_link_address(group);
    std::vector<std::byte> frame(sizeof(ether_header));
    std::memcpy(frame.data(), target.data(), target.size());
    std::memcpy(&frame[target.size()], interface.link_address->data(), target.size());
    put(frame, 2 * target.size(), htons(group.is_v6() ? ETHERTYPE_IPV6 : ETHERTYPE_IP));
    frame.insert(frame.end(), ip.begin(), ip.end());
    return frame;
  }

  void make_ring(const std::string& interface) {
    socket_.set(SOL_PACKET, PACKET_VERSION, int{TPACKET_V2}, "ask for TPACKET_V2", interface);
    socket_.set(SOL_PACKET, PACKET_VNET_HDR, 1, "set PACKET_VNET_HDR", interface);
    socket_.set(SOL_PACKET, PACKET_QDISC_BYPASS, 1, "set PACKET_QDISC_BYPASS", interface);
    slot_bytes_ = std::max(std::bit_ceil(static_cast<std::uint32_t>(frame_offset + frame_bytes_)),
                           block_bytes / slot_count);  // the kernel gives whole blocks
    tpacket_req request{};
    request.tp_block_size = block_bytes;
    request.tp_frame_size = slot_bytes_;
    request.tp_frame_nr = slot_count;
    request.tp_block_nr = slot_count * slot_bytes_ / block_bytes;
    socket_.set(SOL_PACKET, PACKET_TX_RING, request, "make a transmit ring", interface);
    const auto bytes = std::size_t{slot_count} * slot_bytes_;
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, socket_.get(), 0);
    if (memory == MAP_FAILED) throw_errno("map a transmit ring", "of " + interface);
    ring_ = {static_cast<std::byte*>(memory), Unmap{bytes}};
    for (std::uint32_t slot = 0; slot < slot_count; ++slot)
      prepare(slot);
  }

  /// Writes what is the same in each frame of a slot.
  void prepare(std::uint32_t slot) noexcept {
    header_of(slot).tp_len = static_cast<std::uint32_t>(frame_bytes_);
    VnetHeader vnet;
    vnet.flags = VnetHeader::needs_checksum;
    vnet.header_bytes = static_cast<std::uint16_t>(frame_bytes_ - sizeof vnet);
    vnet.checksum_start = static_cast<std::uint16_t>(headers_.front().size() - udp_header);
    vnet.checksum_offset = udp_checksum;
    std::memcpy(frame(slot).data(), &vnet, sizeof vnet);
    writer_.fill(payload(slot));
  }

  void bind_to(const Interface& interface) const {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(interface.index);
    if (!socket_.bind(address)) throw_errno("bind a packet socket to", interface.name);
  }

  void compose(std::uint64_t now) noexcept {
    const auto stream = next_stream_;
    next_stream_ = next_stream_ + 1 == headers_.size() ? 0 : next_stream_ + 1;
    const auto& headers = headers_[stream];
    std::memcpy(frame(next_).data() + sizeof(VnetHeader), headers.data(), headers.size());
    writer_.write(payload(next_), {stream, sequences_[stream]++, now});
    std::atomic_ref(header_of(next_).tp_status)
        .store(TP_STATUS_SEND_REQUEST, std::memory_order_release);
    next_ = (next_ + 1) % slot_count;
  }

  /// Hands over what is composed. Throws OsError unless what failed may pass.
  void push() {
    if (::send(socket_.get(), nullptr, 0, MSG_DONTWAIT) >= 0) return;
    const int error = errno;
    const std::initializer_list<int> passing{EAGAIN, EINTR, ENOBUFS, ENOMEM};
    const bool passes = std::ranges::find(passing, error) != passing.end() ||
                        (error == ENETDOWN && totals_.sent > slot_count);
    if (!passes) throw OsError(error, "send frames", "from a transmit ring");
  }

  void wait() noexcept {
    pollfd one{socket_.get(), POLLOUT, 0};
    ::poll(&one, 1, 1);  // the kernel says nothing when a full interface has room again
  }

  tpacket2_hdr& header_of(std::uint32_t slot) noexcept {
    return *reinterpret_cast<tpacket2_hdr*>(ring_.get() + std::size_t{slot} * slot_bytes_);
  }
  std::uint32_t status_of(std::uint32_t slot) noexcept {
    return std::atomic_ref(header_of(slot).tp_status).load(std::memory_order_acquire);
  }
  std::span<std::byte> frame(std::uint32_t slot) noexcept {
    return {ring_.get() + std::size_t{slot} * slot_bytes_ + frame_offset, frame_bytes_};
  }
  std::span<std::uint8_t> payload(std::uint32_t slot) noexcept {
    const auto bytes = frame(slot).last(writer_.size());
    return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  }

  PayloadWriter writer_;
  Socket socket_;
  std::vector<std::vector<std::byte>> headers_;  ///< by stream: Ethernet, IP, UDP
  std::vector<std::uint64_t> sequences_;         ///< the next one of each stream
  std::size_t frame_bytes_ = 0;                  ///< with its vnet header
  std::uint32_t slot_bytes_ = 0;
  std::unique_ptr<std::byte, Unmap> ring_;
  std::uint32_t next_ = 0;  ///< slot
  std::uint32_t next_stream_ = 0;
};

}  // namespace

std::unique_ptr<Sender> make_frame_sender(const GenOptions& options) {
  return std::make_unique<FrameSender>(options);
}

}  // namespace mcr
