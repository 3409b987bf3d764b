// Receives frames: AF_PACKET sockets (packet(7)), read from a ring of blocks (rx_ring.hpp) or by
// multishot recvmsg.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mcr/base/fd.hpp"
#include "mcr/dataplane/buffers.hpp"
#include "mcr/dataplane/ring.hpp"
#include "mcr/dataplane/rx_ring.hpp"
#include "mcr/dataplane/worker_sockets.hpp"
#include "mcr/packet/parse.hpp"
#include "mcr/rules/counters.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

enum class Fanout : std::uint8_t;

/// A socket's ring, as it is asked for.
struct RingRequest {
  RingLayout layout = RingLayout::slots;
  std::uint64_t bytes = 0;  ///< at least
};

/// A worker's socket; with a ring if it has blocks. The ring goes first.
struct RxSocket {
  UniqueFd socket;
  std::optional<BlockRing> ring;
};

/// One socket per worker (of a lane: one), all of one fanout group of its own. They pass nothing
/// until pass_only(). `interface` is only its name in errors. `ring`: what each socket has, if any.
/// Throws OsError.
[[nodiscard]] std::vector<RxSocket> open_rx_sockets(const std::string& interface, const RxKey& key,
                                                    Fanout fanout, std::size_t workers,
                                                    std::optional<RingRequest> ring);

/// Lets pass what is sent to these destinations, from the next frame on; empty: nothing. The filter
/// is the most exact one that the kernel takes (net.core.optmem_max limits it). Throws OsError,
/// with the sockets passing this, or at least what they passed before. `interface`: for errors.
/// `relayed`: see compile_filter().
void pass_only(const std::string& interface, std::span<const Fd> sockets,
               std::span<const Endpoint> destinations, const RxKey& key, std::size_t link_header,
               std::uint32_t relayed = 0);

/// PACKET_STATISTICS since the last call, in frames.
struct RxStatistics {
  std::uint32_t offered = 0;  ///< passed the filter, dropped ones included
  std::uint32_t dropped = 0;  ///< the socket had no room
};
[[nodiscard]] RxStatistics take_statistics(Fd socket);

/// One received frame; borrowed from its buffer, on which the receiver holds one reference.
struct Frame {
  std::uint16_t slot = 0;
  std::uint16_t buffer = 0;
  bool whole = true;  ///< false: the frame was longer than the buffer
  VnetHeader vnet;
  std::span<const std::byte> bytes;
};

/// One worker's receiving side. Worker thread only.
class Rx {
 public:
  Rx(Ring& ring, Buffers& buffers, WorkerSockets& sockets, CounterBlock& counters);

  /// Receives on the table's sockets and on no others.
  void use_table(const RuleTable& table) noexcept;
  /// Stops receiving on all sockets.
  void stop() noexcept;

  /// A receive completion.
  void complete(Token token, const io_uring_cqe& completion) noexcept;

  /// The next frame that has been received, with one reference on its buffer.
  std::optional<Frame> next() noexcept;
  /// Frames that are known to wait for next(); there may be more in the blocks of a ring.
  [[nodiscard]] std::uint32_t waiting() const noexcept { return frames_.size(); }
  /// True if so many wait, of one socket at least.
  [[nodiscard]] bool has(std::uint32_t frames) const noexcept;
  [[nodiscard]] bool empty() const noexcept;

  /// Gives blocks of rings back that messages still refer to: these find their content by
  /// Buffers::follow(). Only while no request is on its way to the kernel.
  void leave_blocks() noexcept;
  /// True if some slot receives by a ring of blocks.
  [[nodiscard]] bool has_rings() const noexcept { return !rings_.empty(); }

  /// While empty(): sockets that have ended are given back to control.
  void release_idle_sockets() noexcept;

  /// Arms again what ended for want of buffers, if enough have come back; asks again for what the
  /// ring had no room for.
  void rearm() noexcept;
  /// True if some slot still has a receive with the kernel.
  [[nodiscard]] bool busy() const noexcept { return armed_.any() || fetches_.any(); }

 private:
  /// Frames of multishot receives; each holds a buffer, so they cannot be more.
  class Queue {
   public:
    void push(const Frame& frame) noexcept { frames_[(first_ + size_++) % Buffers::most] = frame; }
    Frame pop() noexcept {
      --size_;
      return frames_[first_++ % Buffers::most];
    }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

   private:
    std::vector<Frame> frames_{Buffers::most};
    std::uint32_t first_ = 0;
    std::uint32_t size_ = 0;
  };

  /// Frames that were longer than their slots, by socket in the order of these; each holds a
  /// buffer.
  class LongFrames {
   public:
    void push(const Frame& frame) noexcept {
      auto& [first, last] = lists_[frame.slot];
      (first == none ? first : places_[last].next) = frame.buffer;
      last = frame.buffer;
      places_[last] = {frame, none};
    }
    Frame pop(std::uint16_t slot) noexcept {
      const auto& [frame, next] = places_[lists_[slot].first];
      lists_[slot].first = next;
      return frame;
    }
    [[nodiscard]] bool has(std::uint16_t slot) const noexcept { return lists_[slot].first != none; }

   private:
    static constexpr std::uint16_t none = Buffers::most;
    struct Place {
      Frame frame;
      std::uint16_t next = none;
    };
    struct List {
      std::uint16_t first = none;
      std::uint16_t last = none;
    };
    std::vector<Place> places_{Buffers::most};  ///< by buffer
    std::vector<List> lists_{slots::rx};
  };

  void arm(std::uint16_t slot) noexcept;
  void ended(std::uint16_t slot, int result) noexcept;
  [[nodiscard]] bool ready(std::uint16_t slot) const noexcept;
  [[nodiscard]] bool lacks_bytes(std::uint16_t slot) const noexcept;
  void push(const Frame& frame) noexcept;
  std::optional<Frame> next_in_block(std::uint16_t slot) noexcept;
  void fetch(std::uint16_t slot) noexcept;
  void fetched(std::uint16_t slot, int result) noexcept;
  void drop_long_frames(std::uint16_t slot) noexcept;
  void cancel(std::uint16_t slot) noexcept;
  std::optional<Frame> read(std::uint16_t slot, std::uint16_t buffer, int result) noexcept;
  void count_unreadable(std::uint16_t slot) noexcept;

  Ring& ring_;
  Buffers& buffers_;
  WorkerSockets& sockets_;
  CounterBlock& counters_;
  msghdr header_{};
  std::bitset<slots::rx> wanted_;
  std::bitset<slots::rx> armed_;
  std::bitset<slots::rx> starved_;      ///< wait for buffers, or for room in the ring
  std::bitset<slots::rx> uncancelled_;  ///< not wanted, and the cancellation found no room
  std::bitset<slots::rx> ended_;        ///< and not wanted any more
  std::bitset<slots::rx> fetches_;      ///< long frames: the request is on its way
  std::bitset<slots::rx> unfetched_;    ///< and no buffer was left for them
  std::bitset<slots::rx> gone_;         ///< the next long frame is not in the socket
  Queue frames_;
  LongFrames long_frames_;
  std::vector<std::uint16_t> rings_;  ///< sockets with a ring
  std::size_t turn_ = 0;              ///< in rings_: whose block is being read
  const bool superframes_described_;
};

}  // namespace mcr
