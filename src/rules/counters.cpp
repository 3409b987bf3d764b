#include "mcr/rules/counters.hpp"

#include <cstring>

namespace mcr {

bool at_rest(const OutputCounters& counters) noexcept {
  // In this order: once nothing is in flight, tx_datagrams grows no more.
  if (counters.in_flight.get_last() != 0) return false;
  const auto sent = counters.tx_datagrams.get();
  return sent == counters.zerocopy.get_last() + counters.copied.get_last();
}

Endpoint LastSource::get() const noexcept {
  const auto word = word_.get();
  const auto port = static_cast<std::uint16_t>(word & 0xFFFFU);
  if ((word & six) == 0) return {IpAddress::v4(static_cast<std::uint32_t>(word >> 16U)), port};
  const std::array halves{v6_[0].get(), v6_[1].get()};
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), halves.data(), bytes.size());
  return {IpAddress::v6(bytes), port};
}

void LastSource::set_v6(const Endpoint& source) noexcept {
  std::array<std::uint64_t, 2> halves{};
  std::memcpy(halves.data(), source.address.bytes().data(), sizeof halves);
  v6_[0].set(halves[0]);
  v6_[1].set(halves[1]);
  word_.set(six | source.port);
}

void clear(RuleCounters& counters) noexcept {
  for (auto* counter : {&counters.rx_datagrams, &counters.rx_bytes, &counters.last_seen_ns})
    counter->set(0);
  counters.last_source.clear();
  counters.drops.clear();
}

void clear(OutputCounters& counters) noexcept {
  for (auto* counter : {&counters.matched, &counters.in_flight, &counters.tx_datagrams,
                        &counters.tx_bytes, &counters.zerocopy, &counters.copied})
    counter->set(0);
  counters.drops.clear();
}

}  // namespace mcr
