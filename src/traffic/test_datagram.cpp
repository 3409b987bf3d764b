// The checksum must cost next to nothing on both sides. The filler never changes, so the generator
// sums it once and adds the header's three words for each datagram. The sink sums everything, four
// words at a time in four independent lanes: a multiplication takes three cycles, which a single
// lane would spend waiting.
//
// For a given word, a step maps states one-to-one; for a given state, it maps words one-to-one. A
// change within one word therefore always changes the sum, and the rotation makes it unlikely that
// two changes cancel out. The checksum finds faults, not forgeries.
#include "mcr/traffic/test_datagram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace mcr {

namespace {

constexpr std::uint32_t magic = 0x3170434D;
constexpr std::uint64_t multiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio, odd

constexpr std::uint64_t little_endian(std::uint64_t word) noexcept {
  if constexpr (std::endian::native == std::endian::big) return __builtin_bswap64(word);
  return word;
}

std::uint64_t load(const std::uint8_t* from) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return little_endian(word);
}

void store(std::uint8_t* to, std::uint64_t word) noexcept {
  word = little_endian(word);
  std::memcpy(to, &word, sizeof word);
}

constexpr std::uint64_t step(std::uint64_t state, std::uint64_t word) noexcept {
  return std::rotl((state ^ word) * multiplier, 29);
}

std::uint64_t sum(std::span<const std::uint8_t> bytes) noexcept {
  std::array<std::uint64_t, 4> lanes{1, 2, 3, 4};
  while (bytes.size() >= 32) {
    for (std::size_t lane = 0; lane < 4; ++lane)
      lanes[lane] = step(lanes[lane], load(bytes.data() + 8 * lane));
    bytes = bytes.subspan(32);
  }
  for (; bytes.size() >= 8; bytes = bytes.subspan(8))
    lanes[0] = step(lanes[0], load(bytes.data()));
  std::array<std::uint8_t, 8> rest{};
  std::copy(bytes.begin(), bytes.end(), rest.begin());
  lanes[0] = step(lanes[0], load(rest.data()));
  return step(step(step(lanes[0], lanes[1]), lanes[2]), lanes[3]);
}

std::uint64_t checksum(const std::uint8_t* header, std::uint64_t filler_sum,
                       std::size_t size) noexcept {
  std::uint64_t state = step(filler_sum, size);
  for (std::size_t offset = 0; offset < 24; offset += 8)
    state = step(state, load(header + offset));
  return state ^ (state >> 32U);
}

std::uint8_t filler_byte(std::size_t offset) noexcept {
  std::uint64_t word = (offset / 8 + 1) * multiplier;
  word = (word ^ (word >> 30U)) * 0xBF58476D1CE4E5B9;
  word = (word ^ (word >> 27U)) * 0x94D049BB133111EB;
  return static_cast<std::uint8_t>(word >> (offset % 8 * 8));
}

}  // namespace

ProbeWriter::ProbeWriter(std::size_t size) : size_(size) {
  std::vector<std::uint8_t> payload(size);
  fill(payload);
  if (size >= probe_header_bytes) filler_sum_ = sum(std::span(payload).subspan(probe_header_bytes));
}

void ProbeWriter::fill(std::span<std::uint8_t> payload) const noexcept {
  for (std::size_t offset = 0; offset < size_; ++offset)
    payload[offset] = filler_byte(offset);
}

void ProbeWriter::stamp(std::span<std::uint8_t> payload, const Probe& probe) const noexcept {
  if (size_ < probe_header_bytes) return;
  store(payload.data(), magic | std::uint64_t{probe.stream} << 32U);
  store(payload.data() + 8, probe.sequence);
  store(payload.data() + 16, probe.sent_ns);
  store(payload.data() + 24, checksum(payload.data(), filler_sum_, size_));
}

std::optional<Probe> read_probe(std::span<const std::uint8_t> payload) noexcept {
  if (payload.size() < probe_header_bytes) return std::nullopt;
  const auto first = load(payload.data());
  if (static_cast<std::uint32_t>(first) != magic) return std::nullopt;
  const auto filler_sum = sum(payload.subspan(probe_header_bytes));
  if (load(payload.data() + 24) != checksum(payload.data(), filler_sum, payload.size()))
    return std::nullopt;
  return Probe{static_cast<std::uint32_t>(first >> 32U), load(payload.data() + 8),
               load(payload.data() + 16)};
}

bool SequenceTracker::test(std::uint64_t sequence) const noexcept {
  return (seen_[sequence % window / 64] >> sequence % 64 & 1U) != 0;
}

void SequenceTracker::set(std::uint64_t sequence) noexcept {
  seen_[sequence % window / 64] |= std::uint64_t{1} << sequence % 64;
}

void SequenceTracker::clear_between(std::uint64_t low, std::uint64_t high) noexcept {
  if (high - low > window) return seen_.fill(0);
  for (auto sequence = low + 1; sequence < high; ++sequence)
    seen_[sequence % window / 64] &= ~(std::uint64_t{1} << sequence % 64);
}

void SequenceTracker::advance(std::uint64_t sequence) noexcept {
  lost_ += sequence - highest_ - 1;
  clear_between(highest_, sequence);
  highest_ = sequence;
  set(sequence);
}

void SequenceTracker::late(std::uint64_t sequence) noexcept {
  if (highest_ - sequence >= window) {
    ++reordered_;
  } else if (test(sequence)) {
    ++duplicated_;
  } else {
    ++reordered_;
    if (sequence > first_) --lost_;
    set(sequence);
  }
}

void SequenceTracker::saw(std::uint64_t sequence) noexcept {
  if (!started_) {
    started_ = true;
    first_ = highest_ = sequence;
    set(sequence);
  } else if (sequence > highest_) {
    advance(sequence);
  } else {
    late(sequence);
  }
}

// The highest set bit of a duration chooses the octave, the next 6 bits the bucket in it. Below
// 128 ns each ns has a bucket.
std::size_t LatencyHistogram::bucket(std::uint64_t ns) noexcept {
  ns = std::min(ns, (std::uint64_t{1} << max_bits) - 1);
  const auto width = static_cast<unsigned>(std::bit_width(ns));
  const unsigned shift = width > sub_bits + 1 ? width - sub_bits - 1 : 0;
  return (std::size_t{shift} << sub_bits) + (ns >> shift);
}

std::uint64_t LatencyHistogram::highest_in(std::size_t bucket) noexcept {
  if (bucket < std::size_t{2} << sub_bits) return bucket;
  const auto shift = (bucket >> sub_bits) - 1;
  return ((bucket - (shift << sub_bits) + 1) << shift) - 1;
}

void LatencyHistogram::add(std::uint64_t ns) noexcept {
  ++counts_[bucket(ns)];
  ++count_;
  max_ = std::max(max_, ns);
}

std::uint64_t LatencyHistogram::at(double quantile) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(count_)));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    below += counts_[i];
    if (below != 0 && below >= wanted) return std::min(highest_in(i), max_);
  }
  return max_;
}

bool StreamLayout::matches(std::uint32_t group, std::uint32_t stream) noexcept {
  const bool in_order = stream - stream_ == group - group_;
  const bool one_stream = stream == stream_;
  switch (kind_) {
    case Kind::unknown:
      kind_ = Kind::one_group;
      group_ = group;
      stream_ = stream;
      return true;
    case Kind::one_group:
      if (group == group_) return one_stream;
      if (in_order) kind_ = Kind::in_order;
      if (one_stream) kind_ = Kind::one_stream;
      return in_order || one_stream;
    case Kind::in_order:
      return in_order;
    case Kind::one_stream:
      return one_stream;
  }
  return false;
}

std::optional<std::uint32_t> group_index(const IpAddress& base, std::uint32_t count,
                                         const IpAddress& address) noexcept {
  const auto from = base.bytes();
  const auto to = address.bytes();
  if (from.size() != to.size()) return std::nullopt;
  // A subtraction by hand, low bytes first: 16 bytes fit in no integer.
  std::uint64_t difference = 0;
  int borrow = 0;
  for (std::size_t i = from.size(); i-- > 0;) {
    const int digit = to[i] - from[i] - borrow;
    borrow = digit < 0 ? 1 : 0;
    const auto place = from.size() - 1 - i;
    const auto byte = static_cast<std::uint64_t>(digit & 0xFF);
    if (place < 4) difference |= byte << (8 * place);
    if (place >= 4 && byte != 0) return std::nullopt;
  }
  if (borrow != 0 || difference >= count) return std::nullopt;
  return static_cast<std::uint32_t>(difference);
}

void TrafficJudge::received(std::uint32_t group, std::span<const std::uint8_t> payload,
                            std::uint64_t now_ns) noexcept {
  ++received_;
  bytes_ += payload.size();
  heard_[group] = true;
  if (payload.size() < probe_header_bytes) return;
  const auto probe = read_probe(payload);
  if (!probe || !layout_.matches(group, probe->stream)) {
    ++corrupt_;
    return;
  }
  streams_[group].saw(probe->sequence);
  if (now_ns >= probe->sent_ns)
    latency_.add(now_ns - probe->sent_ns);
  else
    clock_behind_ns_ = std::max(clock_behind_ns_, probe->sent_ns - now_ns);
}

std::vector<std::uint32_t> TrafficJudge::silent_groups() const {
  std::vector<std::uint32_t> silent;
  for (std::uint32_t group = 0; group < heard_.size(); ++group)
    if (!heard_[group]) silent.push_back(group);
  return silent;
}

TrafficJudge::Totals TrafficJudge::totals() const noexcept {
  Totals totals;
  totals.received = received_;
  totals.corrupt = corrupt_;
  totals.bytes = bytes_;
  for (const auto& stream : streams_) {
    totals.lost += stream.lost();
    totals.duplicated += stream.duplicated();
    totals.reordered += stream.reordered();
  }
  return totals;
}

}  // namespace mcr
