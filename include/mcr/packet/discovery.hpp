// Reads in a datagram if a reflector lets it pass. Allocates nothing; the bytes are hostile.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "mcr/config/mdns_filter.hpp"
#include "mcr/config/reflector_kind.hpp"

namespace mcr {

/// True for a search that is answered by unicast: M-SEARCH of SSDP; Probe and Resolve of
/// WS-Discovery. Searches of other kinds are answered to the group.
[[nodiscard]] bool is_search(ReflectorKind kind, std::span<const std::byte> payload) noexcept;

/// For how long answers to this search may come: MX of SSDP (1 to 5 s, 3 without one) and two more.
/// Those of WS-Discovery come within half a second; the time for a slow network is the same.
[[nodiscard]] std::chrono::seconds answer_time(ReflectorKind kind,
                                               std::span<const std::byte> search) noexcept;

/// True if this may answer a search of that kind.
[[nodiscard]] bool is_answer(ReflectorKind kind, std::span<const std::byte> payload) noexcept;

/// True if the filter leaves the mDNS message in: it asks nothing where nothing may be asked, and
/// names one of the services, or none at all (but a host). A message that cannot be read is left
/// out.
[[nodiscard]] bool passes(const MdnsFilter& filter, std::span<const std::byte> payload) noexcept;

}  // namespace mcr
