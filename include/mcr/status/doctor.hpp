// `mcr doctor`, decided: a configuration and what the host is like, judged. Facts come from
// host_facts.hpp; nothing here asks the system.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcr/host/cpus.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/host/next_hop.hpp"
#include "mcr/rules/rule_state.hpp"

namespace mcr {

struct Config;

/// Facts of an interface beyond what Interfaces knows. Nothing: the host does not say.
struct InterfaceFacts {
  bool multicast = true;  ///< flag IFF_MULTICAST
  std::optional<bool> gro;
  std::optional<bool> udp_gro_forwarding;
  std::optional<bool> udp_segmentation;
  std::optional<bool> tx_checksum;
  unsigned receive_queues = 0;  ///< 0: unknown
  std::vector<ReceiveWork> receive_work{};
  unsigned rp_filter = 0;     ///< as it acts: the larger of this interface's and `all`
  unsigned igmp_version = 0;  ///< that the querier makes us speak; 0: unknown
  std::string bridge;         ///< it is, or is a port of, this bridge
  bool snooping = false;      ///< of that bridge
  bool querier = false;
  std::string discipline;  ///< its root queueing discipline; "": unknown
  std::string driver;      ///< "veth"; "": unknown
};

enum class IoUring : std::uint8_t { works, forbidden, no_memory, missing };

struct HostFacts {
  unsigned kernel_major = 0;
  unsigned kernel_minor = 0;
  IoUring io_uring = IoUring::works;
  bool zero_copy_send = true;  ///< IORING_OP_SENDMSG_ZC
  bool net_raw = true;         ///< capabilities(7) of who asks
  bool net_admin = true;
  bool ipc_lock = true;
  bool avahi_reflects = false;           ///< its configuration says so
  std::string no_fast_path;              ///< why the kernel's way is not available; "": it is
  std::optional<std::uint64_t> memlock;  ///< bytes; nothing: unlimited
  /// Receive buffers that a worker can register; nothing: this kernel uses no registered ones.
  std::optional<std::uint32_t> registered_buffers;
  std::uint64_t descriptors = 0;                 ///< hard limit
  unsigned cpus = 1;                             ///< that we may use
  Cpus allowed_cpus{};                           ///< which these are; empty: unknown
  std::uint64_t softnet_dropped = 0;             ///< frames, since the host started
  std::map<std::string, std::uint64_t> sysctls;  ///< "net.core.rmem_max"; those that can be read
  Interfaces interfaces;
  /// By the kernel's name, of those of the configuration that exist.
  std::map<std::string, InterfaceFacts> details;
  /// By the kernel's name of the interface and unicast destination of an output; those that the
  /// kernel told.
  std::map<std::pair<std::string, IpAddress>, NextHop> next_hops;
  /// Sockets that send from a port of the configuration, opened as a relay does.
  SocketRefusals refused;
};

enum class Severity : std::uint8_t { ok, note, warning, error };
[[nodiscard]] std::string_view name(Severity severity) noexcept;

struct Finding {
  Severity severity = Severity::ok;
  std::string subject;  ///< "io_uring", "interface eth0"
  std::string text;     ///< what is so, and what follows from it
  std::string remedy;   ///< a command, or a key of the configuration; "" where nothing is wrong

  friend bool operator==(const Finding&, const Finding&) = default;
};

/// Judges this host under this configuration: the host first, then each interface, then rules. A
/// subject that is in order gets a line, too.
[[nodiscard]] std::vector<Finding> diagnose(const Config& config, const HostFacts& host);

/// For people, the worst first; ends with a newline. `columns`: 0 means 80.
[[nodiscard]] std::string render_findings(std::span<const Finding> findings, unsigned columns);
/// {"ok":true,"findings":[{"severity","subject","text","remedy"}]}, ok: without an error.
[[nodiscard]] nlohmann::json findings_to_json(std::span<const Finding> findings);
[[nodiscard]] bool healthy(std::span<const Finding> findings) noexcept;

}  // namespace mcr
