// A socket starts with a filter that drops everything, is bound, joins its fanout group, and gets
// its real filter when a worker receives from it. So it gives no frame that came before, and none
// of a foreign group. The kernel chooses the fanout group's number (PACKET_FANOUT_FLAG_UNIQUEID): a
// fixed one would be shared silently with any other process that uses it.
//
// A slot's life on the worker: a table wants it; it is armed (a multishot receive is with the
// kernel); a later table does not want it, and the receive is cancelled; it ends; and it is given
// back to control when nothing of it is in the worker's hands (RxSlot::busy). A multishot receive
// also ends by itself: without buffers it is starved, and armed again when enough have come back;
// after an error, as when the link goes down, it is armed again at once, but after many errors in a
// row not before the next wake-up. Frames wait in the socket meanwhile.
//
// A socket with a ring has a multishot poll instead, which tells that something has come; its
// frames are read in place (rx_ring.cpp). A frame that is longer than its slot waits in the socket.
// It is fetched when its turn comes, with all others of its kind that are there: a multishot
// receive that ends when the socket is empty.
#include "mcr/dataplane/rx.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "mcr/base/error.hpp"
#include "mcr/config/fanout.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/packet/filter.hpp"

namespace mcr {

namespace {

constexpr unsigned fanout_flag_uniqueid = 0x2000;         // PACKET_FANOUT_FLAG_UNIQUEID, Linux 4.12
constexpr unsigned fanout_flag_ignore_outgoing = 0x4000;  // the same, Linux 6.7; no effect before
constexpr unsigned fanout_flag_defrag = 0x8000;
/// Unexpected errors in a row after which a slot waits for the next wake-up.
constexpr std::uint32_t failures_in_a_row = 16;

/// Calls `use` with the number of each bit that is set, word by word; `use` may change the bits.
template <std::size_t size, typename Use>
void for_each_set(const std::bitset<size>& bits, Use&& use) noexcept {
  for (auto bit = bits._Find_first(); bit < size; bit = bits._Find_next(bit))
    use(static_cast<std::uint16_t>(bit));
}

void attach(SocketOptions socket, std::span<const sock_filter> program,
            const std::string& interface) {
  if (!socket.attach_filter(program)) throw_errno("attach packet filter", "on " + interface);
}

/// Attaches it, unless the socket's option memory (net.core.optmem_max) has no room for it.
bool attach_if_room(SocketOptions socket, std::span<const sock_filter> program,
                    const std::string& interface) {
  if (socket.attach_filter(program)) return true;
  if (errno != ENOMEM) throw_errno("attach packet filter", "on " + interface);
  return false;
}

/// Only ETH_P_ALL sockets see VLAN tags, frames that this host sends, and what arrives at a port of
/// a bridge. They see everything else too; the filter drops it.
std::uint16_t protocol_of(const RxKey& key) {
  if (key.kind.vlan != 0 || key.kind.local || key.all_protocols) return ETH_P_ALL;
  return key.kind.family == Family::ipv6 ? ETH_P_IPV6 : ETH_P_IP;
}

/// A tap that ignores the host's own frames does not make the kernel copy zero-copy sends; a fanout
/// group says the same of its own.
bool ignores_outgoing(const RxKey& key) {
  return protocol_of(key) == ETH_P_ALL && !key.kind.local;
}

RxSocket open_one(const std::string& interface, const RxKey& key,
                  std::optional<RingRequest> ring_request) {
  const auto where = "on " + interface;
  Socket socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK);
  if (!socket.valid()) throw_errno("open packet socket", where);
  std::optional<BlockRing> ring;
  attach(socket, drop_all_filter(), interface);
  socket.set(SOL_PACKET, PACKET_VNET_HDR, 1, "ask for segment sizes", where);
  if (ring_request) ring.emplace(socket, ring_request->layout, ring_request->bytes, interface);
  if (ignores_outgoing(key))
    socket.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "ignore own frames", where);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol_of(key));
  address.sll_ifindex = static_cast<int>(key.interface_index);
  if (!socket.bind(address)) throw_errno("bind packet socket", "to " + interface);
  return {std::move(socket).take(), std::move(ring)};
}

unsigned fanout_mode(Fanout fanout) {
  switch (fanout) {
    case Fanout::hash:
      return PACKET_FANOUT_HASH;
    case Fanout::cpu:
      return PACKET_FANOUT_CPU;
    case Fanout::qm:
      return PACKET_FANOUT_QM;
    case Fanout::lb:
      return PACKET_FANOUT_LB;
  }
  return PACKET_FANOUT_HASH;
}

/// The kernel puts the fragments of a datagram together before a group's filters see it. It does so
/// for whoever asks in one place: two groups that see the same fragments take them from each other.
/// Those bound to ETH_P_ALL would see all that the group for untagged frames sees.
bool reassembles(const InputKind& kind) {
  return kind == InputKind{.family = Family::ipv4};
}

void join_fanout(std::span<const RxSocket> sockets, Fanout fanout, const RxKey& key,
                 const std::string& interface) {
  // One member gets all, without a hash.
  const unsigned mode = (sockets.size() == 1 ? PACKET_FANOUT_CPU : fanout_mode(fanout)) |
                        (reassembles(key.kind) ? fanout_flag_defrag : 0) |
                        (ignores_outgoing(key) ? fanout_flag_ignore_outgoing : 0);
  const SocketOptions first(sockets.front().socket);
  first.set(SOL_PACKET, PACKET_FANOUT, (mode | fanout_flag_uniqueid) << 16U, "make a fanout group",
            "on " + interface);
  const auto group =
      first.read<unsigned>(SOL_PACKET, PACKET_FANOUT, "read the fanout group", "of " + interface);
  for (const auto& each : sockets.subspan(1))
    SocketOptions(each.socket)
        .set(SOL_PACKET, PACKET_FANOUT, (group & 0xFFFFU) | mode << 16U, "join the fanout group",
             "on " + interface);
}

}  // namespace

std::vector<RxSocket> open_rx_sockets(const std::string& interface, const RxKey& key, Fanout fanout,
                                      std::size_t workers, std::optional<RingRequest> ring) {
  std::vector<RxSocket> sockets;
  for (std::size_t i = 0; i < workers; ++i)
    sockets.push_back(open_one(interface, key, ring));
  if (workers > 1 || reassembles(key.kind)) join_fanout(sockets, fanout, key, interface);
  return sockets;
}

void pass_only(const std::string& interface, std::span<const Fd> sockets,
               std::span<const Endpoint> destinations, const RxKey& key, std::size_t link_header,
               std::uint32_t relayed) {
  // How much of the sockets' option memory a program takes is known only when the kernel has
  // translated it.
  const auto takes_one = [&] {
    return std::ranges::any_of(std::array{4096U, 1264U, 624U, 300U, 128U}, [&](std::size_t limit) {
      const auto program = compile_filter(destinations, key, link_header, limit, relayed);
      return std::ranges::all_of(sockets, [&](Fd socket) {
        return attach_if_room(SocketOptions(socket), program, interface);
      });
    });
  };
  if (takes_one()) return;
  // The old filter still takes the room that the new one needs, so it goes first. Until the new one
  // is there everything of the socket's kind passes, and counts as `unmatched`.
  const auto kind = compile_filter(destinations, key, link_header, 0, relayed);
  const auto pass_kind = [&](Fd each) {
    const SocketOptions socket(each);
    if (attach_if_room(socket, kind, interface)) return;
    socket.detach_filter();
    attach(socket, kind, interface);
  };
  std::ranges::for_each(sockets, pass_kind);
  if (!takes_one()) std::ranges::for_each(sockets, pass_kind);
}

RxStatistics take_statistics(Fd socket) {
  const auto statistics = SocketOptions(socket).read<tpacket_stats>(SOL_PACKET, PACKET_STATISTICS,
                                                                    "read packet statistics");
  return {statistics.tp_packets, statistics.tp_drops};
}

Rx::Rx(Ring& ring, Buffers& buffers, WorkerSockets& sockets, CounterBlock& counters)
    : ring_(ring),
      buffers_(buffers),
      sockets_(sockets),
      counters_(counters),
      superframes_described_(superframes_are_described()) {
  rings_.reserve(slots::rx);
}

void Rx::use_table(const RuleTable& table) noexcept {
  wanted_.reset();
  for (const auto& rx : table.rx())
    wanted_.set(rx.slot, sockets_.rx[rx.slot].socket.valid());
  for (std::uint16_t slot = 0; slot < slots::rx; ++slot) {
    if (wanted_[slot] && !armed_[slot] && !starved_[slot]) arm(slot);
    if (wanted_[slot]) continue;
    if (armed_[slot])
      cancel(slot);
    else if (sockets_.rx[slot].busy.load(std::memory_order_relaxed))
      ended(slot, -ECANCELED);  // starved, or waiting after errors; a cell at rest is control's
  }
}

void Rx::stop() noexcept {
  use_table(RuleTable{});
}

void Rx::arm(std::uint16_t slot) noexcept {
  const auto& [socket, blocks, link_header, busy, failures] = sockets_.rx[slot];
  sockets_.rx[slot].busy.store(true, std::memory_order_relaxed);
  ended_.reset(slot);
  auto* request = ring_.request();
  starved_.set(slot, request == nullptr);
  if (request == nullptr) return;
  if (blocks.blocks() != 0) {
    io_uring_prep_poll_multishot(request, socket.get(), POLLIN);
    if (std::ranges::find(rings_, slot) == rings_.end()) rings_.push_back(slot);
  } else {
    io_uring_prep_recvmsg_multishot(request, socket.get(), &header_, 0);
    request->flags |= IOSQE_BUFFER_SELECT;
    request->buf_group = Buffers::group;
  }
  request->user_data = Token{.op = Op::receive, .slot = slot}.bits();
  armed_.set(slot);
}

void Rx::cancel(std::uint16_t slot) noexcept {
  const auto target = Token{.op = Op::receive, .slot = slot};
  auto* request = ring_.request();
  uncancelled_.set(slot, request == nullptr);
  if (request == nullptr) return;
  io_uring_prep_cancel64(request, target.bits(), 0);
  request->user_data = Token{.op = Op::cancel, .slot = slot}.bits();
}

void Rx::complete(Token token, const io_uring_cqe& completion) noexcept {
  const bool filled = (completion.flags & IORING_CQE_F_BUFFER) != 0;
  const bool is_long = token.op == Op::fetch;
  if (filled) {
    const auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    buffers_.received(id);
    const auto frame = read(token.slot, id, completion.res);
    if (!frame)
      buffers_.release(id);
    else if (is_long)
      long_frames_.push(*frame);
    else
      push(*frame);
  }
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return;
  if (is_long)
    fetched(token.slot, completion.res);
  else
    ended(token.slot, completion.res);
}

std::optional<Frame> Rx::next() noexcept {
  if (frames_.size() != 0) return frames_.pop();
  for (auto left = rings_.size(); left != 0; --left) {
    turn_ = turn_ < rings_.size() ? turn_ : 0;
    if (auto frame = next_in_block(rings_[turn_])) return frame;
    ++turn_;
  }
  return std::nullopt;
}

void Rx::push(const Frame& frame) noexcept {
  counters_.rx[frame.slot].rx_frames.add(1);
  frames_.push(frame);
}

/// None: its blocks have nothing, or something that has to be fetched first.
std::optional<Frame> Rx::next_in_block(std::uint16_t slot) noexcept {
  auto& blocks = sockets_.rx[slot].blocks;
  auto& counters = counters_.rx[slot];
  while (blocks.ready()) {  // from here on the kernel does not change what comes next
    if (lacks_bytes(slot)) {
      fetch(slot);
      break;
    }
    const bool is_long = blocks.queued();
    const auto frame = blocks.next(buffers_);
    if (!frame) break;
    if (frame->whole) {
      counters.rx_frames.add(1);
      return Frame{slot, frame->buffer, true, frame->vnet, frame->bytes};
    }
    buffers_.release(frame->buffer);
    if (is_long && !gone_[slot]) {
      counters.rx_frames.add(1);
      return long_frames_.pop(slot);
    }
    gone_.reset(slot);
    counters.lost_frames.add(1);
  }
  return std::nullopt;
}

/// True if the next frame is a long one that has not been fetched. The ring is ready.
bool Rx::lacks_bytes(std::uint16_t slot) const noexcept {
  return sockets_.rx[slot].blocks.queued() && !long_frames_.has(slot) && !gone_[slot];
}

void Rx::fetch(std::uint16_t slot) noexcept {
  if (fetches_[slot] || unfetched_[slot]) return;
  auto* request = ring_.request();
  if (request == nullptr) return;
  io_uring_prep_recvmsg_multishot(request, sockets_.rx[slot].socket.get(), &header_, MSG_DONTWAIT);
  request->flags |= IOSQE_BUFFER_SELECT;
  request->buf_group = Buffers::group;
  request->user_data = Token{.op = Op::fetch, .slot = slot}.bits();
  fetches_.set(slot);
}

/// A link that goes down says ENETDOWN once, and the frames are still there.
void Rx::fetched(std::uint16_t slot, int result) noexcept {
  fetches_.reset(slot);
  if (result == -ENOBUFS) unfetched_.set(slot);
  if (result == -EAGAIN && sockets_.rx[slot].blocks.ready() && lacks_bytes(slot)) gone_.set(slot);
}

/// The slots that they belong to are not read any more.
void Rx::drop_long_frames(std::uint16_t slot) noexcept {
  while (long_frames_.has(slot))
    buffers_.release(long_frames_.pop(slot).buffer);
}

/// Without buffers for what has to be fetched, there is nothing to do before some come back.
bool Rx::ready(std::uint16_t slot) const noexcept {
  return sockets_.rx[slot].blocks.ready() && !(unfetched_[slot] && lacks_bytes(slot));
}

bool Rx::empty() const noexcept {
  return frames_.size() == 0 &&
         std::ranges::none_of(rings_, [this](std::uint16_t slot) { return ready(slot); });
}

bool Rx::has(std::uint32_t frames) const noexcept {
  return frames_.size() >= frames || std::ranges::any_of(rings_, [&](std::uint16_t slot) {
           return sockets_.rx[slot].blocks.has(frames);
         });
}

// A completed buffer holds io_uring_recvmsg_out, then what recvmsg(2) gave: vnet header and frame.
std::optional<Frame> Rx::read(std::uint16_t slot, std::uint16_t buffer, int result) noexcept {
  constexpr std::size_t headers = sizeof(io_uring_recvmsg_out) + sizeof(VnetHeader);
  if (result < static_cast<int>(headers)) return std::nullopt;
  const std::byte* memory = buffers_.at(buffer);
  io_uring_recvmsg_out out;
  std::memcpy(&out, memory, sizeof out);
  Frame frame;
  frame.slot = slot;
  frame.buffer = buffer;
  frame.whole = (out.flags & MSG_TRUNC) == 0;
  std::memcpy(&frame.vnet, memory + sizeof out, sizeof frame.vnet);
  frame.bytes = {memory + headers, static_cast<std::size_t>(result) - headers};
  sockets_.rx[slot].failures.store(0, std::memory_order_relaxed);
  return frame;
}

void Rx::ended(std::uint16_t slot, int result) noexcept {
  armed_.reset(slot);
  starved_.reset(slot);
  if (!wanted_[slot]) {
    ended_.set(slot);
  } else if (result == -ENOBUFS) {
    starved_.set(slot);
  } else if (result >= 0 || result == -ECANCELED) {
    arm(slot);
  } else if (result == -EINVAL && !superframes_described_) {
    // Such a kernel takes a UDP superframe off the queue and cannot describe it.
    count_unreadable(slot);
    arm(slot);
  } else {
    // A link that goes down says ENETDOWN once, and the same socket works when it is back.
    auto& failures = sockets_.rx[slot].failures;
    const auto count = failures.load(std::memory_order_relaxed) + 1;
    failures.store(count, std::memory_order_relaxed);
    if (count % failures_in_a_row != 0) arm(slot);
  }
}

void Rx::leave_blocks() noexcept {
  for (const auto slot : rings_)
    sockets_.rx[slot].blocks.leave_old(buffers_);
}

void Rx::release_idle_sockets() noexcept {
  if (ended_.none()) return;
  for (std::uint16_t slot = 0; slot < slots::rx; ++slot) {
    auto& cell = sockets_.rx[slot];
    if (!ended_[slot] || fetches_[slot]) continue;
    cell.blocks.rest(buffers_);
    if (cell.blocks.in_use()) continue;
    if (cell.blocks.blocks() != 0) std::erase(rings_, slot);
    drop_long_frames(slot);
    gone_.reset(slot);
    unfetched_.reset(slot);
    ended_.reset(slot);
    cell.busy.store(false, std::memory_order_release);
  }
}

void Rx::count_unreadable(std::uint16_t slot) noexcept {
  counters_.rx[slot].rx_frames.add(1);
  counters_.rx[slot].rx_datagrams.add(1);
  counters_.worker.rx_datagrams.add(1);
  counters_.worker.drops[InputDrop::truncated].add(1);
}

void Rx::rearm() noexcept {
  for_each_set(uncancelled_, [this](std::uint16_t slot) {
    if (wanted_[slot] || !armed_[slot])
      uncancelled_.reset(slot);
    else
      cancel(slot);
  });
  if (buffers_.available() < buffers_.count() / 8) return;
  for_each_set(starved_, [this](std::uint16_t slot) { arm(slot); });
  unfetched_.reset();
}

}  // namespace mcr
