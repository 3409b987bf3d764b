// A message is one sendmsg(2): datagrams of one output, straight from the receive buffers, several
// of one size cut apart by the kernel (UDP_SEGMENT, udp(7)). The picture of its life is in
// message_state.hpp; become() is the one place that changes its state. What to decide is decided
// purely: zerocopy_policy.hpp, segmentation_policy.hpp, quota.hpp, packet/gso_batch.hpp.
//
// Order. Messages of a tx slot leave in the order of add(). All requests carry MSG_DONTWAIT, so
// each has run, in order, when the submission returns. The one refusal that could let a later
// message overtake is a full send buffer (EAGAIN), so it is not risked: `charged` is an upper bound
// of what the socket's buffer holds, and a message is only submitted while it is below SO_SNDBUF.
// Above it SIOCOUTQ tells the truth, and if that says full, the slot waits for POLLOUT. What a path
// may refuse (segmentation, zero-copy) is tried by a message that is the last one of its round, so
// nothing is behind it if it comes back. If a message is returned all the same and a later one of
// its output has left, it is dropped, not sent late.
//
// Source ports. A UDP socket sends from one port only. An output that preserves senders' ports has
// a raw socket, which takes any, for the price of a checksum, a copy and a message for each
// datagram. Who goes that way is noted, control opens a socket for that port, and a later table
// names it. The sender changes over when none of its messages waits at the raw socket any more.
// The way back (a sender that was silent for a minute, or whose port is needed) does not wait.
//
// Memory. A zero-copy send keeps its buffers until the notification, which may take seconds (a
// silent neighbour, a slow queue). A slot may pin only a share of the buffers; beyond it copies.
// Buffers that may not be pinned are copied by the kernel, and their content may have moved before
// (Buffers::follow).
//
// A table's end is the end of all that was learned of its outputs and slots: under the next one the
// number may belong to another.
#include "mcr/dataplane/tx.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>

#include "mcr/base/log.hpp"
#include "mcr/dataplane/zerocopy_features.hpp"

namespace mcr {

namespace {

constexpr std::uint32_t page = 4096;

/// At most what the kernel charges the send buffer for a message (sk_buff truesize): copied data
/// rounded up to powers of two, or whole pages, and the sk_buff itself.
std::uint64_t charge_of(const GsoBatch& shape) noexcept {
  return 2 * std::uint64_t{shape.bytes} + std::uint64_t{page} * shape.pages + 2048;
}

}  // namespace

Tx::Tx(Ring& ring, Buffers& buffers, WorkerSockets& sockets, CounterBlock& counters, Mode mode)
    : ring_(ring),
      buffers_(buffers),
      shared_(sockets),
      counters_(counters),
      mode_(mode),
      zerocopy_(mode == Mode::bulk && zerocopy_features().supported),
      zerocopy_flags_(static_cast<std::uint16_t>(
          (zerocopy_features().reports_usage ? zerocopy_flags::report_usage : 0U) |
          (buffers.registered() ? zerocopy_flags::registered_buffer : 0U))),
      queues_(slots::tx),
      free_(messages) {
  std::iota(free_.begin(), free_.end(), 0);
  active_.reserve(slots::tx);
  if (mode == Mode::bulk && !zerocopy_.supported())
    log::warning("sends go without zero-copy: io_uring of this kernel has no SENDMSG_ZC");
}

// ---- Building messages

/// A sender that has got a socket of its own goes on by the raw one until nothing of its own waits
/// there: it would overtake itself.
Tx::TxPath Tx::path_of(const TableOutput& output, const Packet& packet) const noexcept {
  if (!output.raw) return {output.tx_slot, false};
  const auto* sender = sender_tx(output, packet.source.port);
  if (sender == nullptr || raw_unresolved_[raw_place(output.tx_slot, packet.source.port)] != 0)
    return {output.tx_slot, true};
  return {sender->tx_slot, false};
}

std::size_t Tx::raw_place(std::uint16_t tx_slot, std::uint16_t source_port) noexcept {
  return (source_port ^ tx_slot * 41U) % raw_places;
}

std::size_t Tx::raw_place(const Message& message) noexcept {
  std::uint16_t source_port = 0;  // as make_udp_header() wrote it
  std::memcpy(&source_port, message.udp_header.data(), sizeof source_port);
  return raw_place(message.tx_slot, ntohs(source_port));
}

void Tx::note_sender(const TxPath& path, const Packet& packet) noexcept {
  if (path.raw)
    shared_.sender_notes.add({path.tx_slot, packet.source.port});
  else
    shared_.tx[path.tx_slot].used.store(true, std::memory_order_relaxed);
}

bool Tx::may_gather(const TableOutput& output, const TxPath& path,
                    const Packet& packet) const noexcept {
  return mode_ == Mode::bulk && output.segmentation && !path.raw &&
         packet.segment <= output.unfragmented && packet.segment != 0;
}

Tx::OutputState& Tx::state_of(const TableOutput& output) noexcept {
  auto& state = outputs_[output.slot];
  if (state.generation != generation_) state = {.generation = generation_};
  return state;
}

void Tx::use_table(const RuleTable& table) noexcept {
  if (table.generation() == table_in_use_) return;
  table_in_use_ = table.generation();
  ++generation_;
  for (auto& queue : queues_)
    queue.takes_segments = false;
}

Tx::Added Tx::add(const TableOutput& output, const Packet& packet, std::uint16_t buffer) noexcept {
  if (output.tx_slot == TableOutput::no_tx_slot) {
    drop(output, OutputDrop::output_down, packet);
    return {packet.datagrams};
  }
  const auto* send_header = &output.header;
  if (output.per_packet_fields != 0) {
    send_header = &(filled_ = output.header);
    if (const auto reason = fill_per_packet_fields(filled_, output.per_packet_fields, packet)) {
      if (*reason == OutputDrop::send_error)
        note_refusal(output.slot, own_refusal::unusable_source, packet.datagrams);
      drop(output, *reason, packet);
      return {packet.datagrams};
    }
  }
  const auto path = path_of(output, packet);
  if (output.raw) note_sender(path, packet);
  auto& state = state_of(output);
  const bool gather = may_gather(output, path, packet) && state.segmentation.gathers();
  const auto each = gather ? gso::datagrams_per_message(packet.segment) : 1;
  const auto* data = packet.payload.data();
  auto bytes = static_cast<std::uint32_t>(packet.payload.size());
  Added added{0};
  while (added.datagrams != packet.datagrams) {
    Run run;
    run.datagrams = std::min(packet.datagrams - added.datagrams, each);
    run.segment = packet.segment;
    run.bytes = std::min(bytes, run.datagrams * packet.segment);
    run.pages = pages_of(data, run.bytes);
    if (const auto lack = add_run(output, path, *send_header, run, gather, packet, data, buffer)) {
      added.lack = *lack;
      added.blocked = over_quota(path.tx_slot);
      break;
    }
    data += run.bytes;
    bytes -= run.bytes;
    added.datagrams += run.datagrams;
  }
  counters_.outputs[output.slot].matched.add(added.datagrams);
  return added;
}

std::optional<OutputDrop> Tx::add_run(const TableOutput& output, const TxPath& path,
                                      const SendHeader& send_header, const Run& run, bool gather,
                                      const Packet& packet, const std::byte* data,
                                      std::uint16_t buffer) noexcept {
  auto& state = outputs_[output.slot];
  if (over_quota(path.tx_slot)) return OutputDrop::send_queue_full;
  if (gather && state.open_plus_one != 0) {
    auto& open = pool_[state.open_plus_one - 1];
    const auto page_limit = Buffers::may_pin(buffer)
                                ? ZerocopyPolicy::page_limit(state.zerocopy, run.segment)
                                : gso_limits::copied_pages;
    if (gso::can_append(open.shape, run, page_limit) &&
        (output.per_packet_fields == 0 ||
         (open.tx_slot == path.tx_slot && same_header(open, send_header)))) {
      append(open, run, data, buffer);
      return {};
    }
  }
  if (const auto lack = lack_at(path.tx_slot)) return lack;
  const auto index = start(output, path, send_header);
  auto& message = pool_[index];
  if (path.raw) make_raw(message, packet.source, send_header, {data, run.bytes});
  append(message, run, data, buffer);
  if (path.raw) {
    ++complete_;
    return {};
  }
  if (state.open_plus_one != 0) ++complete_;
  const bool open = gather && gso::can_grow(message.shape);
  if (!open) ++complete_;
  state.open_plus_one = open ? index + 1 : 0;
  return {};
}

std::optional<OutputDrop> Tx::lack_at(std::uint16_t tx_slot) const noexcept {
  if (queues_[tx_slot].waiting.count >= queue_limit) return OutputDrop::send_queue_full;
  if (free_count_ == 0) return OutputDrop::no_memory;
  return {};
}

void Tx::make_raw(Message& message, const Endpoint& source, const SendHeader& send_header,
                  std::span<const std::byte> payload) noexcept {
  message.way = Way::raw;
  message.udp_header = make_udp_header(source, send_header.destination.endpoint(), payload);
  ++raw_unresolved_[raw_place(message)];
  message.destination.v4.sin_port = 0;  // where IPv6's is, too: a raw socket takes no other
}

Stock Tx::stock() const noexcept {
  return {.messages_free = free_count_,
          .messages = messages,
          .buffers_available = buffers_.available(),
          .buffers = buffers_.count(),
          .copies = buffers_.has_copies()};
}

/// True if a blocked socket already holds its quota of buffers or messages: queue nothing more.
bool Tx::over_quota(std::uint16_t tx_slot) const noexcept {
  const auto& queue = queues_[tx_slot];
  return queue.blocked &&
         quota::blocked_slot_is_full(stock(), queue.waiting_held + slot_pinned_[tx_slot].buffers());
}

bool Tx::same_header(const Message& message, const SendHeader& send_header) noexcept {
  return std::ranges::equal(std::span(message.control).first(message.control_bytes),
                            send_header.used_control()) &&
         message.destination == send_header.destination;
}

Tx::Index Tx::start(const TableOutput& output, const TxPath& path,
                    const SendHeader& send_header) noexcept {
  auto& queue = queues_[path.tx_slot];
  const auto index = allocate(path.tx_slot, output.slot);
  auto& message = pool_[index];
  message.order = ++queue.started;
  message.destination = send_header.destination;
  message.control = {};
  std::ranges::copy(send_header.used_control(), message.control.begin());
  message.control_bytes = send_header.control_bytes;
  message.timed = timed_;
  become(message, MessageState::waiting);
  push(queue.waiting, index);
  activate(path.tx_slot);
  return index;
}

void Tx::append(Message& message, const Run& run, const std::byte* data,
                std::uint16_t buffer) noexcept {
  const auto at = message.shape.pieces;
  message.pieces[at] = {const_cast<std::byte*>(data), run.bytes};
  message.buffers[at] = buffer;
  buffers_.retain(buffer);
  gso::append(message.shape, run);
  counters_.outputs[message.output_slot].in_flight.add(run.datagrams);
  if (Buffers::may_pin(buffer)) {
    ++message.held;
    ++queues_[message.tx_slot].waiting_held;
  } else if (message.way == Way::any) {
    message.way = Way::copy;
  }
}

// ---- The life of a message

/// The one place that changes a message's state, and what is counted with it.
void Tx::become(Message& message, MessageState next) noexcept {
  using enum MessageState;
  const auto before = std::exchange(message.state, next);
  assert(can_become(before, next));
  auto& queue = queues_[message.tx_slot];
  auto& unresolved = shared_.tx[message.tx_slot].unresolved;
  if (before == unused)
    unresolved.store(unresolved.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (next == submitted) ++queue.with_kernel;
  if (before == submitted) --queue.with_kernel;
  if (next != sent && next != not_sent) return;
  if (message.way == Way::raw) --raw_unresolved_[raw_place(message)];
  counters_.outputs[message.output_slot].in_flight.subtract_last(message.shape.datagrams);
  unresolved.store(unresolved.load(std::memory_order_relaxed) - 1, std::memory_order_release);
}

// ---- Handing them to the kernel

bool Tx::flush() noexcept {
  bool any = false;
  complete_ = 0;
  const auto slots = active_.size();
  for (std::size_t i = 0; i < slots; ++i)
    any = flush_slot(active_[i]) || any;
  std::erase_if(active_, [this](std::uint16_t tx_slot) {
    auto& queue = queues_[tx_slot];
    queue.listed = queue.waiting.count != 0 || queue.returned.count != 0;
    return !queue.listed;
  });
  return any;
}

bool Tx::flush_slot(std::uint16_t tx_slot) noexcept {
  auto& queue = queues_[tx_slot];
  if (queue.blocked || queue.with_kernel != 0) return false;
  while (queue.returned.count != 0 || queue.waiting.count != 0) {
    if (!has_send_buffer(tx_slot)) {
      if (queue.with_kernel == 0) await_writable(tx_slot);
      break;
    }
    auto* request = ring_.request();
    if (request == nullptr) break;
    const bool again = queue.returned.count != 0;
    const auto index = pop(again ? queue.returned : queue.waiting);
    if (!again) queue.waiting_held -= pool_[index].held;
    queue.charged += charge_of(pool_[index].shape);
    send(index, *request);
    if (is_trial(pool_[index])) break;
  }
  return queue.with_kernel != 0 || queue.blocked;
}

bool Tx::has_send_buffer(std::uint16_t tx_slot) noexcept {
  auto& queue = queues_[tx_slot];
  const auto& shared = shared_.tx[tx_slot];
  const auto send_buffer = shared.send_buffer.load(std::memory_order_relaxed);
  if (queue.charged < send_buffer) return true;
  // The kernel has not yet got this round's requests: their charge stays.
  if (queue.with_kernel != 0) return false;
  int queued = 0;
  if (::ioctl(shared.socket.get(), SIOCOUTQ, &queued) != 0) return true;
  queue.charged = static_cast<std::uint64_t>(queued);
  return queue.charged < send_buffer;
}

void Tx::await_writable(std::uint16_t tx_slot) noexcept {
  auto& queue = queues_[tx_slot];
  auto* request = ring_.request();
  if (request == nullptr) return;
  io_uring_prep_poll_add(request, shared_.tx[tx_slot].socket.get(), POLLOUT);
  request->user_data = Token{.op = Op::writable, .slot = tx_slot}.bits();
  queue.blocked = true;
}

/// True if it uses zero-copy or UDP_SEGMENT and the kernel has not accepted that on this path yet.
/// Such a message is sent last in its round.
bool Tx::is_trial(const Message& message) const noexcept {
  if (message.went == Went::pinned && zerocopy_.on_trial()) return true;
  return message.shape.datagrams > 1 && !queues_[message.tx_slot].takes_segments &&
         !outputs_[message.output_slot].segmentation.accepted_before();
}

bool Tx::worth_zerocopy(const Message& message) noexcept {
  return message.way == Way::any &&
         quota::may_pin(stock(), slot_pinned_[message.tx_slot].buffers(), pinned_->buffers(),
                        message.shape.pieces) &&
         zerocopy_.wants(outputs_[message.output_slot].zerocopy, message.shape);
}

void Tx::pin(const Message& message) noexcept {
  for (const auto buffer : std::span(message.buffers).first(message.shape.pieces)) {
    pinned_->add(buffer);
    slot_pinned_[message.tx_slot].add(buffer);
  }
}

void Tx::unpin(const Message& message) noexcept {
  for (const auto buffer : std::span(message.buffers).first(message.shape.pieces)) {
    pinned_->remove(buffer);
    slot_pinned_[message.tx_slot].remove(buffer);
  }
}

/// Fills in what the kernel reads.
void Tx::prepare(Message& message) noexcept {
  auto control_bytes = message.control_bytes;
  if (message.shape.datagrams > 1) {
    auto* header = reinterpret_cast<cmsghdr*>(message.control.data() + control_bytes);
    const auto segment = static_cast<std::uint16_t>(message.shape.segment);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof segment);
    std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
    control_bytes = static_cast<std::uint8_t>(control_bytes + CMSG_SPACE(sizeof segment));
  }
  if (message.way != Way::any)
    for (std::uint32_t piece = 0; piece < message.shape.pieces; ++piece)
      buffers_.follow(message.buffers[piece], message.pieces[piece].iov_base);
  message.header = {};
  message.header.msg_name = &message.destination.generic;
  message.header.msg_namelen = message.destination.length;
  message.header.msg_iov = message.pieces.data();
  message.header.msg_iovlen = message.shape.pieces;
  if (message.way == Way::raw) {
    message.with_header = {iovec{message.udp_header.data(), message.udp_header.size()},
                           message.pieces[0]};
    message.header.msg_iov = message.with_header.data();
    message.header.msg_iovlen = message.with_header.size();
  }
  message.header.msg_control = message.control.data();
  message.header.msg_controllen = control_bytes;
}

void Tx::send(Index index, io_uring_sqe& request) noexcept {
  auto& message = pool_[index];
  auto& state = outputs_[message.output_slot];
  if (state.open_plus_one == index + 1) state.open_plus_one = 0;
  prepare(message);
  const Fd socket = shared_.tx[message.tx_slot].socket;
  if (worth_zerocopy(message)) {
    message.went = Went::pinned;
    pin(message);
    io_uring_prep_sendmsg_zc(&request, socket.get(), &message.header, MSG_DONTWAIT);
    request.ioprio = zerocopy_flags_;
  } else {
    message.went = Went::copied;
    io_uring_prep_sendmsg(&request, socket.get(), &message.header, MSG_DONTWAIT);
  }
  request.user_data = Token{.op = Op::send, .slot = message.tx_slot, .index = index}.bits();
  become(message, MessageState::submitted);
}

// ---- Queues and the pool

void Tx::abandon() noexcept {
  for (std::uint16_t tx_slot = 0; tx_slot < slots::tx; ++tx_slot) {
    auto& queue = queues_[tx_slot];
    while (queue.returned.count != 0 || queue.waiting.count != 0) {
      const auto index = pop(queue.returned.count != 0 ? queue.returned : queue.waiting);
      drop(pool_[index], OutputDrop::send_queue_full);
      finish(index);
    }
  }
}

void Tx::count_drop(std::uint32_t slot, OutputDrop reason, std::uint32_t datagrams) noexcept {
  counters_.outputs[slot].drops[reason].add(datagrams);
  counters_.worker.tx_drops[reason].add(datagrams);
}

void Tx::note_refusal(std::uint32_t slot, RefusalCode code, std::uint32_t datagrams) noexcept {
  counters_.outputs[slot].last_refusal.set(code);
  counters_.outputs[slot].refused.add(datagrams);
  counters_.worker.refused.add(datagrams);
}

void Tx::activate(std::uint16_t tx_slot) noexcept {
  if (std::exchange(queues_[tx_slot].listed, true)) return;
  active_.push_back(tx_slot);
}

void Tx::push(MessageList& list, Index index) noexcept {
  pool_[index].next = none;
  if (list.count++ == 0)
    list.head = index;
  else
    pool_[list.tail].next = index;
  list.tail = index;
}

Tx::Index Tx::pop(MessageList& list) noexcept {
  const auto index = list.head;
  list.head = pool_[index].next;
  --list.count;
  return index;
}

/// Only while free_count_ is not 0.
Tx::Index Tx::allocate(std::uint16_t tx_slot, std::uint32_t output_slot) noexcept {
  const auto index = free_[--free_count_];
  auto& message = pool_[index];
  message.shape = {};
  message.timed = {};
  message.output_slot = output_slot;
  message.tx_slot = tx_slot;
  message.way = Way::any;
  message.went = Went::copied;
  message.refusals = message.notifications = message.stale = message.held = 0;
  return index;
}

}  // namespace mcr
