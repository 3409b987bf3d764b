// How the kernel spreads an interface's frames over the workers.
#pragma once

#include <cstdint>

namespace mcr {

/// [daemon] fanout (packet(7), PACKET_FANOUT).
enum class Fanout : std::uint8_t { hash, cpu, qm, lb };

}  // namespace mcr
