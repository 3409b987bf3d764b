// The IP header fields that an output may choose: TTL, DSCP and source address.
#pragma once

#include <cstdint>

#include "mcr/base/address.hpp"

namespace mcr {

/// TTL of a multicast output if neither the output nor `[defaults]` names one.
inline constexpr std::uint8_t default_multicast_ttl = 16;

/// The TTL (IPv6: hop limit) of copies.
struct Ttl {
  enum class Mode : std::uint8_t {
    system,     ///< the host's own default
    fixed,      ///< `value`
    preserve,   ///< as it arrived
    decrement,  ///< one less than it arrived with, as a router does; with 0 it is dropped
  };
  Mode mode = Mode::system;
  std::uint8_t value = 0;

  static constexpr Ttl of(std::uint8_t value) noexcept { return {Mode::fixed, value}; }
  friend bool operator==(const Ttl&, const Ttl&) = default;
};

/// The differentiated services codepoint of copies (RFC 2474). Their ECN bits are 0.
struct Dscp {
  bool preserve = false;  ///< as it arrived
  std::uint8_t value = 0;

  friend bool operator==(const Dscp&, const Dscp&) = default;
};

/// The source address of copies, and with `preserve` also their source port.
struct Source {
  enum class Mode : std::uint8_t {
    interface,  ///< the best address of the output's interface
    address,    ///< `address`, which must be one of this host
    preserve,   ///< the sender's address
  };
  Mode mode = Mode::interface;
  IpAddress address{};

  friend bool operator==(const Source&, const Source&) = default;
};

}  // namespace mcr
