// The configuration: TOML files read into a Config, and every mistake in them with its position.
// A Config holds what the user wrote; workers read another type (rules/table.hpp).
// These are plain values for the control thread; ports are in host byte order.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/base/log.hpp"
#include "mcr/base/prefix.hpp"
#include "mcr/config/destinations.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/rate_limit.hpp"

namespace mcr {

/// TTL of a multicast output if neither the output nor `[defaults]` names one.
inline constexpr std::uint8_t default_multicast_ttl = 16;

/// Bytes of a socket's buffer if the configuration names none. The kernel may grant less.
inline constexpr std::uint64_t default_receive_buffer = 32U << 20U;
inline constexpr std::uint64_t default_send_buffer = 8U << 20U;

/// The traffic that a rule should hear. A rule that hears less for `silent_after` is silent.
struct Expectation {
  static constexpr std::chrono::seconds default_silent_after{2};

  std::uint64_t min_pps = 0;  ///< datagrams a second; 0: one datagram is enough
  std::chrono::microseconds silent_after = default_silent_after;

  friend bool operator==(const Expectation&, const Expectation&) = default;
};

/// How the kernel spreads an interface's frames over the workers (packet(7), PACKET_FANOUT).
enum class Fanout : std::uint8_t { hash, cpu, qm, lb };

/// UDP GRO of an input interface. The superframes that it makes are relayed several times faster.
enum class Gro : std::uint8_t {
  automatic,  ///< merge UDP if the host merges at all and the kernel tells the segment size
              ///< (Linux 6.2)
  on,         ///< merge UDP, and switch the host's GRO on for it
  off,
  leave,  ///< change nothing
};

/// How frames get from the kernel to MCR.
enum class IngressMode : std::uint8_t {
  recvmsg,
  mmap,  ///< a ring of blocks: cheaper where frames come singly, but up to 8 ms later
};

struct Daemon {
  std::optional<unsigned> workers;  ///< nothing: "auto"
  std::vector<unsigned> cpus;       ///< one for each worker; empty: the user pins none
  Fanout fanout = Fanout::hash;
  log::Level log_level = log::Level::info;
  /// How long a worker waits for more frames before it forwards those it has; 0: it does not wait.
  std::chrono::microseconds batch_wait{0};
  std::optional<Endpoint> metrics;  ///< where Prometheus asks (TCP); nothing: no endpoint
  /// Interval of membership reports that nobody asked for, for networks without a querier; 0:
  /// never.
  std::chrono::microseconds rejoin{0};

  friend bool operator==(const Daemon&, const Daemon&) = default;
};

/// `[interface.NAME]`. Sizes are in bytes; without one the default above applies.
struct InterfaceTuning {
  std::optional<std::uint64_t> receive_buffer;
  std::optional<std::uint64_t> send_buffer;
  Gro gro = Gro::automatic;
  IngressMode ingress = IngressMode::recvmsg;

  friend bool operator==(const InterfaceTuning&, const InterfaceTuning&) = default;
};

/// An input takes the datagrams that are addressed to `destination`:`port` on `interface`.
struct Input {
  std::string interface;
  IpAddress destination;  ///< a group, or an address of this host (with `local`: of any host)
  std::uint16_t port = 0;
  std::vector<Prefix> sources;  ///< sorted, disjoint; empty: any source
  std::uint32_t addresses = 1;  ///< consecutive groups from `destination` on
  std::uint32_t ports = 1;      ///< consecutive ports from `port` on
  std::uint16_t vlan = 0;       ///< 802.1Q tag of the frames; 0: untagged
  bool local = false;           ///< takes what this host sends by `interface`, not what arrives

  [[nodiscard]] Destinations destinations() const {
    return {{destination, port}, addresses, ports};
  }

  friend bool operator==(const Input&, const Input&) = default;
};

/// The TTL (IPv6: hop limit) of copies.
struct Ttl {
  enum class Mode : std::uint8_t {
    system,     ///< the host's own default
    fixed,      ///< `value`
    preserve,   ///< as it arrived
    decrement,  ///< one less than it arrived with, as a router does; with 0 it is dropped
  };
  Mode mode = Mode::system;
  std::uint8_t value = 0;

  static constexpr Ttl of(std::uint8_t value) noexcept { return {Mode::fixed, value}; }
  friend bool operator==(const Ttl&, const Ttl&) = default;
};

/// The differentiated services codepoint of copies (RFC 2474). Their ECN bits are 0.
struct Dscp {
  bool preserve = false;  ///< as it arrived
  std::uint8_t value = 0;

  friend bool operator==(const Dscp&, const Dscp&) = default;
};

/// The source address of copies, and with `preserve` also their source port.
struct Source {
  enum class Mode : std::uint8_t {
    interface,  ///< the best address of the output's interface
    address,    ///< `address`, which must be one of this host
    preserve,   ///< the sender's address
  };
  Mode mode = Mode::interface;
  IpAddress address{};

  friend bool operator==(const Source&, const Source&) = default;
};

/// An output says where copies go. Every value is decided: defaults, and what it takes from the
/// rule's input, are filled in.
struct Output {
  std::string interface;
  IpAddress destination;  ///< a group, or a unicast address
  std::uint16_t port = 0;
  Ttl ttl{};
  Dscp dscp{};
  Source source{};
  std::uint16_t source_port = 0;  ///< 0: the sender's with `preserve`, else the one of this run
  bool loopback = false;          ///< listeners on this host get the copies, too
  RateLimit limit{};
  std::uint32_t addresses = 1;  ///< as many as each input has, and mapped one to one; or 1
  std::uint32_t ports = 1;      ///< the same

  [[nodiscard]] Destinations destinations() const {
    return {{destination, port}, addresses, ports};
  }

  friend bool operator==(const Output&, const Output&) = default;
};

struct Rule {
  std::string name;
  std::vector<Input> inputs;    ///< at least one
  std::vector<Output> outputs;  ///< at least one
  std::optional<Expectation> expect{};
  bool enabled = true;
  std::string comment{};
  bool allow_loop = false;  ///< takes datagrams that this relay itself has sent

  friend bool operator==(const Rule&, const Rule&) = default;
};

/// The block of groups and ports over which a rule maps its outputs: the table has each output once
/// for each of them. Only `addresses` and `ports` of the result have a meaning.
[[nodiscard]] Destinations mapped_destinations(const Rule& rule);

struct Config {
  Daemon daemon;
  std::map<std::string, InterfaceTuning> interfaces;
  std::vector<Rule> rules;

  friend bool operator==(const Config&, const Config&) = default;
};

/// The names of all interfaces that the rules use.
[[nodiscard]] std::set<std::string> interfaces_of(const Config& config);

/// A mistake in the user's files. Line 0 means the whole file.
struct ConfigError {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string message;

  /// `FILE:LINE:COL: message`, or `FILE: message` if line is 0.
  [[nodiscard]] std::string str() const;
};

/// If `errors` is empty, `config` is valid. Otherwise `errors` has every mistake that was found
/// (only the first one of syntax in each file), in the order of the files and of their text;
/// `config` must not be used then, but has as many rules as could be read. Columns count code
/// points, from 1.
struct ConfigResult {
  Config config;
  std::vector<ConfigError> errors;
};

/// Reads the main file and `conf.d/*.toml` beside it, in name order, and validates them together.
/// Needs no privileges and opens no sockets; throws nothing but std::bad_alloc.
[[nodiscard]] ConfigResult load_config(const std::string& path);

/// Does the same for the text of one main file. `file` is only its name in messages.
[[nodiscard]] ConfigResult parse_config(std::string_view text, const std::string& file);

/// The number of rules by which two configurations differ. A rule is identified by its name; their
/// order does not matter.
struct ConfigDifference {
  std::size_t added = 0;
  std::size_t removed = 0;
  std::size_t changed = 0;
  std::size_t unchanged = 0;

  /// "+1 -0 ~2 =97"
  [[nodiscard]] std::string str() const;

  friend bool operator==(const ConfigDifference&, const ConfigDifference&) = default;
};

[[nodiscard]] ConfigDifference compare_configs(const Config& before, const Config& after);

}  // namespace mcr
