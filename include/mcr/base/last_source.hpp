// The sender of the last datagram, told by the thread that received it to those that show it.
#pragma once

#include <array>
#include <cstdint>

#include "mcr/base/address.hpp"
#include "mcr/base/counter.hpp"

namespace mcr {

/// The source of the last datagram, told by one thread to others. IPv4 is one word; IPv6 are three,
/// not written at once: of two sources that send at the same time a reader may see parts of both.
/// It is a hint for people, nothing is decided by it.
class LastSource {
 public:
  void set(const Endpoint& source) noexcept {
    if (source.address.is_v4())
      return word_.set(std::uint64_t{source.address.to_v4()} << 16U | source.port);
    set_v6(source);
  }
  [[nodiscard]] Endpoint get() const noexcept;
  void clear() noexcept { word_.set(0); }

 private:
  void set_v6(const Endpoint& source) noexcept;

  static constexpr std::uint64_t six = 1ULL << 48U;
  Counter word_;  ///< IPv4 address in host order << 16 | port; or `six` | port
  std::array<Counter, 2> v6_;
};

}  // namespace mcr
