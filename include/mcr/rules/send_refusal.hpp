// Why a copy was refused when it was to be sent: by whom, and what an operator can do.
//
// A worker notes a code in its output's counters; words are made of it when somebody asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mcr/rules/reason.hpp"

namespace mcr {

/// An errno value of the kernel's, positive; or one of the refusals of MCR itself. 0: none.
using RefusalCode = std::uint64_t;
namespace own_refusal {
/// `source = "preserve"`, and the sender's address is 0.0.0.0, a group, broadcast or loopback.
inline constexpr RefusalCode unusable_source = 1U << 16U;
}  // namespace own_refusal

/// "Operation not permitted: netfilter or a BPF program of this host dropped it", with its errno;
/// empty for 0.
[[nodiscard]] Reason describe_refusal(RefusalCode code);

/// The party that refused: "kernel", "netfilter", "receiver" or "mcr".
[[nodiscard]] std::string_view refuser(RefusalCode code) noexcept;

/// The advice for an output to that address by that interface.
[[nodiscard]] std::string refusal_remedy(RefusalCode code, std::string_view interface = "IF",
                                         std::string_view address = "ADDRESS");

}  // namespace mcr
