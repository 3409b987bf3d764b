// A message is one sendmsg(2): datagrams of one output, straight from the receive buffers, several
// of one size cut apart by the kernel (UDP_SEGMENT). Its life:
//
//   add() -> waiting (still gathering) -> flush(): with the kernel -> answered -> finished
//               ^                                |
//               +---------- returned <-----------+   refused for now
//
// Order. Messages of a port go out in the order of add(). All requests carry MSG_DONTWAIT, so each
// has run, in order, when the submission returns. The one refusal that could let a later message
// overtake is a full send buffer (EAGAIN), so it is not risked: `charged` is an upper bound of what
// the socket's buffer holds, and a message is only submitted while it is below SO_SNDBUF; then
// SIOCOUTQ tells the truth, and if that says full the port waits for POLLOUT. What a path may
// refuse (segmentation, zero-copy) is tried by a message that goes last in its round, so that
// nothing is behind it if it comes back. Should a message be returned all the same and a later one
// of its output have left, it is dropped, not sent late.
//
// Source ports. A UDP socket sends from one port only. An output that preserves senders' ports has
// a raw socket, which takes any, for the price of a checksum, a copy and a message a datagram; who
// goes that way is noted, control opens a socket for that port, and a later table names it.
//
// Memory. A zero-copy send keeps its buffers until the notification, which may take seconds
// (silent neighbour, slow queue): one port may pin only a share of the buffers, then it copies.
// Blocks of a receive ring are never pinned, and left by what has to wait: the kernel fills them in
// turn, and stops at the first one that is not back.
#include "mcr/dataplane/tx.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "mcr/base/log.hpp"
#include "mcr/dataplane/zerocopy_features.hpp"

namespace mcr {

namespace {

constexpr std::uint32_t page = 4096;
constexpr std::uint32_t no_page_limit = gso_limits::pieces * gso_limits::pages;

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
      zerocopy_supported_(mode == Mode::bulk && zerocopy_features().supported),
      zerocopy_flags_(static_cast<std::uint16_t>(
          (zerocopy_features().reports_usage ? zerocopy_flags::report_usage : 0U) |
          (buffers.registered() ? zerocopy_flags::registered_buffer : 0U))),
      queues_(slots::tx),
      free_(messages) {
  std::iota(free_.begin(), free_.end(), 0);
  active_.reserve(slots::tx);
  if (mode == Mode::bulk && !zerocopy_supported_)
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

bool Tx::gathers(const TableOutput& output, const TxPath& path,
                 const Packet& packet) const noexcept {
  return mode_ == Mode::bulk && output.segmentation && !path.raw &&
         packet.segment <= output.unfragmented && packet.segment != 0;
}

/// Nothing that was learned outlives a table: under the next one the slot may be another output's.
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

bool Tx::has_room(const TableOutput& output, const Packet& packet) noexcept {
  if (output.tx_slot == TableOutput::no_tx_slot) return true;
  const auto path = path_of(output, packet);
  const auto& queue = queues_[path.tx_slot];
  const bool single = !gathers(output, path, packet) || state_of(output).unsegmented_left != 0;
  const auto each = single ? 1 : gso::datagrams_per_message(packet.segment);
  const auto needed = (packet.datagrams + each - 1) / each;
  return needed <= free_count_ && queue.waiting.count + needed <= queue_limit;
}

void Tx::add(const TableOutput& output, const Packet& packet, std::uint16_t buffer) noexcept {
  counters_.outputs[output.slot].matched.add(packet.datagrams);
  if (output.tx_slot == TableOutput::no_tx_slot)
    return count_drop(output.slot, OutputDrop::output_down, packet.datagrams);
  const auto* send_header = &output.header;
  if (output.per_packet_fields != 0) {
    send_header = &(filled_ = output.header);
    if (const auto reason = fill_per_packet_fields(filled_, output.per_packet_fields, packet))
      return count_drop(output.slot, *reason, packet.datagrams);
  }

  const auto path = path_of(output, packet);
  if (output.raw) note_sender(path, packet);
  auto& state = state_of(output);
  const bool gather = gathers(output, path, packet) && state.unsegmented_left == 0;
  if (state.unsegmented_left != 0) --state.unsegmented_left;
  const auto each = gather ? gso::datagrams_per_message(packet.segment) : 1;
  const auto* data = packet.payload.data();
  auto bytes = static_cast<std::uint32_t>(packet.payload.size());
  for (auto left = packet.datagrams; left != 0;) {
    Run run;
    run.datagrams = std::min(left, each);
    run.segment = packet.segment;
    run.bytes = std::min(bytes, run.datagrams * packet.segment);
    run.pages = pages_of(data, run.bytes);
    if (path.raw)
      add_raw(output, path, *send_header, run, packet.source, data, buffer);
    else
      add_run(output, path, *send_header, run, gather, data, buffer);
    data += run.bytes;
    bytes -= run.bytes;
    left -= run.datagrams;
  }
}

void Tx::add_run(const TableOutput& output, const TxPath& path, const SendHeader& send_header,
                 const Run& run, bool gather, const std::byte* data,
                 std::uint16_t buffer) noexcept {
  auto& state = outputs_[output.slot];
  const bool zerocopy =
      state.copies_left == 0 && run.segment >= zerocopy_piece_minimum && !Buffers::is_block(buffer);
  const auto page_limit = zerocopy ? gso_limits::pages : no_page_limit;
  if (gather && state.open_plus_one != 0) {
    auto& open = pool_[state.open_plus_one - 1];
    if (gso::can_append(open.shape, run, page_limit) &&
        (output.per_packet_fields == 0 ||
         (open.tx_slot == path.tx_slot && same_header(open, send_header)))) {
      if (!over_quota(open.tx_slot)) return append(open, run, data, buffer);
      return count_drop(output.slot, OutputDrop::send_queue_full, run.datagrams);
    }
  }
  auto* message = start(output, path, send_header, run);
  if (message == nullptr) return;
  append(*message, run, data, buffer);
  if (state.open_plus_one != 0) ++complete_;
  const bool open = gather && gso::can_grow(message->shape);
  if (!open) ++complete_;
  state.open_plus_one = open ? static_cast<Index>(message - pool_.data()) + 1 : 0;
}

/// One datagram, never gathered.
void Tx::add_raw(const TableOutput& output, const TxPath& path, const SendHeader& send_header,
                 const Run& run, const Endpoint& source, const std::byte* data,
                 std::uint16_t buffer) noexcept {
  auto* message = start(output, path, send_header, run);
  if (message == nullptr) return;
  message->raw = message->copy_only = true;
  message->udp_header =
      make_udp_header(source, send_header.destination.endpoint(), {data, run.bytes});
  ++raw_unresolved_[raw_place(*message)];
  message->destination.v4.sin_port = 0;  // where IPv6's is, too: a raw socket takes no other
  append(*message, run, data, buffer);
  ++complete_;
}

/// Whether a port that waits for its socket holds all it may of what the others need, too.
bool Tx::over_quota(std::uint16_t tx_slot) const noexcept {
  const auto& queue = queues_[tx_slot];
  return queue.blocked && (queue.waiting_pieces + slot_pinned_[tx_slot].buffers() >= held_by_slot ||
                           !buffers_.has_spares() || buffers_.available() < buffers_.count() / 4 ||
                           free_count_ < messages / 4);
}

/// Whether the message's send_header is this one.
bool Tx::same_header(const Message& message, const SendHeader& send_header) noexcept {
  return std::ranges::equal(std::span(message.control).first(message.control_bytes),
                            send_header.used_control()) &&
         message.destination == send_header.destination;
}

Tx::Message* Tx::start(const TableOutput& output, const TxPath& path, const SendHeader& send_header,
                       const Run& run) noexcept {
  auto& queue = queues_[path.tx_slot];
  if (queue.waiting.count >= queue_limit || over_quota(path.tx_slot)) {
    count_drop(output.slot, OutputDrop::send_queue_full, run.datagrams);
    return nullptr;
  }
  const auto index = allocate(path.tx_slot, output.slot);
  if (index == none) {
    count_drop(output.slot, OutputDrop::no_memory, run.datagrams);
    return nullptr;
  }
  auto& message = pool_[index];
  message.order = ++queue.started;
  message.destination = send_header.destination;
  message.control = {};
  std::ranges::copy(send_header.used_control(), message.control.begin());
  message.control_bytes = send_header.control_bytes;
  push(queue.waiting, index);
  activate(path.tx_slot);
  return &message;
}

void Tx::append(Message& message, const Run& run, const std::byte* data,
                std::uint16_t buffer) noexcept {
  const auto at = message.shape.pieces;
  message.pieces[at] = {const_cast<std::byte*>(data), run.bytes};
  message.buffers[at] = buffer;
  buffers_.retain(buffer);
  gso::append(message.shape, run);
  ++queues_[message.tx_slot].waiting_pieces;
  counters_.outputs[message.output_slot].in_flight.add(run.datagrams);
  if (!Buffers::is_block(buffer)) return;
  message.copy_only = true;
  auto& queue = queues_[message.tx_slot];
  if (queue.blocked) queue.waiting_pieces -= leave_blocks(message);
}

/// Copies its datagrams behind one another into a spare buffer, if there is one. Returns how many
/// pieces it has less.
std::uint32_t Tx::leave_blocks(Message& message) noexcept {
  const auto buffers = std::span(message.buffers).first(message.shape.pieces);
  if (std::ranges::none_of(buffers, Buffers::is_block)) return 0;
  auto& [memory, bytes] = message.pieces[0];
  if (!Buffers::is_spare(message.buffers[0])) {
    const auto spare = buffers_.take_spare();
    if (!spare) return 0;
    std::memcpy(buffers_.spare(*spare), memory, bytes);
    memory = buffers_.spare(*spare);
    buffers_.release(std::exchange(message.buffers[0], *spare));
  }
  for (std::uint32_t at = 1; at < message.shape.pieces; ++at) {
    const auto& piece = message.pieces[at];
    std::memcpy(static_cast<std::byte*>(memory) + bytes, piece.iov_base, piece.iov_len);
    bytes += piece.iov_len;
    buffers_.release(message.buffers[at]);
  }
  return std::exchange(message.shape.pieces, 1U) - 1;
}

std::uint32_t Tx::leave_blocks(const MessageList& list) noexcept {
  std::uint32_t less = 0;
  for (auto index = list.head; index != none; index = pool_[index].next)
    less += leave_blocks(pool_[index]);
  return less;
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
    if (!again) queue.waiting_pieces -= pool_[index].shape.pieces;
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
  // What this round has submitted is not in the kernel yet: its charge stays.
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
  leave_blocks(queue.returned);
  queue.waiting_pieces -= leave_blocks(queue.waiting);
}

/// Whether it goes in a way of which it is not known yet that the kernel takes it.
bool Tx::is_trial(const Message& message) const noexcept {
  if (message.zerocopy && zerocopies_taken_ == 0) return true;
  return message.shape.datagrams > 1 && !queues_[message.tx_slot].takes_segments &&
         !outputs_[message.output_slot].takes_segments;
}

bool Tx::worth_zerocopy(const Message& message) noexcept {
  if (!zerocopy_supported_ || message.copy_only) return false;
  // A zero-copy message stays until its notification: slow ports shall leave some to the others.
  if (free_count_ < messages / 4) return false;
  if (message.shape.bytes < zerocopy_minimum || message.shape.pages > gso_limits::pages)
    return false;
  auto& state = outputs_[message.output_slot];
  if (copies_left_ != 0 || state.copies_left != 0) {
    if (copies_left_ != 0) --copies_left_;
    if (state.copies_left != 0) --state.copies_left;
    return false;
  }
  // Many outputs of one frame pin the same buffers: while enough are free, all may.
  if (buffers_.available() >= buffers_.count() / 2) return true;
  return slot_pinned_[message.tx_slot].buffers() + message.shape.pieces <= buffers_.count() / 2 &&
         pinned_->buffers() + message.shape.pieces <= buffers_.count() * 3 / 4;
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

void Tx::send(Index index, io_uring_sqe& request) noexcept {
  auto& message = pool_[index];
  auto& state = outputs_[message.output_slot];
  if (state.open_plus_one == index + 1) state.open_plus_one = 0;

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
  message.header = {};
  message.header.msg_name = &message.destination.generic;
  message.header.msg_namelen = message.destination.length;
  message.header.msg_iov = message.pieces.data();
  message.header.msg_iovlen = message.shape.pieces;
  if (message.raw) {
    message.with_header = {iovec{message.udp_header.data(), message.udp_header.size()},
                           message.pieces[0]};
    message.header.msg_iov = message.with_header.data();
    message.header.msg_iovlen = message.with_header.size();
  }
  message.header.msg_control = message.control.data();
  message.header.msg_controllen = control_bytes;

  auto& queue = queues_[message.tx_slot];
  const Fd socket = shared_.tx[message.tx_slot].socket;
  message.zerocopy = worth_zerocopy(message);
  if (message.zerocopy) {
    pin(message);
    io_uring_prep_sendmsg_zc(&request, socket.get(), &message.header, MSG_DONTWAIT);
    request.ioprio = zerocopy_flags_;
  } else {
    io_uring_prep_sendmsg(&request, socket.get(), &message.header, MSG_DONTWAIT);
  }
  request.user_data = Token{.op = Op::send, .slot = message.tx_slot, .index = index}.bits();
  ++queue.with_kernel;
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

Tx::Index Tx::allocate(std::uint16_t tx_slot, std::uint32_t output_slot) noexcept {
  if (free_count_ == 0) return none;
  const auto index = free_[--free_count_];
  auto& message = pool_[index];
  message.shape = {};
  message.output_slot = output_slot;
  message.tx_slot = tx_slot;
  message.notifications = message.stale = 0;
  message.zerocopy = message.copy_only = message.retried = message.raw = false;
  message.answered = message.accepted = message.was_copied = false;
  auto& unresolved = shared_.tx[tx_slot].unresolved;
  unresolved.store(unresolved.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return index;
}

}  // namespace mcr
