// The offloads of an interface that concern UDP (ethtool(8), linux/ethtool.h).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace mcr {

/// Superframes come only while both are on.
struct GroSetting {
  bool merging = false;         ///< "generic-receive-offload": packets of one flow are merged
  bool udp_forwarding = false;  ///< "rx-udp-gro-forwarding": UDP without a local socket, too
  /// How long a frame waits for others (gro_wait.hpp). Nothing: not known, or not to be changed.
  std::optional<std::chrono::nanoseconds> wait{};

  /// All but the wait.
  [[nodiscard]] bool has_features_of(const GroSetting& other) const noexcept {
    return merging == other.merging && udp_forwarding == other.udp_forwarding;
  }
  friend bool operator==(const GroSetting&, const GroSetting&) = default;
};

/// Every feature by the name that ethtool -k gives it; true: it is on. Empty if the interface is
/// gone or its driver has none.
[[nodiscard]] std::map<std::string, bool> read_features(const std::string& interface);

/// True if the interface computes the checksums of sent packets; no value if it does not say.
[[nodiscard]] std::optional<bool> computes_checksums(const std::map<std::string, bool>& features);

/// No value if the interface is gone or its driver has no such features.
[[nodiscard]] std::optional<GroSetting> read_gro(const std::string& interface);

/// All but the wait. Needs CAP_NET_ADMIN. Throws OsError; also when the driver took the request and
/// did not do it.
void write_gro(const std::string& interface, const GroSetting& setting);

/// True if messages of several datagrams (UDP_SEGMENT) may leave by it, with its present features.
/// Linux before 6.11 answers EIO where the interface computes no checksums.
[[nodiscard]] bool takes_segments(const std::string& interface);

/// True if packet sockets are told the segment size of a UDP superframe: Linux 6.2.
[[nodiscard]] bool superframes_are_described();

}  // namespace mcr
