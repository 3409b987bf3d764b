// The tables [interface.NAME]: buffers, UDP GRO and the way frames are received.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace mcr {

/// Bytes of a socket's buffer if the configuration names none. The kernel may grant less.
inline constexpr std::uint64_t default_receive_buffer = 32U << 20U;
inline constexpr std::uint64_t default_send_buffer = 8U << 20U;

/// UDP GRO of an input interface. The superframes that it makes are relayed several times faster.
enum class Gro : std::uint8_t {
  automatic,  ///< merge UDP if the host merges at all and the kernel tells the segment size
              ///< (Linux 6.2)
  on,         ///< merge UDP, and switch the host's GRO on for it
  off,
  leave,  ///< change nothing
};

/// How frames get from the kernel to MCR.
enum class IngressMode : std::uint8_t {
  automatic,  ///< a ring of slots where the kernel describes superframes (Linux 6.2), else recvmsg
  recvmsg,
  mmap,  ///< a ring of packed blocks: cheaper where frames come singly, but up to 8 ms later
};

/// `[interface.NAME]`. Sizes are in bytes; without one the default above applies.
struct InterfaceTuning {
  std::optional<std::uint64_t> receive_buffer;
  std::optional<std::uint64_t> send_buffer;
  Gro gro = Gro::automatic;
  /// How long GRO may keep a frame for others of its flow to follow; nothing: as the host has it.
  std::optional<std::chrono::microseconds> gro_wait{};
  IngressMode ingress = IngressMode::automatic;
  /// For the outputs that do not say it themselves: see Output.
  std::optional<bool> segmentation{};

  friend bool operator==(const InterfaceTuning&, const InterfaceTuning&) = default;
};

/// By interface name.
using InterfaceTunings = std::map<std::string, InterfaceTuning>;

/// The defaults where the configuration does not name the interface.
[[nodiscard]] InterfaceTuning tuning_of(const InterfaceTunings& tunings,
                                        const std::string& interface);

}  // namespace mcr
