// Sends copies: UDP sockets (udp(7)), one queue for each tx slot.
// Theory in tx.cpp.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/dataplane/buffers.hpp"
#include "mcr/dataplane/capture.hpp"
#include "mcr/dataplane/message_state.hpp"
#include "mcr/dataplane/quota.hpp"
#include "mcr/dataplane/ring.hpp"
#include "mcr/dataplane/segmentation_policy.hpp"
#include "mcr/dataplane/worker_sockets.hpp"
#include "mcr/dataplane/zerocopy_policy.hpp"
#include "mcr/packet/gso_batch.hpp"
#include "mcr/packet/parse.hpp"
#include "mcr/rules/counters.hpp"
#include "mcr/rules/send_refusal.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

/// A socket for one tx slot of one worker. Interface and source address are said by each
/// message's control data. Throws OsError.
[[nodiscard]] UniqueFd open_tx_socket(const std::string& interface, const TxKey& key);

/// One worker's sending side. Worker thread only; nothing here allocates after construction.
class Tx {
 public:
  /// Messages there are in all, and that may wait at one slot that takes no more for now.
  static constexpr std::uint32_t messages = 4096;
  static constexpr std::uint32_t queue_limit = 1024;
  static constexpr std::uint32_t bulk_messages = 64;

  /// `baseline` sends each datagram alone and copied, which shows what `bulk` brings.
  enum class Mode : std::uint8_t { bulk, baseline };

  Tx(Ring& ring, Buffers& buffers, WorkerSockets& sockets, CounterBlock& counters, Mode mode);

  /// Messages of the table before stay as they are.
  void use_table(const RuleTable& table) noexcept;

  /// The part that add() took: the packet's first `datagrams`. If it is not all, the rest is for
  /// the caller to add again, or to drop() for `lack`.
  struct Added {
    std::uint32_t datagrams;
    OutputDrop lack = OutputDrop::send_queue_full;
    /// The socket is full, and holds all that it may of what the others need. Else messages ran
    /// short: flush(), submit and reap give some back, if flush() has something to hand over.
    bool blocked = false;
  };

  /// Takes a copy of the packet's datagrams for this output: gathers them into messages, or counts
  /// a drop. `buffer` holds the payload; each message keeps a reference of its own.
  [[nodiscard]] Added add(const TableOutput& output, const Packet& packet,
                          std::uint16_t buffer) noexcept;

  /// Counts the packet's datagrams, which are dropped before add() took them.
  void drop(const TableOutput& output, OutputDrop reason, const Packet& dropped) noexcept {
    counters_.outputs[output.slot].matched.add(dropped.datagrams);
    count_drop(output.slot, reason, dropped.datagrams);
    if (captures_ != nullptr) [[unlikely]]
      capture(output, reason, dropped);
  }

  /// Messages that begin with a datagram of this frame are timed: from `since_ns` (CLOCK_MONOTONIC)
  /// until the kernel has accepted them. 0: with nothing of it.
  void time(std::uint64_t since_ns, std::uint32_t rule_slot = 0) noexcept {
    timed_ = {since_ns, rule_slot, generation_};
  }

  /// Captures look at what is sent and dropped from here on; null: none does. Borrowed until the
  /// next call. `worker`: the number of this one.
  void capture_for(const Captures* captures, std::size_t worker) noexcept {
    captures_ = captures;
    worker_ = worker;
  }

  /// Messages that nothing joins any more: enough of them are worth a flush() in the middle of a
  /// batch, while their memory is in the cache, and before their pinned buffers reach the limit.
  [[nodiscard]] bool has_bulk() const noexcept { return complete_ >= bulk_messages; }

  /// Turns waiting messages into requests as far as the sockets have room; true if there were any.
  bool flush() noexcept;

  /// The completion of a send, its zero-copy notification, or of the wait for room.
  void complete(Token token, const io_uring_cqe& completion) noexcept;

  /// Drops what waits and cannot be sent, for a stop.
  void abandon() noexcept;
  /// True if the kernel still owes completions.
  [[nodiscard]] bool busy() const noexcept { return free_count_ != messages; }

 private:
  using Index = std::uint32_t;
  static constexpr Index none = messages;

  /// How a message may go.
  enum class Way : std::uint8_t {
    any,   ///< with or without a copy
    copy,  ///< its memory may not be pinned, or the kernel had none to pin
    raw,   ///< copied: one datagram, and its UDP header from us
  };
  /// How it went last.
  enum class Went : std::uint8_t { copied, pinned, pinned_and_copied };

  struct Timed {
    std::uint64_t since_ns = 0;  ///< 0: it is not
    std::uint32_t rule = 0;      ///< slot
    std::uint32_t generation = 0;
  };

  struct Message {
    GsoBatch shape;
    std::uint64_t order;  ///< among the messages of its slot
    Timed timed;
    std::uint32_t output_slot;  ///< of its counters
    std::uint16_t tx_slot;
    MessageState state;  ///< changed by become() alone
    Way way;
    Went went;
    std::uint8_t refusals;       ///< so far
    std::uint8_t notifications;  ///< zero-copy: still to come
    std::uint8_t stale;          ///< of those, for attempts that were refused
    std::uint8_t held;           ///< its pieces in receive buffers
    Index next;
    std::uint8_t control_bytes;
    SocketAddress destination;
    msghdr header;
    alignas(8) std::array<std::byte, SendHeader::control_most + 24> control;  ///< and UDP_SEGMENT
    // A raw one's header, and both parts for the kernel.
    std::array<std::byte, 8> udp_header;
    std::array<iovec, 2> with_header;
    std::array<iovec, gso_limits::pieces> pieces;
    std::array<std::uint16_t, gso_limits::pieces> buffers;
  };

  /// Messages in order, linked by `next`.
  struct MessageList {
    Index head = none;
    Index tail = none;
    std::uint32_t count = 0;
  };

  struct SlotQueue {
    MessageList waiting;
    MessageList returned;            ///< refused for now; go before `waiting`
    std::uint32_t with_kernel = 0;   ///< requests without their result
    std::uint64_t started = 0;       ///< messages so far
    std::uint64_t charged = 0;       ///< upper bound of what the socket's send buffer holds, bytes
    std::uint32_t waiting_held = 0;  ///< references on receive buffers that `waiting` holds
    bool blocked = false;            ///< waits for the socket to be writable
    bool takes_segments = false;     ///< to groups: a segmented message was not refused as such
    bool listed = false;             ///< in active_
  };

  /// One output's, found by its counter slot. All of it belongs to one table.
  struct OutputState {
    std::uint32_t generation = 0;  ///< of generation_
    Index open_plus_one = 0;       ///< message that still gathers; 0: none
    ZerocopyHistory zerocopy = {};
    SegmentationPolicy segmentation = {};
  };

  /// The way of a packet out of an output.
  struct TxPath {
    std::uint16_t tx_slot;
    bool raw;
  };

  // Building messages.
  [[nodiscard]] TxPath path_of(const TableOutput& output, const Packet& packet) const noexcept;
  [[nodiscard]] static std::size_t raw_place(std::uint16_t tx_slot,
                                             std::uint16_t source_port) noexcept;
  [[nodiscard]] static std::size_t raw_place(const Message& message) noexcept;
  [[nodiscard]] OutputState& state_of(const TableOutput& output) noexcept;
  void note_sender(const TxPath& path, const Packet& packet) noexcept;
  [[nodiscard]] bool may_gather(const TableOutput& output, const TxPath& path,
                                const Packet& packet) const noexcept;
  /// Takes the run, or counts it as a drop. Where messages run short it does neither, and says why.
  std::optional<OutputDrop> add_run(const TableOutput& output, const TxPath& path,
                                    const SendHeader& send_header, const Run& run, bool gather,
                                    const Packet& packet, const std::byte* data,
                                    std::uint16_t buffer) noexcept;
  [[nodiscard]] std::optional<OutputDrop> lack_at(std::uint16_t tx_slot) const noexcept;
  Index start(const TableOutput& output, const TxPath& path,
              const SendHeader& send_header) noexcept;
  void make_raw(Message& message, const Endpoint& source, const SendHeader& send_header,
                std::span<const std::byte> payload) noexcept;
  [[nodiscard]] static bool same_header(const Message& message,
                                        const SendHeader& send_header) noexcept;
  void append(Message& message, const Run& run, const std::byte* data,
              std::uint16_t buffer) noexcept;
  [[nodiscard]] bool over_quota(std::uint16_t tx_slot) const noexcept;
  [[nodiscard]] Stock stock() const noexcept;

  // The life of a message: its picture is in message_state.hpp.
  void become(Message& message, MessageState next) noexcept;

  // Handing them to the kernel.
  bool flush_slot(std::uint16_t tx_slot) noexcept;
  [[nodiscard]] bool has_send_buffer(std::uint16_t tx_slot) noexcept;
  void await_writable(std::uint16_t tx_slot) noexcept;
  void send(Index index, io_uring_sqe& request) noexcept;
  void prepare(Message& message) noexcept;
  [[nodiscard]] bool worth_zerocopy(const Message& message) noexcept;
  [[nodiscard]] bool is_trial(const Message& message) const noexcept;
  void pin(const Message& message) noexcept;
  void unpin(const Message& message) noexcept;

  // Hearing back (tx_completion.cpp).
  void sent(Message& message) noexcept;
  void on_accepted(const Message& message) noexcept;
  void refused(Index index, int error) noexcept;
  void send_again(Index index) noexcept;
  void split(Index index) noexcept;
  void drop(Message& message, OutputDrop reason) noexcept;
  void count_drop(std::uint32_t slot, OutputDrop reason, std::uint32_t datagrams) noexcept;
  void note_refusal(std::uint32_t slot, RefusalCode code, std::uint32_t datagrams) noexcept;
  void drop_overtaken(const Message& sent) noexcept;
  void finish(Index index) noexcept;
  void learn(const Message& message) noexcept;
  void note_latency(const Timed& timed) noexcept;

  // For captures (tx_capture.cpp).
  void capture(const TableOutput& output, OutputDrop reason, const Packet& dropped) const noexcept;
  /// Nothing: it was sent.
  void capture(Message& message, std::optional<OutputDrop> reason) const noexcept;

  void activate(std::uint16_t tx_slot) noexcept;
  void push(MessageList& list, Index index) noexcept;
  Index pop(MessageList& list) noexcept;
  Index allocate(std::uint16_t tx_slot, std::uint32_t output_slot) noexcept;

  Ring& ring_;
  Buffers& buffers_;
  WorkerSockets& shared_;
  CounterBlock& counters_;
  const Mode mode_;
  ZerocopyPolicy zerocopy_;
  const std::uint16_t zerocopy_flags_;
  Timed timed_;
  const Captures* captures_ = nullptr;
  std::size_t worker_ = 0;
  std::uint64_t table_in_use_ = 0;
  std::uint32_t generation_ = 0;  ///< counts the tables in use, one after the other
  SendHeader filled_;             ///< of the packet in add(), where the output's per_packet_fields
  Mapping<Message> pool_{messages};
  Mapping<OutputState> outputs_{slots::outputs};
  std::vector<SlotQueue> queues_;
  /// Raw messages without a result, by a hash of tx slot and source port: of two senders that share
  /// a place one may change its socket later than it could.
  static constexpr std::size_t raw_places = 1024;
  std::vector<std::uint16_t> raw_unresolved_ = std::vector<std::uint16_t>(raw_places);
  std::vector<Index> free_;  ///< its first free_count_ are free
  std::uint32_t free_count_ = messages;
  std::vector<std::uint16_t> active_;  ///< slots with something waiting
  Mapping<Pins> pinned_{1};            ///< by all slots
  Mapping<Pins> slot_pinned_{slots::tx};
  std::uint32_t complete_ = 0;  ///< waiting messages that gather no more, since the last flush
};

}  // namespace mcr
