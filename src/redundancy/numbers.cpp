// Digests find legs that are no copies, and copies where there are no numbers. They protect from
// mistakes, not from an attacker: who can send into a group can send what he likes.
#include "mcr/redundancy/numbers.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "mcr/stream/moldudp64.hpp"
#include "mcr/stream/rtp.hpp"

namespace mcr::redundancy {

namespace {

using detail::mixed;
using detail::odd;

std::uint64_t word_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  std::uint64_t word = 0;
  if (at < bytes.size())
    std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(sizeof word, bytes.size() - at));
  return word;
}

std::uint32_t digest_of_ends(std::span<const std::byte> bytes) noexcept {
  using Word = std::uint64_t;
  if (bytes.size() >= 2 * sizeof(Word)) [[likely]]
    return detail::digest_of_ends(
        detail::word_at<Word>(bytes.data()), detail::word_at<Word>(bytes.data() + sizeof(Word)),
        detail::word_at<Word>(bytes.data() + bytes.size() - sizeof(Word)), bytes.size());
  const auto end = bytes.size() > sizeof(std::uint64_t) ? bytes.size() - sizeof(std::uint64_t) : 0;
  return detail::digest_of_ends(word_at(bytes, 0), word_at(bytes, 8), word_at(bytes, end),
                                bytes.size());
}

/// `bytes` (1 to 8) of them.
std::uint64_t number_at(std::span<const std::byte> datagram, std::size_t at, std::size_t bytes,
                        bool little_endian) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = value << 8U |
            std::to_integer<std::uint64_t>(datagram[at + (little_endian ? bytes - 1 - i : i)]);
  return value;
}

std::optional<Bearing> read_field(const NumberField& field,
                                  std::span<const std::byte> datagram) noexcept {
  const auto end = std::max(std::size_t{field.offset} + field.bytes,
                            std::size_t{field.step_offset} + field.step_bytes);
  if (datagram.size() < end) return {};
  Bearing bearing;
  bearing.number = number_at(datagram, field.offset, field.bytes, field.little_endian);
  if (field.step_bytes != 0)
    bearing.step = number_at(datagram, field.step_offset, field.step_bytes, field.little_endian);
  return bearing;
}

std::optional<Bearing> read_numbers(const Merge& merge,
                                    std::span<const std::byte> datagram) noexcept {
  switch (merge.by) {
    case Merge::By::rtp:
      if (const auto rtp = stream::read_rtp(datagram)) return Bearing{rtp->ssrc, 0, rtp->sequence};
      return {};
    case Merge::By::moldudp64:
      if (const auto mold = stream::read_moldudp64(datagram))
        return Bearing{mold->session, 0, mold->sequence, mold->messages};
      return {};
    case Merge::By::sequence:
      return read_field(merge.numbers, datagram);
    case Merge::By::content:
      return {};
  }
  return {};
}

}  // namespace

std::optional<Bearing> read_any_bearing(const Merge& merge,
                                        std::span<const std::byte> datagram) noexcept {
  auto bearing = read_numbers(merge, datagram);
  if (bearing) bearing->digest = digest_of_ends(datagram);
  return bearing;
}

stream::NumberSpace number_space(const Merge& merge) noexcept {
  if (merge.by == Merge::By::moldudp64) return stream::numbers_of(8);
  return merge.by == Merge::By::rtp ? stream::rtp_numbers : stream::numbers_of(merge.numbers.bytes);
}

/// Four words at a time, so that no multiplication waits for another.
std::uint64_t digest_of_all(std::span<const std::byte> datagram) noexcept {
  using Word = std::uint64_t;
  constexpr std::size_t stride = 4 * sizeof(Word);
  Word a = datagram.size();
  Word b = odd;
  Word c = 2 * odd;
  Word d = 3 * odd;
  const auto add = [&](Word w, Word x, Word y, Word z) {
    a = mixed(a ^ w) + odd;
    b = mixed(b ^ x) + odd;
    c = mixed(c ^ y) + odd;
    d = mixed(d ^ z) + odd;
  };
  std::size_t at = 0;
  for (; at + stride <= datagram.size(); at += stride) {
    const auto* from = datagram.data() + at;
    add(detail::word_at<Word>(from), detail::word_at<Word>(from + sizeof(Word)),
        detail::word_at<Word>(from + 2 * sizeof(Word)),
        detail::word_at<Word>(from + 3 * sizeof(Word)));
  }
  if (at < datagram.size())
    add(word_at(datagram, at), word_at(datagram, at + sizeof(Word)),
        word_at(datagram, at + 2 * sizeof(Word)), word_at(datagram, at + 3 * sizeof(Word)));
  return mixed(a ^ mixed(b ^ mixed(c ^ mixed(d))));
}

}  // namespace mcr::redundancy
