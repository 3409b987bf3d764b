// Concludes from a sample of an interface's frames why GRO merges none of them. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mcr/base/address.hpp"

namespace mcr {

/// A frame that came with one datagram.
struct SampledFrame {
  Endpoint source;
  Endpoint destination;
  std::size_t bytes = 0;     ///< of UDP payload
  bool has_checksum = true;  ///< UDP's is not 0
  bool heard_here = false;   ///< a program of this host listens on its port
};

/// A reason why GRO merges nothing.
enum class GroReason : std::uint8_t {
  no_checksum,
  sizes_differ,  ///< of neighbours in a flow
  many_flows,    ///< at once
  heard_here,
  one_by_one,  ///< too far apart
};

/// Nothing: there are too few frames to tell.
[[nodiscard]] std::optional<GroReason> find_gro_reason(std::span<const SampledFrame> frames);

/// "their UDP checksum is 0: ...", with what can be done on that interface.
[[nodiscard]] std::string explained(GroReason reason, std::string_view interface);

}  // namespace mcr
