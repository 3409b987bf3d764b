// The running kernel's version, for what cannot be probed. Its users, and why they ask:
//   takes_segments (6.11)             a probe needs a link without checksum offload, and
//                                     CAP_NET_ADMIN to make one; a wrong answer costs a refused
//                                     send
//   superframes_are_described (6.2)   a probe needs a superframe that arrives by some link
// The features of io_uring are probed (dataplane/zerocopy_features.hpp).
#pragma once

namespace mcr {

/// By uname(2); a release that does not begin with two numbers counts as old.
[[nodiscard]] bool kernel_is_at_least(int major, int minor) noexcept;

}  // namespace mcr
