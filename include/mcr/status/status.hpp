// The relay as it runs now, as one value: collect.hpp fills it inside the daemon, json.hpp writes
// it to the control socket and reads it in the client, and metrics.hpp and text.hpp show it.
//
// A daemon of another version may not say everything: what it left out, or said in another type,
// is unknown here (nothing, or an empty text). Texts are as they were configured or received: who
// shows them escapes them (base/printable.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/config/expectation.hpp"
#include "mcr/config/input.hpp"
#include "mcr/config/output.hpp"
#include "mcr/control/memberships.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/rules/latency.hpp"
#include "mcr/rules/reason.hpp"
#include "mcr/rules/rule_state.hpp"
#include "mcr/status/redundancy.hpp"
#include "mcr/status/stream.hpp"

namespace mcr::status {

/// Nothing: unknown.
using Count = std::optional<std::uint64_t>;

/// Datagrams, or copies of them, that went no further for one reason.
struct Drop {
  std::string reason;
  std::uint64_t datagrams = 0;

  friend bool operator==(const Drop&, const Drop&) = default;
};

/// Datagrams by reason. `Names`: of the reasons, in the order of their enumeration.
template <const auto& Names>
struct Drops {
  static constexpr const auto& names = Names;

  std::array<std::uint64_t, Names.size()> counts{};
  std::vector<Drop> others{};  ///< of reasons that only a newer daemon knows

  friend bool operator==(const Drops&, const Drops&) = default;
};
using ReceivedDrops = Drops<input_drop_names>;
using SentDrops = Drops<output_drop_names>;

/// Facts that belong to the daemon's process and its host, and not to the relay.
struct Process {
  std::string version;
  Count pid;
  std::optional<double> uptime_s;
  Count generation;           ///< of the configuration; grows with each successful reload
  std::string config;         ///< path of the main file
  std::string shard{};        ///< "2/5"; "": this relay takes all rules
  Count rules_elsewhere{};    ///< rules of the files that belong to other shards
  std::string memory_locked;  ///< "all", "code" or "no": see host/memory_lock.hpp
  std::string standby{};      ///< "on": nothing is sent; "off"; "": no file is named for it
  Reason metrics_refusal{};   ///< why `metrics` does not listen, with the address; "": it does
  Count softnet_dropped;      ///< frames, on all of the host, since the daemon started
  Count softnet_squeezed;     ///< times, likewise

  friend bool operator==(const Process&, const Process&) = default;
};

struct Worker {
  Count id;
  bool stuck = false;
  bool polls = false;             ///< it never sleeps
  Count cpu;                      ///< nothing: not pinned
  Count last_cpu;                 ///< on which it ran last; nothing: not known
  std::optional<double> cpu_use;  ///< share of a CPU in the last second, 0 to 1
  Count rx_datagrams;
  Count tx_datagrams;
  Count batches;

  friend bool operator==(const Worker&, const Worker&) = default;
};

enum class InterfaceState : std::uint8_t { up, down, missing };
enum class OutputState : std::uint8_t { up, waiting };
[[nodiscard]] constexpr std::string_view to_string(InterfaceState state) noexcept {
  return state == InterfaceState::up ? "up" : state == InterfaceState::down ? "down" : "missing";
}
[[nodiscard]] constexpr std::string_view to_string(OutputState state) noexcept {
  return state == OutputState::up ? "up" : "waiting";
}

// Every state that there is, for those who list or read them.
inline constexpr std::array interface_states{InterfaceState::up, InterfaceState::down,
                                             InterfaceState::missing};
inline constexpr std::array output_states{OutputState::up, OutputState::waiting};
inline constexpr std::array rule_states{RuleState::active,  RuleState::waiting,  RuleState::failed,
                                        RuleState::silent,  RuleState::degraded, RuleState::looping,
                                        RuleState::disabled};
inline constexpr std::array membership_states{MembershipState::waiting_interface,
                                              MembershipState::joining, MembershipState::joined,
                                              MembershipState::failed, MembershipState::leaving};

struct Interface {
  std::string name;                      ///< the kernel's; as configured while it is missing
  std::vector<std::string> alt_names{};  ///< others by which the configuration may call it
  Count index;                           ///< nothing: it is missing
  std::optional<InterfaceState> state;
  Count mtu;                ///< bytes
  std::optional<bool> gro;  ///< UDP is merged on receive
  std::string gro_reason;  ///< why it merges nothing although it is on; "": it does, or is not busy
  Count gro_wait_ns;     ///< how long a frame waits for others to be merged with; nothing: unknown
  Count receive_buffer;  ///< bytes as granted, twice what was asked for; 0: no socket
  Count receive_buffer_asked;  ///< bytes; nothing: by nobody
  Count receive_ring;          ///< bytes; nothing: frames are received one by one
  Count send_buffer;           ///< as receive_buffer
  Count send_buffer_asked;     ///< as receive_buffer_asked
  Count rx_frames;
  Count rx_datagrams;
  Count kernel_drops;     ///< frames
  Count link_rx_missed;   ///< frames
  Count link_rx_dropped;  ///< frames; see LinkStats: most are no loss
  Count link_tx_dropped;  ///< frames

  friend bool operator==(const Interface&, const Interface&) = default;
};

/// The relay that carries what goes to an output of this one, which stands by.
struct Carrier {
  std::string relay;            ///< address and port of its copies; "": not known
  std::optional<double> age_s;  ///< of the last one

  friend bool operator==(const Carrier&, const Carrier&) = default;
};

struct Output {
  /// As configured, with the source port that is used; an unknown destination has no family.
  mcr::Output config;
  std::optional<OutputState> state;
  Reason reason;  ///< why it waits; or, while it is up, why what it sends reaches nobody
  Count matched;
  Count tx_datagrams;
  Count tx_bytes;
  Count in_flight;
  Count zerocopy;
  Count copied;
  Count unreachable;  ///< of tx_datagrams, those sent while the next hop was known to be dead
  SentDrops drops;
  /// Why the last copy was refused, by whomever; an errno in it is that of JSON, too, if `reason`
  /// has none.
  Reason error;
  std::optional<Carrier> carrier{};  ///< nothing: this relay carries

  friend bool operator==(const Output&, const Output&) = default;
};

/// The way through the kernel's own program.
struct FastPath {
  bool runs = false;
  Reason reason;  ///< why it does not
  Count rx_datagrams;
  Count tx_datagrams;

  friend bool operator==(const FastPath&, const FastPath&) = default;
};

struct Rule {
  std::string name;
  std::optional<RuleState> state;
  Reason reason;
  std::string comment;
  std::string path;         ///< "kernel" or "worker"; "": unknown
  std::string path_reason;  ///< why not the kernel's way, or for which part not
  std::optional<Expectation> expect;
  bool allow_loop = false;
  std::vector<Input> inputs;  ///< as configured; an unknown destination has no family
  Count rx_datagrams;
  Count rx_bytes;
  std::optional<double> rate_pps;
  std::optional<double> rate_bps;     ///< bits a second
  std::optional<double> last_seen_s;  ///< seconds ago; nothing: never
  std::optional<Endpoint> last_source;
  ReceivedDrops drops;
  std::vector<Output> outputs;
  std::optional<Latency> latency{};              ///< nothing: the rule is not inspected
  std::vector<std::optional<Stream>> streams{};  ///< by input; empty: the rule is not inspected
  std::string reflector{};                       ///< that it is a part of; "": of none
  std::optional<MergeView> merge{};
  std::vector<std::optional<MergedLeg>> legs{};  ///< by input; empty: the rule does not merge
  std::optional<FailoverView> failover{};
  std::vector<std::optional<FailoverInput>> standing{};  ///< by input; empty: no `failover`

  friend bool operator==(const Rule&, const Rule&) = default;
};

/// A reflector as one thing; its rules bear its name.
struct Reflector {
  /// Datagrams from one interface to another, over all groups.
  struct Way {
    std::string from;
    std::string to;
    Count datagrams;

    friend bool operator==(const Way&, const Way&) = default;
  };

  /// An instance of a service of mDNS, heard on an interface; see control/heard_services.hpp.
  struct Service {
    std::string interface;
    std::string type;  ///< "_ipp._tcp"
    std::string name;
    std::string from;  ///< address
    std::optional<double> age_s;
    std::optional<double> lives_s;

    friend bool operator==(const Service&, const Service&) = default;
  };

  std::string name;
  std::string kind;  ///< "mdns", "ssdp", "ws-discovery", "udp"
  std::string comment;
  std::optional<RuleState> state;  ///< the worst of its rules
  Reason reason;                   ///< of that rule
  std::vector<std::string> interfaces;
  std::vector<Way> ways;  ///< that are allowed
  Count searches;         ///< sent on; see control/searches.hpp
  Count answers;          ///< given to searchers
  Count left_out;         ///< searches and answers
  std::vector<Service> services{};
  Count services_forgotten{};  ///< since there were too many

  friend bool operator==(const Reflector&, const Reflector&) = default;
};

struct Membership {
  Group group;
  std::optional<MembershipState> state;
  Reason error;  ///< of the last join or leave, if the kernel refused it

  friend bool operator==(const Membership&, const Membership&) = default;
};

/// joins_attempted = joins_succeeded + joins_failed.
struct Joins {
  Count joins_attempted;
  Count joins_succeeded;
  Count joins_failed;
  Count leaves;
  Count helper_sockets;  ///< open now

  friend bool operator==(const Joins&, const Joins&) = default;
};

/// Rules that were removed are included. rx_datagrams = matched + unmatched + sum(drops).
struct Totals {
  Count rx_datagrams;
  Count matched;
  Count unmatched;
  ReceivedDrops drops;
  Count kernel_drops;  ///< frames
  Count tx_datagrams;
  SentDrops tx_drops;
  Count capture_missed;  ///< datagrams that captures lack

  friend bool operator==(const Totals&, const Totals&) = default;
};

/// Rules that are alike in state and in what is to be told about them.
struct RuleGroup {
  std::optional<RuleState> state;
  std::string note;        ///< "": nothing; escaped
  bool attention = false;  ///< they need it
  std::uint64_t rules = 0;
  std::vector<std::string> names;  ///< of the first few
  double rate_pps = 0;             ///< of all of them
  double rate_bps = 0;

  friend bool operator==(const RuleGroup&, const RuleGroup&) = default;
};

/// All rules in a few lines (digest.hpp).
struct Digest {
  std::uint64_t rules = 0;
  std::uint64_t troubled = 0;  ///< rules that do not do all of their work
  std::uint64_t silent = 0;
  std::uint64_t dropping = 0;
  std::uint64_t memberships = 0;                ///< wanted, joined or not
  std::uint64_t unjoined = 0;                   ///< of these
  std::vector<std::string> membership_notes{};  ///< of these, one for those that are alike; escaped
  std::vector<RuleGroup> groups;  ///< those that need attention first, large ones first

  friend bool operator==(const Digest&, const Digest&) = default;
};

}  // namespace mcr::status

namespace mcr {

/// See the head of this file.
struct Status {
  status::Process process;
  std::vector<status::Worker> workers;
  std::vector<status::Interface> interfaces;
  std::vector<status::Rule> rules;
  std::vector<status::Reflector> reflectors{};
  std::optional<status::Joins> joins;
  std::vector<status::Membership> memberships;
  std::optional<status::Totals> totals;
  std::optional<status::FastPath> fast_path;
  /// There instead of `rules` and of most memberships where a client asked for no more.
  std::optional<status::Digest> digest;

  friend bool operator==(const Status&, const Status&) = default;
};

}  // namespace mcr
