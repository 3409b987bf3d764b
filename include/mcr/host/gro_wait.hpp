// How long the kernel's GRO keeps a frame for others of its flow to follow: gro_flush_timeout in
// the interface's folder of sysfs (kernel document networking/napi.rst).
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace mcr {

/// No value if the interface is gone, or sysfs shows another network namespace than ours.
[[nodiscard]] std::optional<std::chrono::nanoseconds> read_gro_wait(const std::string& interface);

/// Needs CAP_NET_ADMIN outside of user namespaces, and a file of sysfs that may be written to.
/// Throws OsError.
void write_gro_wait(const std::string& interface, std::chrono::nanoseconds wait);

}  // namespace mcr
