// A UDP port that datagrams are sent from, by many sockets at once: each worker's, and each
// interface's, so that the source port of a stream does not depend on who sends it.
#pragma once

#include <cstdint>

#include "mcr/base/fd.hpp"

namespace mcr {

/// Holds a port of this host, for IPv4 and, where there is any, IPv6. Tx sockets are bound to
/// the same port of an address that nobody has (open_tx_socket()), so nothing reaches them; what is
/// sent to the port ends here, unread. So do ICMP errors: the kernel learns a path's MTU from them,
/// and no send fails because of an earlier one's fate.
class SourcePort {
 public:
  /// Any free port. Throws OsError.
  SourcePort();
  /// The given port. If another program has it, it is not held, and sockets can be bound to it only
  /// if that program shares it (SO_REUSEADDR). Throws OsError for want of descriptors only.
  explicit SourcePort(std::uint16_t port);

  [[nodiscard]] std::uint16_t number() const noexcept { return number_; }
  /// True if no other program has it.
  [[nodiscard]] bool held() const noexcept { return held_; }

 private:
  UniqueFd v4_;
  UniqueFd v6_;
  std::uint16_t number_ = 0;
  bool held_ = true;
};

}  // namespace mcr
