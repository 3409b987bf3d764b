// Chunks are lent to Buffers as blocks of a receive ring are: messages that leave hold references
// on them, and the last reference gives a chunk back. One chunk is filled at a time, by all rules
// together; it is free again when the last datagram in it has left. The lowest free chunk is next,
// so that little memory is touched.
#include "mcr/dataplane/waiting_room.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace mcr {

using redundancy::Waiting;

bool WaitingRoom::open_chunk() noexcept {
  if (open_) buffers_.release(*open_);
  open_.reset();
  const auto free = std::ranges::find(status_, 0U);
  if (free == status_.end()) return false;
  chunk_ = static_cast<std::size_t>(free - status_.begin());
  open_ = buffers_.lend({.memory = memory_.data() + chunk_ * Buffers::block_size,
                         .status = &*free,
                         .in_use = &in_use_});
  if (!open_) return false;
  *free = 1;
  used_ = 0;
  return true;
}

Waiting* WaitingRoom::put(const Packet& packet) noexcept {
  constexpr auto alignment = alignof(Waiting);
  const auto wanted =
      (sizeof(Waiting) + packet.payload.size() + alignment - 1) / alignment * alignment;
  if ((!open_ || used_ + wanted > Buffers::block_size) && !open_chunk()) return nullptr;
  auto* memory = memory_.data() + chunk_ * Buffers::block_size + used_;
  used_ += wanted;
  auto* payload = memory + sizeof(Waiting);
  std::memcpy(payload, packet.payload.data(), packet.payload.size());
  auto* waiting = new (memory) Waiting;
  waiting->buffer = *open_;
  waiting->packet = packet;
  waiting->packet.payload = {payload, packet.payload.size()};
  buffers_.retain(*open_);
  return waiting;
}

}  // namespace mcr
