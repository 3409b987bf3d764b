// Reading a frame: parse, and the checksum where nobody has verified it.
#include "mcr/packet/parse.hpp"

#include <benchmark/benchmark.h>

#include "frame_builder.hpp"

namespace {

using namespace mcr;

std::vector<std::byte> frame(std::int64_t payload, bool checksum = true) {
  test::FrameBuilder builder;
  builder.payload.assign(static_cast<std::size_t>(payload), 0x5A);
  builder.with_checksum = checksum;
  return builder.build();
}

/// As veth and most hardware deliver it: the checksum is trusted.
void parse_datagram(benchmark::State& state) {
  const auto bytes = frame(state.range(0));
  VnetHeader vnet;
  vnet.flags = VnetHeader::data_valid;
  for (auto _ : state) {
    Packet packet;
    benchmark::DoNotOptimize(parse_frame(bytes, vnet, 14, packet));
    benchmark::DoNotOptimize(packet);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(parse_datagram)->Arg(64)->Arg(1400);

void parse_superframe(benchmark::State& state) {
  constexpr std::int64_t datagrams = 46;
  const auto bytes = frame(datagrams * 1400, false);
  VnetHeader vnet;
  vnet.flags = VnetHeader::needs_checksum;
  vnet.gso_type = VnetHeader::gso_udp_l4;
  vnet.gso_size = 1400;
  for (auto _ : state) {
    Packet packet;
    benchmark::DoNotOptimize(parse_frame(bytes, vnet, 14, packet));
    benchmark::DoNotOptimize(packet);
    if (packet.datagrams != datagrams) state.SkipWithError("not read as a superframe");
  }
  state.SetItemsProcessed(state.iterations() * datagrams);
}
BENCHMARK(parse_superframe);

void verify_checksum(benchmark::State& state) {
  const auto bytes = frame(state.range(0));
  Packet packet;
  if (parse_frame(bytes, {}, 14, packet) || packet.checksum_trusted)
    state.SkipWithError("nothing to verify");
  for (auto _ : state)
    benchmark::DoNotOptimize(udp_checksum_holds(packet));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(verify_checksum)->Arg(64)->Arg(1400);

}  // namespace
