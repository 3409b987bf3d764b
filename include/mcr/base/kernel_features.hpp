// The running kernel's version, for what can only be asked for by doing it.
#pragma once

namespace mcr {

/// By uname(2); a release that does not begin with two numbers counts as old.
[[nodiscard]] bool kernel_is_at_least(int major, int minor) noexcept;

}  // namespace mcr
