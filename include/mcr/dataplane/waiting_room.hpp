// The memory of datagrams that wait for others (redundancy/sequencer.hpp): copies, one behind the
// other, so that no receive buffer is held for one datagram of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "mcr/base/mapping.hpp"
#include "mcr/dataplane/buffers.hpp"
#include "mcr/redundancy/sequencer.hpp"

namespace mcr {

/// One worker's, for all of its rules. Worker thread only; nothing here allocates after
/// construction. Its memory is resident only where something has waited.
class WaitingRoom {
 public:
  static constexpr std::size_t chunks = 256;
  static constexpr std::size_t bytes = chunks * Buffers::block_size;

  /// `buffers` outlives it. Throws OsError.
  explicit WaitingRoom(Buffers& buffers) : buffers_(buffers) {}

  /// A copy of a packet of one datagram. It holds a reference on its buffer, for the caller to
  /// release. Null: no room.
  [[nodiscard]] redundancy::Waiting* put(const Packet& packet) noexcept;

 private:
  [[nodiscard]] bool open_chunk() noexcept;

  Buffers& buffers_;
  Mapping<std::byte> memory_{bytes};
  std::array<std::uint32_t, chunks> status_{};  ///< 0: free
  std::uint32_t in_use_ = 0;                    ///< chunks
  std::optional<std::uint16_t> open_;           ///< the chunk that is being filled: its buffer
  std::size_t chunk_ = 0;                       ///< its number
  std::size_t used_ = 0;                        ///< its bytes
};

}  // namespace mcr
