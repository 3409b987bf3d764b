#include "mcr/base/last_source.hpp"

#include <cstring>

namespace mcr {

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

}  // namespace mcr
