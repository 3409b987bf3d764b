// The host's network interfaces as a value: netlink fills it, everything else only reads it.
// Two values compare equal when nothing that a rule could notice has changed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/address.hpp"

namespace mcr {

/// How a master treats the frames that arrive at one of its ports.
enum class MasterKind : std::uint8_t {
  none,    ///< nothing (VRF), or there is no master
  bridge,  ///< takes them before sockets that are bound to one protocol: bridge, Open vSwitch
  bond,    ///< the same, and makes one link of several: bond, team
};

struct Interface {
  std::string name;
  std::vector<std::string> alt_names{};  ///< of `ip link property`; unique like `name`
  unsigned index = 0;  ///< of the kernel, 1 and up; a recreated interface mostly gets a new one
  /// Grows when the interface of this index was deleted meanwhile (recreated with the same index,
  /// or taken to another network namespace and back): its joins and packet sockets are void.
  std::uint32_t incarnation = 0;
  bool up = false;         ///< administratively up, with carrier: state "up", else "down"
  std::uint32_t mtu = 0;   ///< bytes
  std::uint16_t type = 0;  ///< ARPHRD_*, <net/if_arp.h>
  /// Its own address where that has 6 bytes, as on Ethernet.
  std::optional<std::array<std::uint8_t, 6>> link_address{};
  bool point_to_point = false;
  unsigned master = 0;  ///< index of the interface that it is a port of; 0: none
  MasterKind master_kind = MasterKind::none;
  /// A queueing discipline of its egress is none of noqueue, pfifo_fast, fq_codel, fq, mq, pfifo,
  /// noop: it may delay on purpose, or drop part of a segmented message without the sender's
  /// knowledge.
  bool shaped = false;
  /// Takes several datagrams as one message (UDP_SEGMENT): before Linux 6.11 only where it computes
  /// the checksums of what is sent.
  bool segments = true;
  /// Usable as a source address, best first: global before link scope, primary before secondary.
  std::vector<IpAddress> addresses;
  std::vector<IpAddress> broadcasts{};  ///< of its subnets: 10.1.0.255; sorted, unique

  /// The best source address towards a destination, or null; valid as long as this object.
  /// IPv6: a link-local one is first choice within the link, and no choice beyond it (RFC 6724,
  /// rule 2; RFC 4007, section 9).
  [[nodiscard]] const IpAddress* source(const IpAddress& destination) const noexcept;

  /// True if all hosts of its link take datagrams to this address: 255.255.255.255, or the
  /// broadcast address of one of its subnets.
  [[nodiscard]] bool is_broadcast(const IpAddress& address) const noexcept;

  /// Bytes before the IP header of a frame, as a packet socket (SOCK_RAW) has it; nothing for types
  /// of link that cannot be read.
  [[nodiscard]] std::optional<std::uint8_t> link_header() const noexcept;

  friend bool operator==(const Interface&, const Interface&) = default;
};

/// All interfaces of one moment. Pointers and references are valid as long as this object.
class Interfaces {
 public:
  Interfaces() = default;
  /// In any order; names and indices are unique.
  explicit Interfaces(std::vector<Interface> interfaces);

  /// By its name or one of its alternative names. Null when there is none: state "missing".
  [[nodiscard]] const Interface* find(std::string_view name) const noexcept;
  [[nodiscard]] const Interface* find(unsigned index) const noexcept;

  /// True if some interface has this address.
  [[nodiscard]] bool has(const IpAddress& address) const noexcept;

  /// Sorted by index.
  [[nodiscard]] const std::vector<Interface>& all() const noexcept { return interfaces_; }

  friend bool operator==(const Interfaces&, const Interfaces&) = default;

 private:
  std::vector<Interface> interfaces_;
};

}  // namespace mcr
