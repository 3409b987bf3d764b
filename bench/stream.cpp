// Inspection, for each datagram of a rule that asks for it.
#include "mcr/stream/inspector.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "mcr/base/mapping.hpp"

namespace {

using namespace mcr;
using namespace mcr::stream;
using Bytes = std::vector<std::byte>;

void put(Bytes& bytes, std::size_t at, std::uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i)
    bytes[at + i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
}

Bytes rtp_datagram(std::size_t payload) {
  Bytes bytes(12 + payload, std::byte{0x55});
  put(bytes, 0, 0x8060, 2);
  put(bytes, 8, 7, 4);
  return bytes;
}

/// Seven packets; PID 0x100 but for the third and the fifth. All PIDs count on from datagram to
/// datagram, so that 16 of them are a stream without a fault.
Bytes ts_datagram(std::uint64_t number) {
  Bytes bytes(1316, std::byte{0xFF});
  std::uint64_t video = number * 5;
  for (std::uint64_t i = 0; i < 7; ++i) {
    const bool other = i == 2 || i == 4;
    const auto pid = other ? 0x100U + i : 0x100U;
    const auto continuity = (other ? number : video++) & 0xFU;
    put(bytes, i * 188, 0x47000010U | pid << 8U | continuity, 4);
  }
  return bytes;
}

/// Round-robin over streams, each with its own inspector.
class World {
 public:
  explicit World(std::int64_t streams)
      : memory_(static_cast<std::size_t>(streams)), streams_(static_cast<std::size_t>(streams)) {}

  /// The number of the datagram within its stream.
  [[nodiscard]] std::uint64_t number() const { return number_; }

  void inspect(const Bytes& bytes) {
    now_ns_ += 1000;
    memory_[at_].inspect({},
                         {source_, bytes, static_cast<std::uint32_t>(bytes.size()), 1, now_ns_});
    if (++at_ == streams_) {
      at_ = 0;
      ++number_;
    }
  }

 private:
  Mapping<Inspector> memory_;
  std::size_t streams_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t now_ns_ = 0;
  Endpoint source_{IpAddress::v4(0x0A000001U), 5000};
};

void inspect_rtp(benchmark::State& state) {
  World world(state.range(0));
  auto bytes = rtp_datagram(1200);
  for (auto _ : state) {
    const auto number = __builtin_bswap16(static_cast<std::uint16_t>(world.number()));
    std::memcpy(&bytes[2], &number, sizeof number);
    std::memcpy(&bytes[4], &number, sizeof number);
    world.inspect(bytes);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(inspect_rtp)->Arg(1)->Arg(1000);

void inspect_ts(benchmark::State& state) {
  World world(state.range(0));
  std::vector<Bytes> datagrams;
  for (std::uint64_t i = 0; i < 16; ++i)
    datagrams.push_back(ts_datagram(i));
  for (auto _ : state)
    world.inspect(datagrams[world.number() % 16]);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(inspect_ts)->Arg(1)->Arg(1000);

}  // namespace
