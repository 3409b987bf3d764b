// What the user wrote: TOML files read into a Config, every mistake with its position.
// What a worker reads is another type (rules/table.hpp).
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

/// Of a multicast output that says nothing else, nor `[defaults]`.
inline constexpr std::uint8_t default_multicast_ttl = 16;

/// Bytes of a socket's buffer where nothing is said; what the kernel grants may be less.
inline constexpr std::uint64_t default_receive_buffer = 32U << 20U;
inline constexpr std::uint64_t default_send_buffer = 8U << 20U;

/// What a rule should hear. A rule that hears less for `silent_after` is silent.
struct Expectation {
  static constexpr std::chrono::seconds default_silent_after{2};

  std::uint64_t min_pps = 0;  ///< datagrams a second; 0: any at all will do
  std::chrono::microseconds silent_after = default_silent_after;

  friend bool operator==(const Expectation&, const Expectation&) = default;
};

/// How the kernel spreads an interface's frames over the workers (packet(7), PACKET_FANOUT).
enum class Fanout : std::uint8_t { hash, cpu, qm, lb };

/// What to do about UDP GRO of an input interface: superframes make it several times faster.
enum class Gro : std::uint8_t {
  automatic,  ///< let UDP be merged where the host merges at all and the kernel can say the sizes
  on,         ///< switch merging on, too
  off,
  leave,  ///< as the host has it
};

/// How frames get from the kernel to us.
enum class IngressMode : std::uint8_t {
  recvmsg,
  mmap,  ///< a ring of blocks: cheaper where frames come singly, some milliseconds later
};

struct Daemon {
  std::optional<unsigned> workers;  ///< none: "auto"
  std::vector<unsigned> cpus;       ///< one per worker; empty: not pinned by the user
  Fanout fanout = Fanout::hash;
  log::Level log_level = log::Level::info;
  /// How long a worker waits for more frames before it forwards what it has; 0: not at all.
  std::chrono::microseconds batch_wait{0};
  std::optional<Endpoint> metrics;  ///< where Prometheus asks (TCP); none: nowhere
  /// How often memberships are reported unasked, for networks without a querier; 0: never.
  std::chrono::microseconds rejoin{0};

  friend bool operator==(const Daemon&, const Daemon&) = default;
};

/// `[interface.NAME]`: sizes in bytes; none: as the program sees fit.
struct InterfaceTuning {
  std::optional<std::uint64_t> receive_buffer;
  std::optional<std::uint64_t> send_buffer;
  Gro gro = Gro::automatic;
  IngressMode ingress = IngressMode::recvmsg;

  friend bool operator==(const InterfaceTuning&, const InterfaceTuning&) = default;
};

/// Where datagrams are taken: addressed to `destination`:`port` on `interface`.
struct Input {
  std::string interface;
  IpAddress destination;  ///< a group, or an address of this host (if `local`, of any)
  std::uint16_t port = 0;
  std::vector<Prefix> sources;  ///< sorted, disjoint; empty: any source
  std::uint32_t addresses = 1;  ///< consecutive groups from `destination` on
  std::uint32_t ports = 1;      ///< consecutive ports from `port` on
  std::uint16_t vlan = 0;       ///< the frames are tagged for; 0: untagged
  bool local = false;           ///< what this host sends by `interface`, not what arrives there

  [[nodiscard]] Destinations destinations() const {
    return {{destination, port}, addresses, ports};
  }

  friend bool operator==(const Input&, const Input&) = default;
};

/// The TTL (IPv6: hop limit) of what leaves.
struct Ttl {
  enum class Mode : std::uint8_t {
    system,     ///< the host's own default
    fixed,      ///< `value`
    preserve,   ///< as it arrived
    decrement,  ///< one less than it arrived with, as a router does; 0 does not leave
  };
  Mode mode = Mode::system;
  std::uint8_t value = 0;

  static constexpr Ttl of(std::uint8_t value) noexcept { return {Mode::fixed, value}; }
  friend bool operator==(const Ttl&, const Ttl&) = default;
};

/// The differentiated services codepoint of what leaves (RFC 2474); its ECN bits are 0.
struct Dscp {
  bool preserve = false;  ///< as it arrived
  std::uint8_t value = 0;

  friend bool operator==(const Dscp&, const Dscp&) = default;
};

/// The source address of what leaves, and with `preserve` its port.
struct Source {
  enum class Mode : std::uint8_t {
    interface,  ///< the best one of the output's interface
    address,    ///< `address`, one of this host's
    preserve,   ///< the sender's
  };
  Mode mode = Mode::interface;
  IpAddress address{};

  friend bool operator==(const Source&, const Source&) = default;
};

/// Where copies go; every value is decided (the input's and the defaults are filled in).
struct Output {
  std::string interface;
  IpAddress destination;  ///< a group, or a unicast address
  std::uint16_t port = 0;
  Ttl ttl{};
  Dscp dscp{};
  Source source{};
  std::uint16_t source_port = 0;  ///< 0: the sender's if that is preserved, else that of this run
  bool loopback = false;          ///< also to listeners on this host
  RateLimit limit{};
  std::uint32_t addresses = 1;  ///< as many as each input has, mapped by their distance, or 1
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
  bool allow_loop = false;  ///< takes what this relay itself has sent

  friend bool operator==(const Rule&, const Rule&) = default;
};

/// The groups and ports by which a rule's outputs differ: its outputs are laid out once for each.
[[nodiscard]] Destinations mapped_destinations(const Rule& rule);

struct Config {
  Daemon daemon;
  std::map<std::string, InterfaceTuning> interfaces;
  std::vector<Rule> rules;

  friend bool operator==(const Config&, const Config&) = default;
};

/// The interfaces that its rules name.
[[nodiscard]] std::set<std::string> interfaces_of(const Config& config);

/// A mistake of the user's: `FILE:LINE:COL: message`; line 0 where the whole file is meant.
struct ConfigError {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string message;

  /// `FILE:LINE:COL: message`, or `FILE: message` where line is 0.
  [[nodiscard]] std::string str() const;
};

/// The configuration if `errors` is empty; else every mistake found (one of syntax a file), in the
/// order of the files and of the text, and a Config not to be used (it has as many rules as were
/// read). Columns count code points, from 1.
struct ConfigResult {
  Config config;
  std::vector<ConfigError> errors;
};

/// Reads the main file and `conf.d/*.toml` beside it, in name order, and validates them together.
/// Needs no privileges and opens no sockets; throws nothing but std::bad_alloc.
[[nodiscard]] ConfigResult load_config(const std::string& path);

/// The same for the text of a main file that stands alone; `file` is only its name in messages.
[[nodiscard]] ConfigResult parse_config(std::string_view text, const std::string& file);

/// How two configurations differ in rules; a rule is known by its name, order does not matter.
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
