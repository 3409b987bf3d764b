// The kernel's answer to a send, and what comes of it: sent, sent again, cut apart, or dropped
// with a reason; at last the buffers are given back. The whole life of a message: tx.cpp.
#include "mcr/dataplane/tx.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace mcr {

namespace {

constexpr std::uint8_t max_refusals = 255;         // that are counted
constexpr std::uint32_t usage_copied = 1U << 31U;  // IORING_NOTIF_USAGE_ZC_COPIED

/// An ICMP answer to an earlier datagram: reported once, by failing the next send (ip(7)). ICMPv6
/// has EACCES (prohibited) and, which also a group may bring, EMSGSIZE (packet too big, RFC 4443).
bool is_refusal_of_earlier(int error) noexcept {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == EHOSTDOWN ||
         error == ENOPROTOOPT || error == EPROTO || error == ENETUNREACH || error == ECONNRESET ||
         error == EACCES || error == EMSGSIZE;
}

/// The interface went, and control is about to notice that.
bool is_gone(int error) noexcept {
  return error == ENETDOWN || error == ENODEV || error == ENXIO;
}

bool is_unusable(int error) noexcept {
  return error == ENETUNREACH || error == EADDRNOTAVAIL || error == EINVAL;
}

void drain_error_queue(Fd socket) noexcept {
  std::array<std::byte, 512> control{};
  for (int i = 0; i < 64; ++i) {
    msghdr header{};
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    if (::recvmsg(socket.get(), &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
  }
}

}  // namespace

void Tx::complete(Token token, const io_uring_cqe& completion) noexcept {
  if (token.op == Op::writable) {
    queues_[token.slot].blocked = false;
    if ((completion.res & POLLERR) != 0) drain_error_queue(shared_.tx[token.slot].socket);
    return activate(token.slot);
  }
  auto& message = pool_[token.index];
  if ((completion.flags & IORING_CQE_F_NOTIF) != 0) {
    --message.notifications;
    if (message.stale != 0)
      --message.stale;
    else if ((static_cast<std::uint32_t>(completion.res) & usage_copied) != 0)
      message.went = Went::pinned_and_copied;
  } else {
    if ((completion.flags & IORING_CQE_F_MORE) != 0) ++message.notifications;
    if (completion.res >= 0)
      sent(message);
    else
      refused(token.index, -completion.res);
  }
  finish(token.index);
}

void Tx::sent(Message& message) noexcept {
  auto& counters = counters_.outputs[message.output_slot];
  counters.tx_datagrams.add(message.shape.datagrams);
  counters.tx_bytes.add(message.shape.bytes);
  counters_.worker.tx_datagrams.add(message.shape.datagrams);
  if (message.timed.since_ns != 0) [[unlikely]]
    note_latency(message.timed);
  if (captures_ != nullptr) [[unlikely]]
    capture(message, {});
  on_accepted(message);
  become(message, MessageState::sent);
  drop_overtaken(message);
}

/// A rule's slot is another's under a later table, perhaps.
void Tx::note_latency(const Timed& timed) noexcept {
  if (timed.generation != generation_) return;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto now_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
  counters_.latencies[timed.rule].add(now_ns - std::min(timed.since_ns, now_ns));
}

/// It was not refused for the way it went, if it was at all: such messages are no trials any more.
void Tx::on_accepted(const Message& message) noexcept {
  if (message.went == Went::pinned) zerocopy_.accepted();
  if (message.shape.datagrams == 1 || !outputs_[message.output_slot].segmentation.accepted())
    return;
  // The path to a group begins and ends at the port; that to a host may be another for each.
  if (message.destination.endpoint().address.is_multicast())
    queues_[message.tx_slot].takes_segments = true;
}

void Tx::refused(Index index, int error) noexcept {
  auto& message = pool_[index];
  const bool first_try = message.refusals == 0;
  if (message.refusals != max_refusals) ++message.refusals;
  const bool zerocopy = message.went != Went::copied;
  if (error == EAGAIN) {
    queues_[message.tx_slot].charged = shared_.tx[message.tx_slot].send_buffer;
    return send_again(index);
  }
  if (error == EOPNOTSUPP && zerocopy) {
    zerocopy_.unsupported();
    return send_again(index);
  }
  if (error == ENOMEM && zerocopy) {
    message.way = Way::copy;
    zerocopy_.no_memory();
    return send_again(index);
  }
  if (SegmentationPolicy::is_refusal(error) && message.shape.datagrams > 1) return split(index);
  on_accepted(message);
  if (is_refusal_of_earlier(error) && first_try) {
    drain_error_queue(shared_.tx[message.tx_slot].socket);
    return send_again(index);
  }
  if (error == ENOBUFS) return drop(message, OutputDrop::egress_full);
  if (error == ENOMEM) return drop(message, OutputDrop::no_memory);
  if (error == EMSGSIZE) return drop(message, OutputDrop::too_big);
  if (is_gone(error)) return drop(message, OutputDrop::output_down);
  note_refusal(message.output_slot, static_cast<RefusalCode>(error), message.shape.datagrams);
  drop(message, is_unusable(error) ? OutputDrop::output_down : OutputDrop::send_error);
}

void Tx::send_again(Index index) noexcept {
  auto& message = pool_[index];
  if (std::exchange(message.went, Went::copied) != Went::copied) unpin(message);
  message.stale = message.notifications;
  become(message, MessageState::returned);
  push(queues_[message.tx_slot].returned, index);
  activate(message.tx_slot);
}

/// Sends the datagrams of a message each on its own: the path takes no segmented one of this size.
void Tx::split(Index index) noexcept {
  auto& message = pool_[index];
  outputs_[message.output_slot].segmentation.refused();
  queues_[message.tx_slot].takes_segments = false;
  std::uint32_t done = 0;
  for (std::uint32_t piece = 0; piece < message.shape.pieces; ++piece) {
    const auto* data = static_cast<const std::byte*>(message.pieces[piece].iov_base);
    for (auto left = message.pieces[piece].iov_len; left != 0 && free_count_ != 0; ++done) {
      const auto part = allocate(message.tx_slot, message.output_slot);
      auto& single = pool_[part];
      const auto bytes =
          static_cast<std::uint32_t>(std::min<std::size_t>(left, message.shape.segment));
      single.order = message.order;
      single.destination = message.destination;
      single.control = message.control;
      single.control_bytes = message.control_bytes;
      single.way = message.way;
      single.pieces[0] = {const_cast<std::byte*>(data), bytes};
      single.buffers[0] = message.buffers[piece];
      buffers_.retain(single.buffers[0]);
      gso::append(single.shape, {bytes, bytes, 1, pages_of(data, bytes)});
      become(single, MessageState::returned);
      push(queues_[message.tx_slot].returned, part);
      data += bytes;
      left -= bytes;
    }
  }
  // The parts are in flight in its place; what found no message is lost.
  count_drop(message.output_slot, OutputDrop::no_memory, message.shape.datagrams - done);
  counters_.outputs[message.output_slot].in_flight.subtract_last(message.shape.datagrams - done);
  message.shape.datagrams = 0;
  become(message, MessageState::not_sent);
  activate(message.tx_slot);
}

void Tx::drop(Message& message, OutputDrop reason) noexcept {
  count_drop(message.output_slot, reason, message.shape.datagrams);
  if (captures_ != nullptr) [[unlikely]]
    capture(message, reason);
  become(message, MessageState::not_sent);
}

void Tx::drop_overtaken(const Message& sent) noexcept {
  auto& queue = queues_[sent.tx_slot];
  for (auto left = queue.returned.count; left != 0; --left) {
    const auto index = pop(queue.returned);
    auto& earlier = pool_[index];
    if (earlier.output_slot != sent.output_slot || earlier.order >= sent.order) {
      push(queue.returned, index);
      continue;
    }
    drop(earlier, OutputDrop::send_queue_full);
    finish(index);
  }
}

void Tx::finish(Index index) noexcept {
  auto& message = pool_[index];
  const bool answered =
      message.state == MessageState::sent || message.state == MessageState::not_sent;
  if (!answered || message.notifications != 0) return;
  if (message.went != Went::copied) unpin(message);
  if (message.state == MessageState::sent) learn(message);
  for (std::uint32_t piece = 0; piece < message.shape.pieces; ++piece)
    buffers_.release(message.buffers[piece]);
  become(message, MessageState::unused);
  free_[free_count_++] = index;
}

/// True zero-copy, or a copy: counted, and remembered by the output.
void Tx::learn(const Message& message) noexcept {
  auto& counters = counters_.outputs[message.output_slot];
  const bool spared = message.went == Went::pinned;
  (spared ? counters.zerocopy : counters.copied).add_last(message.shape.datagrams);
  if (message.went != Went::copied)
    ZerocopyPolicy::learn(outputs_[message.output_slot].zerocopy, !spared);
}

}  // namespace mcr
