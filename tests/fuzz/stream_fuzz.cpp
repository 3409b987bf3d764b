// Inspection on arbitrary datagrams: every byte may be wrong, and what is counted must add up.
//
//   byte   0     format that is asked for
//          1-4   of `sequence`: offset, width, byte order; where the step stands, its width
//          5-    datagrams: a byte of flags (bits 0-1 the source, bits 2-4 how late, bits 5-7 how
//                many the frame has), two of length, the bytes
#include <algorithm>
#include <vector>

#include "mcr/base/mapping.hpp"
#include "mcr/stream/inspector.hpp"
#include "mcr/stream/report.hpp"
#include "require.hpp"

using mcr::test::require;

namespace {

mcr::stream::Format read_format(std::span<const std::uint8_t> from) {
  constexpr std::array<std::uint8_t, 4> widths{1, 2, 4, 8};
  constexpr std::array<std::uint8_t, 4> step_widths{0, 1, 2, 4};
  mcr::stream::Format format;
  format.wanted = static_cast<mcr::stream::Format::Wanted>(from[0] % 5);
  format.field = {from[1], widths[from[2] % 4], (from[2] & 4U) != 0, from[3],
                  step_widths[from[4] % 4]};
  return format;
}

void check(const mcr::stream::StreamReport& report, std::uint64_t datagrams) {
  require(report.counts.received == datagrams);
  require(report.sources.size() <= mcr::stream::Inspector::max_sources);
  require(report.counts.lost < std::uint64_t{1} << 60U);
  require(report.counts.reordered + report.counts.duplicated <= datagrams);
  for (const auto& source : report.sources) {
    require(source.malformed <= source.counts.received);
    if (!source.ts) continue;
    std::uint64_t packets = source.ts->untracked;
    for (const auto& pid : source.ts->pids)
      packets += pid.packets;
    require(packets == source.ts->packets);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> rest(data, size);
  if (rest.size() < 5) return 0;
  const auto format = read_format(rest);
  rest = rest.subspan(5);
  const mcr::Mapping<mcr::stream::Inspector> inspector(1);
  mcr::stream::ReportReader reader;
  std::uint64_t now_ns = 1'000'000'000;
  std::uint64_t datagrams = 0;
  while (rest.size() >= 3) {
    const unsigned flags = rest[0];
    const std::size_t wanted = static_cast<std::size_t>(rest[1]) * 256U + rest[2];
    rest = rest.subspan(3);
    // A copy of its own: reading behind it is seen.
    const auto bytes = std::as_bytes(rest.first(std::min(wanted, rest.size())));
    const std::vector<std::byte> payload(bytes.begin(), bytes.end());
    rest = rest.subspan(bytes.size());
    const auto count = std::max<std::uint32_t>(
        1, std::min<std::uint32_t>(flags >> 5U, static_cast<std::uint32_t>(payload.size())));
    const auto segment = static_cast<std::uint32_t>((payload.size() + count - 1) / count);
    const auto frames =
        segment == 0 ? 1 : static_cast<std::uint32_t>((payload.size() + segment - 1) / segment);
    now_ns += std::uint64_t{1} << (flags >> 2U & 7U) * 5U;
    inspector->inspect(
        format,
        {{mcr::IpAddress::v4(0x0A000000U + (flags & 3U)), 5000}, payload, segment, frames, now_ns});
    datagrams += frames;
    if ((flags & 7U) == 7) check(reader.read(*inspector, now_ns), datagrams);
  }
  check(reader.read(*inspector, now_ns), datagrams);
  return 0;
}
