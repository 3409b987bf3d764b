#include "mcr/config/socket_kind.hpp"

#include "mcr/config/input.hpp"
#include "mcr/config/output.hpp"

namespace mcr {

InputKind kind_of(const Input& input) noexcept {
  return {.family = input.destination.family(),
          .vlan = input.vlan,
          .local = input.local,
          .lane = input.lane};
}

TxKey kind_of(const Output& output) noexcept {
  const bool any_source = output.source.mode == Source::Mode::preserve;
  return {.family = output.destination.family(),
          .multicast = output.destination.is_multicast(),
          .source_port = output.source_port,
          .loopback = output.loopback,
          .any_source = any_source,
          .raw = any_source && output.source_port == 0};
}

std::vector<TxKey> kinds_of(const Output& output) {
  auto kind = kind_of(output);
  if (output.destination) return {kind};
  std::vector<TxKey> kinds;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    kind.family = family;
    if (output.host.family == Family::none || output.host.family == family) kinds.push_back(kind);
  }
  return kinds;
}

}  // namespace mcr
