// The number that a datagram of a merged stream bears, by which its copies are known.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "mcr/config/redundancy.hpp"
#include "mcr/stream/sequence_tracker.hpp"

namespace mcr::redundancy {

struct Bearing {
  std::uint32_t id = 0;      ///< SSRC, or a digest of the session
  std::uint32_t digest = 0;  ///< of length, begin and end: copies have the same
  std::uint64_t number = 0;
  std::uint64_t step = 1;  ///< numbers that it takes; 0: none (a heartbeat)
};

/// Any datagram's, by any Merge::By but content.
[[nodiscard]] std::optional<Bearing> read_any_bearing(const Merge& merge,
                                                      std::span<const std::byte> datagram) noexcept;

namespace detail {

inline constexpr std::uint64_t odd = 0x9E37'79B9'7F4A'7C15;

[[nodiscard]] inline std::uint64_t mixed(std::uint64_t word) noexcept {
  word = (word ^ word >> 32U) * odd;
  return word ^ word >> 29U;
}

/// From the first 16 bytes, the last 8, and the size.
[[nodiscard]] inline std::uint32_t digest_of_ends(std::uint64_t first, std::uint64_t second,
                                                  std::uint64_t last, std::size_t size) noexcept {
  const auto sum = mixed(first + size) ^ mixed(second + odd) ^ mixed(last + 2 * odd);
  return static_cast<std::uint32_t>(sum >> 32U);
}

template <typename Word>
[[nodiscard]] Word word_at(const std::byte* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

[[nodiscard]] inline std::uint32_t big_endian(std::uint32_t word) noexcept {
  return std::endian::native == std::endian::big ? word : __builtin_bswap32(word);
}

}  // namespace detail

/// Nothing: it bears no number. Not for Merge::By::content. RTP as nearly all senders make it, with
/// nothing between header and payload, is read here (RFC 3550, 5.1; not RTCP: RFC 5761, section 4).
[[nodiscard]] inline std::optional<Bearing> read_bearing(
    const Merge& merge, std::span<const std::byte> datagram) noexcept {
  constexpr std::size_t least = 16;          // bytes: the header, and what the digest reads
  constexpr std::uint32_t version_2 = 0x80;  // and no padding, extension, CSRC
  if (merge.by != Merge::By::rtp || datagram.size() < least) [[unlikely]]
    return read_any_bearing(merge, datagram);
  const auto* at = datagram.data();
  const auto head = detail::big_endian(detail::word_at<std::uint32_t>(at));
  const auto type = head >> 16U & 0xFFU;
  if (head >> 24U != version_2 || (type >= 192 && type <= 223)) [[unlikely]]
    return read_any_bearing(merge, datagram);
  using Word = std::uint64_t;
  return Bearing{detail::big_endian(detail::word_at<std::uint32_t>(at + 8)),
                 detail::digest_of_ends(
                     detail::word_at<Word>(at), detail::word_at<Word>(at + sizeof(Word)),
                     detail::word_at<Word>(at + datagram.size() - sizeof(Word)), datagram.size()),
                 head & 0xFFFFU};
}

/// The numbers of such a stream.
[[nodiscard]] stream::NumberSpace number_space(const Merge& merge) noexcept;

/// A digest of all of the datagram, 64 bits.
[[nodiscard]] std::uint64_t digest_of_all(std::span<const std::byte> datagram) noexcept;

}  // namespace mcr::redundancy
