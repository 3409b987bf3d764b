// The receive offloads of an interface that concern UDP (ethtool(8), linux/ethtool.h).
#pragma once

#include <map>
#include <optional>
#include <string>

namespace mcr {

/// Superframes come only while both are on.
struct GroSetting {
  bool merging = false;         ///< "generic-receive-offload": packets of one flow are merged
  bool udp_forwarding = false;  ///< "rx-udp-gro-forwarding": UDP without a local socket, too

  friend bool operator==(const GroSetting&, const GroSetting&) = default;
};

/// Every feature by the name that ethtool -k gives it, and whether it is on; empty where the
/// interface is gone or its driver has none.
[[nodiscard]] std::map<std::string, bool> read_features(const std::string& interface);

/// Nothing where the interface is gone or its driver has no such features.
[[nodiscard]] std::optional<GroSetting> read_gro(const std::string& interface);

/// Needs CAP_NET_ADMIN. Throws OsError; also when the driver took the request and did not do it.
void write_gro(const std::string& interface, const GroSetting& setting);

/// Whether packet sockets are told the segment size of a UDP superframe: Linux 6.2.
[[nodiscard]] bool superframes_are_described();

}  // namespace mcr
