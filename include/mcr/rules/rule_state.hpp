// The state of a rule as far as it can be told from outside the packet path: from the
// configuration, the interfaces and the joins. Pure; control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/config/socket_kind.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/rules/reason.hpp"

namespace mcr {

struct Input;
struct Output;
struct Rule;

enum class RuleState : std::uint8_t {
  active,
  waiting,
  failed,
  silent,
  degraded,  ///< it runs, and what it hears is not as expected
  looping,   ///< it runs, and what it sends comes back
  disabled,
};
[[nodiscard]] std::string_view to_string(RuleState state) noexcept;

/// The state of a rule, seen from outside the packet path. Empty reason: usable. An active rule
/// has a reason when only a part of its inputs or outputs can be used.
struct RuleStatus {
  RuleState state = RuleState::active;
  Reason reason;
  std::vector<Reason> input_reasons;   ///< one per input
  std::vector<Reason> output_reasons;  ///< one per output
};

/// Why the kernel refused what an input must join; empty when it did not.
using JoinRefusal = std::function<Reason(const Input&)>;

/// Sockets that the kernel refused, and why. Inputs and outputs that need them wait.
struct SocketRefusals {
  std::map<RxKey, Reason> rx;
  std::map<TxKey, Reason> tx;  ///< as tx_key() has it

  [[nodiscard]] bool empty() const noexcept { return rx.empty() && tx.empty(); }
  friend bool operator==(const SocketRefusals&, const SocketRefusals&) = default;
};

/// The sockets that an input and an output need on their interface. A source port of 0 is the
/// relay's own, unless the socket is raw.
[[nodiscard]] RxKey rx_key(const Input& input, const Interface& interface) noexcept;
[[nodiscard]] TxKey tx_key(const Output& output, const Interface& interface) noexcept;

[[nodiscard]] RuleStatus rule_status(const Rule& rule, const Interfaces& interfaces,
                                     const JoinRefusal& join_refusal,
                                     const SocketRefusals& refused = {});

/// Findings about the traffic of a rule, in words; "": nothing.
struct RuleFindings {
  std::string silence;
  std::string degradation;
  std::string loop;
};

/// The state to show, and why. The first of these holds: the rule cannot run (waiting, failed,
/// disabled), it is silent, it is looping, it is degraded, it is active.
[[nodiscard]] RuleStatus with_findings(RuleStatus status, const RuleFindings& findings);

/// The address that an output sends from, null if it has none. Not for an output that preserves
/// its senders' addresses. `output.interface` exists. Valid as long as both arguments.
[[nodiscard]] const IpAddress* source_address(const Output& output, const Interfaces& interfaces);

}  // namespace mcr
