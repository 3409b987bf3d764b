// Facts of a receive ring of slots (TPACKET_V2) whose socket asks for whole frames
// (PACKET_COPY_THRESH):
//   - a frame that is longer than its slot has TP_STATUS_COPY there, and the socket gives it whole,
//     with its own vnet header, in the order of such slots; a shorter one is in its slot alone;
//   - a multishot receive with MSG_DONTWAIT takes all that wait, and ends with EAGAIN.
// Before Linux 6.2 the kernel drops superframes here, since it cannot describe them.
#include <netinet/udp.h>
#include <sys/mman.h>

#include <array>
#include <utility>

#include "packet.hpp"
#include "uring.hpp"

namespace {

constexpr unsigned slot_bytes = 2048, slots = 64, buffers = 8;
constexpr std::size_t vnet_header = 10;
constexpr std::size_t lengths[] = {100, 10'000, 1400, 20'000, 5000, 1};

std::byte* make_ring(int socket) {
  world::need(world::set(socket, SOL_PACKET, PACKET_VERSION, int{TPACKET_V2}), "TPACKET_V2");
  world::need(world::set(socket, SOL_PACKET, PACKET_COPY_THRESH, 1), "PACKET_COPY_THRESH");
  const tpacket_req request{slot_bytes * slots, 1, slot_bytes, slots};
  world::need(world::set(socket, SOL_PACKET, PACKET_RX_RING, request), "PACKET_RX_RING");
  void* map = ::mmap(nullptr, slot_bytes * slots, PROT_READ | PROT_WRITE, MAP_SHARED, socket, 0);
  if (map == MAP_FAILED) world::skip("map the ring");
  return static_cast<std::byte*>(map);
}

/// The slots tell of the frames to our port: their lengths, and whether the socket has them.
std::string told(const std::byte* ring) {
  std::string text;
  for (unsigned slot = 0; slot < slots; ++slot) {
    const auto* at = ring + slot * slot_bytes;
    tpacket2_hdr header{};
    std::memcpy(&header, at, sizeof header);
    const auto* frame = reinterpret_cast<const unsigned char*>(at + header.tp_mac);
    if ((header.tp_status & TP_STATUS_USER) == 0) break;
    if (world::port_of(frame, header.tp_snaplen) == 5000)
      text += fmt::format("{}{} ", header.tp_len,
                          (header.tp_status & TP_STATUS_COPY) != 0 ? " queued" : "");
  }
  return text;
}

/// A packet socket on `far` of the network `away`, and its ring.
std::pair<int, const std::byte*> ring_at(int away) {
  const int home = world::here();
  world::go(away);
  const int socket = world::need(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
  world::need(world::set(socket, SOL_PACKET, PACKET_VNET_HDR, 1), "PACKET_VNET_HDR");
  const auto* ring = make_ring(socket);
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_IP);
  at.sll_ifindex = static_cast<int>(::if_nametoindex("far"));
  world::need(::bind(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at), "bind");
  world::go(home);
  return {socket, ring};
}

/// Sends a datagram or a superframe of each length; returns what slots should tell.
std::string send_all() {
  const int from = world::sender("239.1.1.1", 5000);
  const std::array<char, 65'000> payload{};
  std::string expected;
  for (const auto length : lengths) {
    const bool single = length <= 1400;
    world::need(world::set(from, SOL_UDP, UDP_SEGMENT, single ? 0 : 1000), "UDP_SEGMENT");
    world::need(static_cast<int>(::send(from, payload.data(), length, 0)), "send");
    expected += fmt::format("{}{} ", world::headers + length, single ? "" : " queued");
  }
  return expected;
}

/// Takes from the socket by one request until it ends; returns the lengths and sizes of segments.
std::pair<std::string, int> take_all(int socket) {
  world::Uring uring;
  world::BufferRing memory(uring, 1, buffers, 68 * 1024);
  msghdr request{};
  auto* sqe = uring.sqe(1);
  io_uring_prep_recvmsg_multishot(sqe, socket, &request, MSG_DONTWAIT);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = 1;
  std::string whole;
  int last = 0;
  for (const auto& done : uring.wait(1000, std::chrono::milliseconds(100))) {
    last = done.result;
    if ((done.flags & IORING_CQE_F_BUFFER) == 0) continue;
    auto* out = io_uring_recvmsg_validate(memory.at(done.flags >> IORING_CQE_BUFFER_SHIFT),
                                          done.result, &request);
    const auto* header = static_cast<unsigned char*>(io_uring_recvmsg_payload(out, &request));
    whole += fmt::format("{} of {} ", out->payloadlen - vnet_header - world::headers,
                         header[4] + header[5] * 256);
  }
  return {whole, last};
}

}  // namespace

int main() {
  world::enter();
  const auto [socket, ring] = ring_at(world::peer());
  const auto expected = send_all();
  const auto seen = told(ring);
  if (seen.find("queued") == std::string::npos) {
    tpacket_stats statistics{};
    socklen_t size = sizeof statistics;
    ::getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size);
    world::expect(statistics.tp_drops == 3, "before Linux 6.2: superframes are dropped");
    return 0;
  }
  world::expect(seen == expected, "the slots tell: " + seen);
  const auto [whole, last] = take_all(socket);
  world::expect(whole == "10000 of 1000 20000 of 1000 5000 of 1000 ",
                "the socket gives, and the size of a segment: " + whole);
  world::expect(last == -EAGAIN, fmt::format("then it ends: {}", std::strerror(-last)));
}
