// The common part of the test commands `mcr gen` and `mcr sink`: the options that name the streams,
// the signals that end a run, the clocks, the CPU.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

/// Streams are consecutive addresses from `group` on, all at one port of one interface.
struct Streams {
  static constexpr std::uint32_t max_count = 65'536;

  std::string interface;
  IpAddress group;  ///< multicast, or unicast
  std::uint16_t port = 0;
  std::uint32_t count = 1;

  /// Registers --interface, --group, --port and --streams; *this must outlive the parsing.
  void add_options(CLI::App& command);
  /// Throws Failure(usage) if the last address is not of the first one's kind.
  void check() const;

  [[nodiscard]] IpAddress last() const noexcept { return group.plus(count - 1); }
  /// By its name or an alternative one. Throws OsError if there is no such interface.
  [[nodiscard]] Interface find_interface() const;
  /// "239.1.1.1:5000", with more than one stream "239.1.1.1...239.1.1.20:5000".
  [[nodiscard]] std::string str() const;
};

/// SIGINT and SIGTERM ask for the end of the run instead of killing the process, and interrupt
/// system calls (EINTR). One arriving just before a call blocks is seen only after it: let nothing
/// block for longer than `latest_ns`.
namespace interrupt {
inline constexpr std::int64_t latest_ns = 50'000'000;
void catch_signals();
[[nodiscard]] bool requested() noexcept;
}  // namespace interrupt

/// Now, in ns of CLOCK_MONOTONIC and of CLOCK_REALTIME.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;
[[nodiscard]] std::uint64_t realtime_ns() noexcept;

/// `seconds` after `start_ns`, both of CLOCK_MONOTONIC; the end of time without `seconds`.
[[nodiscard]] std::int64_t end_ns(std::int64_t start_ns, std::optional<double> seconds) noexcept;

/// Binds the calling thread to `cpu`, if one is given. Throws OsError.
void pin_to_cpu(std::optional<unsigned> cpu);

}  // namespace mcr
