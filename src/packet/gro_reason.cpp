// GRO merges neighbours of one flow that come within one poll of the NIC (net/core/gro.c), if they
// have a UDP checksum and a size in common (net/ipv4/udp_offload.c); a flow that a local socket
// hears is not merged once the host has a tunnel over UDP. The reasons are tried in the order of
// how sure they are.
#include "mcr/packet/gro_reason.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace mcr {

namespace {

using Flow = std::pair<Endpoint, Endpoint>;

constexpr std::size_t enough = 32;
/// As many flows GRO holds at a time: GRO_HASH_BUCKETS times MAX_GRO_SKBS.
constexpr std::size_t flows_held = 64;

struct Neighbours {
  std::size_t pairs = 0;
  std::size_t equal = 0;  ///< of them, those of one size
  std::size_t flows = 0;
};

Neighbours count_neighbours(std::span<const SampledFrame> frames) {
  Neighbours counted;
  std::map<Flow, std::size_t> last;
  for (const auto& frame : frames) {
    const auto [known, is_first] = last.try_emplace({frame.source, frame.destination}, frame.bytes);
    if (is_first) continue;
    ++counted.pairs;
    if (known->second == frame.bytes) ++counted.equal;
    known->second = frame.bytes;
  }
  counted.flows = last.size();
  return counted;
}

}  // namespace

std::optional<GroReason> find_gro_reason(std::span<const SampledFrame> frames) {
  if (frames.size() < enough) return {};
  const auto most = [&](auto is_so) {
    return 2 * static_cast<std::size_t>(std::ranges::count_if(frames, is_so)) > frames.size();
  };
  if (most([](const SampledFrame& frame) { return !frame.has_checksum; }))
    return GroReason::no_checksum;
  const auto neighbours = count_neighbours(frames);
  if (2 * neighbours.equal < neighbours.pairs) return GroReason::sizes_differ;
  if (neighbours.flows > flows_held) return GroReason::many_flows;
  if (most([](const SampledFrame& frame) { return frame.heard_here; }))
    return GroReason::heard_here;
  return GroReason::one_by_one;
}

std::string explained(GroReason reason, std::string_view interface) {
  switch (reason) {
    case GroReason::no_checksum:
      return "their UDP checksum is 0: the sender has to compute it";
    case GroReason::sizes_differ:
      return "neighbours in a flow differ in size: only a sender with datagrams of one size "
             "helps";
    case GroReason::many_flows:
      return fmt::format(
          "more flows come at once than the {} that GRO holds for a receive queue: ethtool -L {} "
          "makes more queues",
          flows_held, interface);
    case GroReason::heard_here:
      return "a program on this host listens on their port: on a host with tunnels over UDP that "
             "keeps the kernel from it";
    case GroReason::one_by_one:
      return fmt::format(
          "they come too far apart: gro_wait in [interface.{}] lets them wait for others",
          interface);
  }
  return "";
}

}  // namespace mcr
