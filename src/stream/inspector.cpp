// A source is found by its address and port, and then by its SSRC or session. A new SSRC of a known
// address is a restart of that sender, and has state of its own: two SSRCs that alternate are told
// exactly, each by itself.
#include "mcr/stream/inspector.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "bytes.hpp"
#include "mcr/stream/moldudp64.hpp"

namespace mcr::stream {

namespace {

/// Datagrams in a row that are not what the stream was: it has become something else.
constexpr std::uint32_t misfits_to_forget = 16;

Kind rtp_kind(const RtpHeader& header) noexcept {
  return ts_stride(header.payload, 1) != 0 ? Kind::rtp_ts : Kind::rtp;
}

/// As ==, without the call that the comparison of an array is.
bool same(const Endpoint& one, const Endpoint& other) noexcept {
  static_assert(std::has_unique_object_representations_v<IpAddress>);
  return one.port == other.port &&
         std::memcmp(&one.address, &other.address, sizeof one.address) == 0;
}

void clear(Source& source) noexcept {
  for (auto* counter : {&source.id, &source.kind, &source.received, &source.bytes,
                        &source.malformed, &source.first_ns, &source.last_ns, &source.coarse_ns})
    counter->set(0);
  source.sequence.reset();
  source.clock.reset();
  if (source.ts_used) source.ts.reset();
  source.ts_used = false;
  source.recogniser = {};
  source.misfits = 0;
}

}  // namespace

/// Makes the source with this id the current one, among those of the current one's address.
inline Source& Inspector::with_id(std::uint32_t id, std::uint64_t now_ns) noexcept {
  auto& source = current();
  if (source.id.get() == id && source.sequence.started()) [[likely]]
    return source;
  use_id(id, now_ns);
  return current();
}

inline void Inspector::see_ts(Source& source, Datagram payload, std::uint64_t now_ns) noexcept {
  source.ts_used = true;
  source.ts.see(payload, now_ns);
  if (!source.ts.synchronous())
    ++source.misfits;
  else
    source.misfits = 0;
}

/// Returns the source, which is the current one.
inline Source& Inspector::see_rtp(const Arrival& arrival, Datagram datagram, bool timed) noexcept {
  const auto header = read_rtp(datagram);
  if (!header) {
    misfit();
    return current();
  }
  auto& source = with_id(header->ssrc, arrival.now_ns);
  source.misfits = 0;
  source.sequence.see(rtp_numbers, header->sequence);
  if (timed) source.clock.see(header->timestamp, header->payload_type, arrival.now_ns);
  if (static_cast<Kind>(source.kind.get()) == Kind::rtp_ts)
    see_ts(source, header->payload, arrival.now_ns);
  return source;
}

inline void Inspector::see(const Format& format, const Arrival& arrival, Datagram datagram,
                           bool timed) noexcept {
  auto* source = &current();
  auto kind = static_cast<Kind>(source->kind.get());
  if (kind == Kind::unknown) [[unlikely]]
    kind = find_kind(format, datagram);
  switch (kind) {
    case Kind::rtp:
    case Kind::rtp_ts:
      source = &see_rtp(arrival, datagram, timed);
      break;
    case Kind::ts:
      see_ts(*source, datagram, arrival.now_ns);
      break;
    case Kind::moldudp64:
      see_moldudp64(arrival, datagram);
      source = &current();
      break;
    case Kind::sequence:
      see_field(format.field, datagram);
      break;
    case Kind::unknown:
      break;
  }
  source->received.add(1);
  source->bytes.add(datagram.size());
  source->last_ns.set(arrival.now_ns);
  if (source->misfits == misfits_to_forget && format.wanted == Format::Wanted::automatic)
      [[unlikely]] {
    source->kind.set(static_cast<std::uint64_t>(Kind::unknown));
    source->recogniser = {};
    source->misfits = 0;
  }
}

/// The datagram that most are: alone, RTP, and the one that its source was expected to send. True
/// if it is; else nothing was done. All of it is in registers: that takes a fifth off.
inline bool Inspector::see_expected_rtp(const Arrival& arrival) noexcept {
  auto& source = current();
  if (arrival.datagrams != 1 || static_cast<Kind>(source.kind.get()) != Kind::rtp ||
      !same(source.endpoint, arrival.source))
    return false;
  const auto header = read_plain_rtp(arrival.payload);
  if (!header || header->ssrc != source.id.get() ||
      !source.sequence.see_expected(rtp_numbers, header->sequence))
    return false;
  source.misfits = 0;
  source.received.add(1);
  source.bytes.add(arrival.payload.size());
  source.last_ns.set(arrival.now_ns);
  source.clock.see(header->timestamp, header->payload_type, arrival.now_ns);
  return true;
}

void Inspector::inspect(const Format& format, const Arrival& arrival) noexcept {
  if (see_expected_rtp(arrival)) [[likely]]
    return;
  inspect_any(format, arrival);
}

void Inspector::inspect_any(const Format& format, const Arrival& arrival) noexcept {
  if (!same(current().endpoint, arrival.source)) [[unlikely]]
    use(arrival.source, arrival.now_ns);
  auto rest = arrival.payload;
  for (std::uint32_t i = 0; i < arrival.datagrams; ++i) {
    const auto size = std::min<std::size_t>(arrival.segment, rest.size());
    see(format, arrival, rest.first(size), i == 0);
    rest = rest.subspan(size);
  }
  if (arrival.datagrams > 1) current().coarse_ns.set(arrival.now_ns);
}

/// The kind of the current source, which is not known yet: this datagram may tell.
Kind Inspector::find_kind(const Format& format, Datagram datagram) noexcept {
  using Wanted = Format::Wanted;
  auto kind = Kind::unknown;
  if (format.wanted == Wanted::automatic) kind = recognise(datagram);
  if (format.wanted == Wanted::moldudp64) kind = Kind::moldudp64;
  if (format.wanted == Wanted::sequence) kind = Kind::sequence;
  if (format.wanted == Wanted::ts) kind = Kind::ts;
  if (format.wanted == Wanted::rtp || format.wanted == Wanted::ts) {
    const auto header = read_rtp(datagram);
    const auto carried = header ? rtp_kind(*header) : Kind::unknown;
    if (format.wanted == Wanted::rtp || carried == Kind::rtp_ts) kind = carried;
  }
  current().kind.set(static_cast<std::uint64_t>(kind));
  return kind;
}

Kind Inspector::recognise(Datagram datagram) noexcept {
  auto& source = current();
  const auto kind = source.recogniser.see(datagram);
  if (!has_rtp(kind) || source.sequence.started()) return kind;
  source.id.set(source.recogniser.ssrc());
  source.sequence.see(rtp_numbers, source.recogniser.sequence_before());
  return kind;
}

void Inspector::see_moldudp64(const Arrival& arrival, Datagram datagram) noexcept {
  const auto header = read_moldudp64(datagram);
  if (!header) return misfit();
  auto& source = with_id(header->session, arrival.now_ns);
  source.misfits = 0;
  source.sequence.see(numbers_of(8), header->sequence, header->messages);
}

void Inspector::see_field(const SequenceField& field, Datagram datagram) noexcept {
  const auto read = field.little_endian ? read_little : read_big;
  const std::size_t end = std::max(std::size_t{field.offset} + field.bytes,
                                   std::size_t{field.step_offset} + field.step_bytes);
  if (datagram.size() < end) return misfit();
  const auto step = field.step_bytes == 0
                        ? std::uint64_t{1}
                        : read(datagram.data() + field.step_offset, field.step_bytes);
  current().sequence.see(numbers_of(field.bytes), read(datagram.data() + field.offset, field.bytes),
                         step);
}

void Inspector::misfit() noexcept {
  current().malformed.add(1);
  ++current().misfits;
}

/// Makes the source with this address the current one: of several, the last one heard.
void Inspector::use(const Endpoint& endpoint, std::uint64_t now_ns) noexcept {
  const Source* latest = nullptr;
  for (const auto& source : sources_)
    if (source.endpoint == endpoint &&
        (latest == nullptr || source.last_ns.get() > latest->last_ns.get()))
      latest = &source;
  if (latest == nullptr) return claim(endpoint, now_ns);
  current_ = static_cast<std::size_t>(latest - sources_.data());
}

/// As with_id(), for one that is not the current one.
void Inspector::use_id(std::uint32_t id, std::uint64_t now_ns) noexcept {
  auto& source = current();
  if (!source.sequence.started()) return source.id.set(id);
  for (std::size_t i = 0; i < max_sources; ++i)
    if (sources_[i].endpoint == source.endpoint && sources_[i].id.get() == id &&
        sources_[i].kind.get() == source.kind.get()) {
      current_ = i;
      return;
    }
  const auto kind = source.kind.get();
  const auto endpoint = source.endpoint;
  claim(endpoint, now_ns);
  current().kind.set(kind);
  current().id.set(id);
  current().sequence.restarted();
}

/// Gives a place to a source: an empty one, or that of the one not heard for longest.
void Inspector::claim(const Endpoint& endpoint, std::uint64_t now_ns) noexcept {
  auto oldest = std::ranges::min_element(sources_, {},
                                         [](const Source& source) { return source.last_ns.get(); });
  auto& source = *oldest;
  current_ = static_cast<std::size_t>(oldest - sources_.begin());
  if (source.generation.get() != 0) retire(source);
  source.generation.add(1);
  std::atomic_thread_fence(std::memory_order_release);
  clear(source);
  source.endpoint = endpoint;
  source.shown.set(endpoint);
  source.first_ns.set(now_ns);
  source.last_ns.set(now_ns);
  source.generation.add_last(1);
}

void Inspector::retire(const Source& source) noexcept {
  past_.received.add(source.received.get());
  past_.lost.add(source.sequence.lost());
  past_.reordered.add(source.sequence.reordered());
  past_.duplicated.add(source.sequence.duplicated());
  past_.restarts.add(source.sequence.restarts());
  past_.cc_errors.add(source.ts.cc_errors());
}

}  // namespace mcr::stream
