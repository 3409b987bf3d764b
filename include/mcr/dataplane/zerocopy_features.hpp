// The abilities of the kernel's zero-copy send, asked of the kernel itself: distributions bring
// single features to older versions (Debian's 6.1 reports usage, which came with 6.2).
#pragma once

#include <cstdint>

namespace mcr {

/// Flags of a zero-copy send (`ioprio` of its request, io_uring_enter(2)).
namespace zerocopy_flags {
inline constexpr std::uint16_t registered_buffer = 1U << 2U;  ///< IORING_RECVSEND_FIXED_BUF
inline constexpr std::uint16_t report_usage = 1U << 3U;       ///< IORING_SEND_ZC_REPORT_USAGE
}  // namespace zerocopy_flags

struct ZerocopyFeatures {
  bool supported = false;          ///< IORING_OP_SENDMSG_ZC
  bool reports_usage = false;      ///< a notification tells if the kernel copied all the same
  bool registered_pieces = false;  ///< several pieces from a registered buffer, Linux 6.15
};

/// Asked once a process; all false where io_uring may not be used, and where RLIMIT_MEMLOCK leaves
/// no room for a small ring. Any thread.
[[nodiscard]] const ZerocopyFeatures& zerocopy_features() noexcept;

/// Asks the kernel if it knows a zero-copy send with these flags. Makes a ring for that; false
/// where it cannot.
[[nodiscard]] bool knows_zerocopy_send(std::uint16_t flags) noexcept;

}  // namespace mcr
