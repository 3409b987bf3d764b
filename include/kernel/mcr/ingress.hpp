// Where frames come in: AF_PACKET sockets (packet(7)) read by multishot recvmsg.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mcr/buffers.hpp"
#include "mcr/config.hpp"
#include "mcr/counters.hpp"
#include "mcr/fd.hpp"
#include "mcr/packet.hpp"
#include "mcr/ports.hpp"
#include "mcr/ring.hpp"
#include "mcr/rules.hpp"

namespace mcr {

/// One socket per worker, all of one fanout group of its own. They pass nothing until pass_only().
/// `interface` is only its name in errors. Throws OsError.
[[nodiscard]] std::vector<UniqueFd> open_ingress(const std::string& interface,
                                                 const IngressKey& key, Fanout fanout,
                                                 std::size_t workers);

/// Lets pass what is sent to these destinations, from the next frame on; empty: nothing. The filter
/// is the most exact one that the kernel takes (net.core.optmem_max limits it). Throws OsError.
void pass_only(std::span<const Fd> sockets, std::span<const Endpoint> destinations,
               const IngressKey& key, std::size_t link_header);

/// PACKET_STATISTICS since the last call, in frames.
struct IngressStatistics {
  std::uint32_t offered = 0;  ///< passed the filter, dropped ones included
  std::uint32_t dropped = 0;  ///< the socket had no room
};
[[nodiscard]] IngressStatistics take_statistics(Fd socket);

/// One received frame; borrowed from its buffer, on which the receiver holds one reference.
struct Frame {
  std::uint16_t port = 0;
  std::uint16_t buffer = 0;
  bool whole = true;  ///< false: the frame was longer than the buffer
  VnetHeader vnet;
  std::span<const std::byte> bytes;
};

/// One worker's receiving side. Worker thread only.
class Ingress {
 public:
  Ingress(Ring& ring, Buffers& buffers, Ports& ports, CounterBlock& counters);

  /// Receives on the table's ports and on no others.
  void adopt(const RuleTable& table) noexcept;
  /// Stops receiving on all ports.
  void stop() noexcept;

  /// The frame of a receive completion, or nothing if it brought none.
  std::optional<Frame> complete(Token token, const io_uring_cqe& completion) noexcept;

  /// All frames of complete() are forwarded: ports that have ended are given back to control.
  void settle() noexcept;

  /// Arms again what ended for want of buffers, if enough have come back.
  void rearm() noexcept;
  /// Whether some port still has a receive armed.
  [[nodiscard]] bool busy() const noexcept { return armed_.any(); }

 private:
  void arm(std::uint16_t port) noexcept;
  void ended(std::uint16_t port, int result) noexcept;
  void cancel(std::uint16_t port) noexcept;
  std::optional<Frame> read(std::uint16_t port, std::uint16_t buffer, int result) noexcept;
  void count_unreadable(std::uint16_t port) noexcept;

  Ring& ring_;
  Buffers& buffers_;
  Ports& ports_;
  CounterBlock& counters_;
  msghdr header_{};
  std::bitset<slots::ingress> wanted_;
  std::bitset<slots::ingress> armed_;
  std::bitset<slots::ingress> starved_;  ///< wait for buffers
  std::bitset<slots::ingress> ended_;    ///< and not wanted any more
  const bool superframes_described_;
};

}  // namespace mcr
