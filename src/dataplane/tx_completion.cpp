// What the kernel answers to a send, and what comes of it: sent, sent again, cut apart, or dropped
// with a reason; at last the buffers are given back. The whole life of a message: tx.cpp.
#include "mcr/dataplane/tx.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace mcr {

namespace {

constexpr std::uint32_t usage_copied = 1U << 31U;  // IORING_NOTIF_USAGE_ZC_COPIED
constexpr std::uint8_t copied_streak = 8;          // then zero-copy is not worth its price
constexpr std::uint16_t unsegmented_before_retry = 1024;
constexpr std::uint32_t most_copies_before_retry = 1U << 20U;  // without memory to pin

/// An ICMP answer to an earlier datagram: reported once, by failing the next send (ip(7)). ICMPv6
/// has EACCES (prohibited) and, which also a group may bring, EMSGSIZE (packet too big, RFC 4443).
bool is_refusal_of_earlier(int error) noexcept {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == EHOSTDOWN ||
         error == ENOPROTOOPT || error == EPROTO || error == ENETUNREACH || error == ECONNRESET ||
         error == EACCES || error == EMSGSIZE;
}

bool is_unusable(int error) noexcept {
  return error == ENETDOWN || error == ENODEV || error == ENXIO || error == ENETUNREACH ||
         error == EADDRNOTAVAIL || error == EINVAL;
}

bool refuses_segmentation(int error) noexcept {
  return error == EMSGSIZE || error == EINVAL || error == EIO;
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
    else
      message.was_copied = (static_cast<std::uint32_t>(completion.res) & usage_copied) != 0;
  } else {
    if ((completion.flags & IORING_CQE_F_MORE) != 0) ++message.notifications;
    --queues_[message.tx_slot].with_kernel;
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
  message.accepted = true;
  on_accepted(message);
  on_result(message);
  drop_overtaken(message);
}

/// The way it went in was not what was refused, if anything was: no trial any more.
void Tx::on_accepted(const Message& message) noexcept {
  if (message.zerocopy && ++zerocopies_taken_ == most_copies_before_retry)
    copies_next_time_ = copies_before_retry;
  if (message.shape.datagrams == 1 ||
      std::exchange(outputs_[message.output_slot].takes_segments, true))
    return;
  // The path to a group begins and ends at the port; that to a host may be another for each.
  if (message.destination.endpoint().address.is_multicast())
    queues_[message.tx_slot].takes_segments = true;
}

void Tx::refused(Index index, int error) noexcept {
  auto& message = pool_[index];
  const bool first_try = !std::exchange(message.retried, true);
  if (error == EAGAIN) {
    queues_[message.tx_slot].charged = shared_.tx[message.tx_slot].send_buffer;
    return send_again(index);
  }
  if (error == EOPNOTSUPP && message.zerocopy) {
    zerocopy_supported_ = false;
    return send_again(index);
  }
  if (error == ENOMEM && message.zerocopy) {
    message.copy_only = true;
    if (copies_left_ == 0) {
      copies_left_ = copies_next_time_;
      copies_next_time_ = std::min(2 * copies_next_time_, most_copies_before_retry);
    }
    zerocopies_taken_ = 0;
    return send_again(index);
  }
  if (refuses_segmentation(error) && message.shape.datagrams > 1) return split(index);
  on_accepted(message);
  if (is_refusal_of_earlier(error) && first_try) {
    drain_error_queue(shared_.tx[message.tx_slot].socket);
    return send_again(index);
  }
  if (error == ENOBUFS) return drop(message, OutputDrop::egress_full);
  if (error == ENOMEM) return drop(message, OutputDrop::no_memory);
  if (error == EMSGSIZE) return drop(message, OutputDrop::too_big);
  if (is_unusable(error)) return drop(message, OutputDrop::output_down);
  drop(message, OutputDrop::send_error);
}

void Tx::send_again(Index index) noexcept {
  auto& message = pool_[index];
  if (std::exchange(message.zerocopy, false)) unpin(message);
  message.stale = message.notifications;
  push(queues_[message.tx_slot].returned, index);
  activate(message.tx_slot);
}

/// Sends the datagrams of a message each on its own: the path takes no segmented one of this size.
void Tx::split(Index index) noexcept {
  auto& message = pool_[index];
  outputs_[message.output_slot].unsegmented_left = unsegmented_before_retry;
  outputs_[message.output_slot].takes_segments = queues_[message.tx_slot].takes_segments = false;
  std::uint32_t done = 0;
  for (std::uint32_t piece = 0; piece < message.shape.pieces; ++piece) {
    const auto* data = static_cast<const std::byte*>(message.pieces[piece].iov_base);
    for (auto left = message.pieces[piece].iov_len; left != 0; ++done) {
      const auto part = allocate(message.tx_slot, message.output_slot);
      if (part == none) break;
      auto& single = pool_[part];
      const auto bytes =
          static_cast<std::uint32_t>(std::min<std::size_t>(left, message.shape.segment));
      single.order = message.order;
      single.destination = message.destination;
      single.control = message.control;
      single.control_bytes = message.control_bytes;
      single.copy_only = message.copy_only;
      single.pieces[0] = {const_cast<std::byte*>(data), bytes};
      single.buffers[0] = message.buffers[piece];
      buffers_.retain(single.buffers[0]);
      gso::append(single.shape, {bytes, bytes, 1, pages_of(data, bytes)});
      push(queues_[message.tx_slot].returned, part);
      data += bytes;
      left -= bytes;
    }
  }
  // The parts are in flight in its place; what found no message is lost.
  count_drop(message.output_slot, OutputDrop::no_memory, message.shape.datagrams - done);
  counters_.outputs[message.output_slot].in_flight.subtract_last(message.shape.datagrams - done);
  message.shape.datagrams = 0;
  on_result(message);
  activate(message.tx_slot);
}

void Tx::drop(Message& message, OutputDrop reason) noexcept {
  count_drop(message.output_slot, reason, message.shape.datagrams);
  on_result(message);
}

void Tx::on_result(Message& message) noexcept {
  message.answered = true;
  if (message.raw) --raw_unresolved_[raw_place(message)];
  counters_.outputs[message.output_slot].in_flight.subtract_last(message.shape.datagrams);
  auto& unresolved = shared_.tx[message.tx_slot].unresolved;
  unresolved.store(unresolved.load(std::memory_order_relaxed) - 1, std::memory_order_release);
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
  if (!message.answered || message.notifications != 0) return;
  if (message.zerocopy) unpin(message);
  if (message.accepted) learn(message);
  for (std::uint32_t piece = 0; piece < message.shape.pieces; ++piece)
    buffers_.release(message.buffers[piece]);
  free_[free_count_++] = index;
}

/// Whether zero-copy pays at this output: where the kernel copies all the same, it costs more.
void Tx::learn(const Message& message) noexcept {
  auto& counters = counters_.outputs[message.output_slot];
  auto& state = outputs_[message.output_slot];
  const bool spared = message.zerocopy && !message.was_copied;
  (spared ? counters.zerocopy : counters.copied).add_last(message.shape.datagrams);
  if (!message.zerocopy) return;
  if (spared) {
    state.copied_in_a_row = 0;
  } else if (++state.copied_in_a_row >= copied_streak) {
    state.copied_in_a_row = copied_streak - 1;  // one more failure of the next try is enough
    state.copies_left = copies_before_retry;
  }
}

}  // namespace mcr
