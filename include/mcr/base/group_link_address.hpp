// The Ethernet address of a multicast group: RFC 1112, section 6.4; RFC 2464, section 7.
#pragma once

#include <array>
#include <cstdint>

#include "mcr/base/address.hpp"

namespace mcr {

[[nodiscard]] inline std::array<std::uint8_t, 6> group_link_address(
    const IpAddress& group) noexcept {
  const auto last = group.bytes().last(4);
  if (group.is_v6()) return {0x33, 0x33, last[0], last[1], last[2], last[3]};
  return {0x01, 0x00, 0x5E, static_cast<std::uint8_t>(last[1] & 0x7FU), last[2], last[3]};
}

}  // namespace mcr
