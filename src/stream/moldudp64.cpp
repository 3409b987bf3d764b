#include "mcr/stream/moldudp64.hpp"

#include <algorithm>

#include "bytes.hpp"

namespace mcr::stream {

namespace {

constexpr std::size_t session_bytes = 10;
constexpr std::size_t header_bytes = 20;
constexpr std::uint32_t end_of_session = 0xFFFF;

/// Letters, digits and spaces, as a session's name has.
bool is_text(std::span<const std::byte> bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte byte) {
    const auto character = std::to_integer<unsigned>(byte);
    return character >= 0x20 && character < 0x7F;
  });
}

/// Each message has its length before it, 2 bytes.
bool filled_by(std::span<const std::byte> blocks, std::uint32_t messages) noexcept {
  for (; messages > 0; --messages) {
    if (blocks.size() < 2) return false;
    const std::size_t size = 2U + read_u16(blocks.data());
    if (blocks.size() < size) return false;
    blocks = blocks.subspan(size);
  }
  return blocks.empty();
}

/// FNV-1a.
std::uint32_t digest(std::span<const std::byte> bytes) noexcept {
  std::uint32_t state = 0x811C9DC5;
  for (const auto byte : bytes)
    state = (state ^ std::to_integer<std::uint32_t>(byte)) * 0x01000193;
  return state;
}

}  // namespace

std::optional<MoldHeader> read_moldudp64(std::span<const std::byte> datagram) noexcept {
  if (datagram.size() < header_bytes) return {};
  const auto session = datagram.first(session_bytes);
  std::uint32_t messages = read_u16(datagram.data() + 18);
  if (messages == end_of_session) messages = 0;
  if (!is_text(session) || !filled_by(datagram.subspan(header_bytes), messages)) return {};
  return MoldHeader{digest(session), read_big(datagram.data() + session_bytes, 8), messages};
}

}  // namespace mcr::stream
