// The kernel's part in sending knows many reasons and few errno values. EPERM comes from
// netfilter's output hooks (and BPF programs of a cgroup) alone; ECONNREFUSED, EHOSTUNREACH and
// others come from ICMP answers to an earlier datagram, which fail the next send (ip(7)), or from
// the route.
#include "mcr/rules/send_refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

struct Refusal {
  RefusalCode code;
  std::string_view refuser;
  std::string_view meaning;
  std::string_view remedy;  ///< {0}: the interface, {1}: the address
};

constexpr std::array refusals{
    Refusal{
        own_refusal::unusable_source, "mcr",
        "MCR did not send it: with `source = \"preserve\"` it would come from 0.0.0.0, a group, "
        "broadcast or loopback",
        "look at the sender, or take `source = \"preserve\"` from the output"},
    Refusal{
        EPERM, "netfilter", "netfilter or a BPF program of this host dropped it",
        "let UDP to {1} pass: nft list ruleset and iptables-save show the rules (hooks output and "
        "postrouting)"},
    Refusal{EACCES, "kernel", "a route of this host or a router on the way prohibits it",
            "ip route get {1} oif {0}"},
    Refusal{ECONNREFUSED, "receiver", "the receiver's host answered that nobody has the port",
            "start the receiver, or correct the output's address and port"},
    Refusal{EHOSTUNREACH, "kernel", "the next hop does not answer, or a router has no way to it",
            "ip route get {1} oif {0}; ip neigh show dev {0}"},
    Refusal{ENETUNREACH, "kernel", "there is no route, or a router has none",
            "ip route get {1} oif {0}"},
    Refusal{EINVAL, "kernel", "the route is a blackhole, or the source is not usable there",
            "ip route get {1} oif {0}"},
    Refusal{EADDRNOTAVAIL, "kernel", "the source address is not usable there",
            "ip address show dev {0}"},
};
constexpr Refusal other{0, "kernel", "the kernel refused it", "ip route get {1} oif {0}"};

const Refusal& refusal_of(RefusalCode code) noexcept {
  const auto* const known = std::ranges::find(refusals, code, &Refusal::code);
  return known == refusals.end() ? other : *known;
}

}  // namespace

Reason describe_refusal(RefusalCode code) {
  if (code == 0) return {};
  const auto& meaning = refusal_of(code).meaning;
  if (code >= own_refusal::unusable_source) return std::string(meaning);
  const auto error = static_cast<int>(code);
  return {fmt::format("{}: {}", errno_text(error), meaning), error};
}

std::string_view refuser(RefusalCode code) noexcept {
  return refusal_of(code).refuser;
}

std::string refusal_remedy(RefusalCode code, std::string_view interface, std::string_view address) {
  return fmt::format(fmt::runtime(refusal_of(code).remedy), interface, address);
}

}  // namespace mcr
