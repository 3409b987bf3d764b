// One small function a question. Each that finds nothing wrong says so in a word, so that a reader
// sees what was looked at.
#include "mcr/status/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "doctor_discovery.hpp"
#include "doctor_placement.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/config/config.hpp"
#include "mcr/control/next_hops.hpp"
#include "mcr/control/worker_places.hpp"
#include "mcr/dataplane/buffers.hpp"
#include "mcr/rules/remedies.hpp"
#include "mcr/rules/rule_state.hpp"
#include "text_table.hpp"

namespace mcr {

namespace {

/// RLIMIT_MEMLOCK that holds one worker's receive buffers, and some of another's.
constexpr std::uint64_t enough_memlock = 64U << 20U;
/// One filter instruction a destination and more: 20480 bytes hold 624 during a replacement.
constexpr std::size_t destinations_of_small_optmem = 300;
constexpr std::uint64_t small_optmem = 20'480;

using Findings = std::vector<Finding>;

/// The use that the configuration makes of an interface.
struct Use {
  std::set<std::string> names;  ///< by which rules call it
  bool input = false;
  bool group_input = false;  ///< joins groups there that snooping may hold back
  bool sources = false;      ///< of some input: (S,G) joins
  bool output = false;
  bool segmented = false;  ///< some output may send several datagrams as one message
  /// One destination of each kind of its outputs: family, and whether it is within the link.
  std::map<std::pair<Family, bool>, IpAddress> reaches;
  std::set<std::string> rules;
  std::size_t groups = 0;
  std::size_t destinations = 0;  ///< of its inputs: groups times ports
};

/// By the kernel's names, where it has them.
std::map<std::string, Use> uses_of(const Config& config, const Interfaces& interfaces) {
  const auto find_use = [&](std::map<std::string, Use>& uses, const std::string& name) -> Use& {
    const auto* interface = interfaces.find(name);
    auto& use = uses[interface == nullptr ? name : interface->name];
    use.names.insert(name);
    return use;
  };
  std::map<std::string, Use> uses;
  for (const auto& rule : config.rules) {
    if (!rule.enabled) continue;
    for (const auto& input : rule.inputs) {
      auto& use = find_use(uses, input.interface);
      use.input = true;
      use.group_input =
          use.group_input || (input.destination.is_multicast() && !is_flooded(input.destination));
      use.sources = use.sources || !input.sources.empty();
      use.rules.insert(rule.name);
      use.groups += input.addresses;
      use.destinations += input.destinations().size();
    }
    for (const auto& output : rule.outputs) {
      auto& use = find_use(uses, output.interface);
      use.output = true;
      use.segmented = use.segmented || output.segmentation;
      const auto& to = output.destination;
      if (to) use.reaches.try_emplace({to.family(), to.is_link_local_v6()}, to);
      use.rules.insert(rule.name);
    }
  }
  return uses;
}

/// "rule studio-a", "rule studio-a and 3 more"
std::string rules_text(const std::set<std::string>& rules) {
  const auto more = rules.size() - 1;
  return "rule " + *rules.begin() + (more == 0 ? "" : fmt::format(" and {} more", more));
}

/// "rule b waits; rule a runs without it": the rules that use an interface that cannot be used, as
/// status shows them.
std::string consequence(const Use& use, const std::set<std::string>& waiting) {
  std::set<std::string> wait;
  std::set<std::string> go_on;
  for (const auto& rule : use.rules)
    (waiting.contains(rule) ? wait : go_on).insert(rule);
  std::string text;
  if (!wait.empty())
    text = fmt::format("{} {}", rules_text(wait), wait.size() == 1 ? "waits" : "wait");
  if (!go_on.empty())
    text += fmt::format("{}{} {} without it", text.empty() ? "" : "; ", rules_text(go_on),
                        go_on.size() == 1 ? "runs" : "run");
  return text;
}

/// The rules that would wait on this host, as `mcr status` shows them.
std::set<std::string> waiting_rules(const Config& config, const HostFacts& host) {
  const auto never_refused = [](const Input&) { return Reason(); };
  std::set<std::string> waiting;
  for (const auto& rule : config.rules)
    if (rule_status(rule, host.interfaces, never_refused).state == RuleState::waiting)
      waiting.insert(rule.name);
  return waiting;
}

bool kernel_is_at_least(const HostFacts& host, unsigned major, unsigned minor) {
  return std::tie(host.kernel_major, host.kernel_minor) >= std::tie(major, minor);
}

std::optional<std::uint64_t> sysctl(const HostFacts& host, const std::string& key) {
  const auto known = host.sysctls.find(key);
  return known == host.sysctls.end() ? std::nullopt : std::optional(known->second);
}

void judge_kernel(const HostFacts& host, Findings& findings) {
  const auto version = fmt::format("Linux {}.{}", host.kernel_major, host.kernel_minor);
  if (!kernel_is_at_least(host, 6, 1))
    findings.push_back({Severity::error, "kernel",
                        version + " is too old: mcr run does not start before Linux 6.1",
                        "install a newer kernel"});
  else if (!kernel_is_at_least(host, 6, 2))
    findings.push_back({Severity::note, "kernel",
                        version + " cannot tell the size of merged datagrams: no UDP GRO, single "
                                  "frames cost several times as much",
                        "Linux 6.2 or later"});
  else
    findings.push_back({Severity::ok, "kernel", version, ""});
}

void judge_io_uring(const HostFacts& host, Findings& findings) {
  if (host.io_uring == IoUring::missing)
    findings.push_back(
        {Severity::error, "io_uring",
         "the kernel has none, or a container's seccomp profile hides it: mcr run does not "
         "start",
         "a kernel with CONFIG_IO_URING; in a container "
         "--security-opt seccomp=/usr/share/mcr/container/seccomp.json"});
  else if (host.io_uring == IoUring::forbidden)
    findings.push_back({Severity::error, "io_uring",
                        "forbidden: mcr run does not start; a sysctl or, in a container, its "
                        "seccomp profile says so",
                        "sysctl -w kernel.io_uring_disabled=0; in a container "
                        "--security-opt seccomp=/usr/share/mcr/container/seccomp.json"});
  else if (host.io_uring == IoUring::no_memory)
    findings.push_back({Severity::error, "io_uring",
                        "no locked memory (RLIMIT_MEMLOCK) is left, which all processes of this "
                        "user share: mcr run does not start",
                        remedy(Trouble::memory_not_locked)});
  else if (!host.zero_copy_send)
    findings.push_back({Severity::note, "io_uring",
                        "works, without zero-copy sends: every copy costs the CPU", ""});
  else
    findings.push_back({Severity::ok, "io_uring", "works, with zero-copy sends", ""});
}

void judge_capabilities(const HostFacts& host, Findings& findings) {
  if (!host.net_raw)
    findings.push_back({Severity::warning, "capabilities",
                        "this user has no CAP_NET_RAW: mcr run does not start",
                        "sudo mcr doctor, or setcap cap_net_raw,cap_net_admin+ep on the program"});
  else if (!host.net_admin)
    findings.push_back({Severity::note, "capabilities",
                        "no CAP_NET_ADMIN: rmem_max and wmem_max bound the buffers, and UDP GRO "
                        "stays as the host has it",
                        "AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN in the service"});
  else
    findings.push_back({Severity::ok, "capabilities", "CAP_NET_RAW, CAP_NET_ADMIN", ""});
}

/// Only where the configuration asks for it.
void judge_fast_path(FastPathMode mode, const HostFacts& host, Findings& findings) {
  if (mode == FastPathMode::off) return;
  if (host.no_fast_path.empty())
    return findings.push_back(
        {Severity::ok, "fast_path", "the kernel's program can be loaded", ""});
  const bool required = mode == FastPathMode::require;
  findings.push_back(
      {required ? Severity::error : Severity::note, "fast_path",
       fmt::format("the kernel's way is not available ({}): {}", host.no_fast_path,
                   required ? "mcr run does not start" : "all goes through the workers"),
       "AmbientCapabilities with CAP_BPF CAP_PERFMON CAP_NET_ADMIN, on the host and not in a user "
       "namespace; mcr built with clang, bpftool and libbpf"});
}

void judge_limits(const HostFacts& host, std::size_t groups, Findings& findings) {
  if (host.registered_buffers && *host.registered_buffers < Buffers::most)
    findings.push_back({Severity::warning, "locked memory",
                        fmt::format("room for {} of a worker's {} registered receive buffers now: "
                                    "more is copied",
                                    *host.registered_buffers, Buffers::most),
                        remedy(Trouble::memory_not_locked)});
  else if (!host.ipc_lock && host.memlock && *host.memlock < enough_memlock)
    findings.push_back({Severity::warning, "locked memory",
                        fmt::format("limited to {} KiB: fewer receive buffers, or more is copied",
                                    *host.memlock / 1024),
                        remedy(Trouble::memory_not_locked)});
  constexpr std::uint64_t groups_per_socket = 20;
  const auto needed = groups / groups_per_socket + 256;
  if (host.descriptors < needed)
    findings.push_back({Severity::warning, "descriptors",
                        fmt::format("limited to {}, about {} are needed: joins will fail",
                                    host.descriptors, needed),
                        fmt::format("LimitNOFILE={} in the service", 2 * needed)});
  if (host.softnet_dropped != 0)
    findings.push_back(
        {Severity::note, "softnet",
         fmt::format("{} since the start of the host found a CPU's input queue full: "
                     "lost before any program saw them",
                     counted(host.softnet_dropped, "frame")),
         remedy(Trouble::backlog_full)});
}

/// A buffer's sysctl bounds us only without CAP_NET_ADMIN (SO_RCVBUFFORCE).
void judge_buffer(const HostFacts& host, const std::string& key, std::uint64_t wanted,
                  std::string_view consequence, Findings& findings) {
  const auto most = sysctl(host, key);
  if (!most || *most >= wanted) return;
  findings.push_back(
      {host.net_admin ? Severity::ok : Severity::warning, key,
       host.net_admin
           ? fmt::format("{}, below the {} that are asked for; CAP_NET_ADMIN goes above it", *most,
                         wanted)
           : fmt::format("{} bounds the {} bytes that are asked for: {}", *most, wanted,
                         consequence),
       host.net_admin ? "" : fmt::format("sysctl -w {}={}", key, wanted)});
}

void judge_sysctls(const Config& config, const HostFacts& host,
                   const std::map<std::string, Use>& uses, Findings& findings) {
  std::uint64_t receive = default_receive_buffer;
  std::uint64_t send = default_send_buffer;
  for (const auto& [interface, tuning] : config.interfaces) {
    receive = std::max(receive, tuning.receive_buffer.value_or(0));
    send = std::max(send, tuning.send_buffer.value_or(0));
  }
  judge_buffer(host, "net.core.rmem_max", receive, "bursts are lost (kernel_drops)", findings);
  judge_buffer(host, "net.core.wmem_max", send, "bursts are lost (send_queue_full)", findings);
  if (sysctl(host, "net.ipv4.igmp_max_memberships") == std::uint64_t{0})
    findings.push_back({Severity::error, "net.ipv4.igmp_max_memberships", "is 0: every join fails",
                        remedy(Trouble::joins_forbidden)});
  if (sysctl(host, "net.ipv4.igmp_max_msf") == std::uint64_t{0})
    findings.push_back({Severity::warning, "net.ipv4.igmp_max_msf",
                        "is 0: every join of an input with `sources` fails",
                        remedy(Trouble::source_joins_forbidden)});
  std::size_t most_destinations = 0;
  for (const auto& [interface, use] : uses)
    most_destinations = std::max(most_destinations, use.destinations);
  const auto optmem = sysctl(host, "net.core.optmem_max");
  if (optmem && *optmem <= small_optmem && most_destinations > destinations_of_small_optmem)
    findings.push_back({Severity::note, "net.core.optmem_max",
                        fmt::format("{} is too small for an exact filter of {} destinations: some "
                                    "foreign traffic is received and counted as unmatched",
                                    *optmem, most_destinations),
                        remedy(Trouble::filter_too_large)});
}

/// One interface under one configuration.
class InterfaceJudge {
 public:
  InterfaceJudge(const Config& config, const HostFacts& host, const std::string& name,
                 const Use& use, const std::set<std::string>& waiting, Findings& findings)
      : config_(config),
        host_(host),
        name_(name),
        use_(use),
        waiting_(waiting),
        findings_(findings) {}

  void judge() {
    const auto before = findings_.size();
    const auto* interface = host_.interfaces.find(name_);
    if (interface == nullptr)
      return add(Severity::warning, "does not exist: " + consequence(use_, waiting_),
                 remedy(Trouble::interface_missing, name_));
    judge_link(*interface);
    if (const auto details = host_.details.find(name_); details != host_.details.end()) {
      if (use_.group_input) judge_joins(details->second);
      if (use_.input) judge_receiving(details->second);
      if (use_.output) judge_sending(*interface, details->second);
    }
    if (findings_.size() == before) add(Severity::ok, summary(*interface), "");
  }

 private:
  void add(Severity severity, std::string text, std::string remedy) {
    findings_.push_back({severity, subject(), std::move(text), std::move(remedy)});
  }

  /// "interface eth0", "interface eth0 = uplink"
  [[nodiscard]] std::string subject() const {
    auto text = "interface " + name_;
    for (const auto& name : use_.names)
      if (name != name_) text += " = " + name;
    return text;
  }

  [[nodiscard]] std::string summary(const Interface& interface) const {
    return fmt::format("{}{}{}, MTU {}", use_.input ? "input" : "",
                       use_.input && use_.output ? " and " : "", use_.output ? "output" : "",
                       interface.mtu);
  }

  void judge_link(const Interface& interface) {
    if (!interface.up)
      add(Severity::warning, "is down or has no carrier: " + consequence(use_, waiting_),
          remedy(Trouble::interface_down, name_));
    for (const auto& [kind, destination] : use_.reaches)
      if (interface.source(destination) == nullptr)
        add(Severity::warning,
            fmt::format("has no {} address to send from: {}",
                        !destination.is_v6() ? "IPv4"
                        : kind.second        ? "IPv6"
                                             : "global IPv6",
                        consequence(use_, waiting_)),
            remedy(Trouble::no_address, name_));
  }

  void judge_joins(const InterfaceFacts& facts) {
    if (!facts.multicast)
      add(Severity::warning, "has no multicast flag: nothing may pass to it for joined groups",
          fmt::format("ip link set {} multicast on", name_));
    if (facts.rp_filter == 1)
      add(Severity::warning,
          "strict reverse-path filter: MCR does not mind, but queries of an IGMP querier whose "
          "address is not routed there are dropped, and then switches stop the streams after "
          "some minutes",
          fmt::format("sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{}.rp_filter=2",
                      name_));
    if (facts.snooping && !facts.querier)
      add(Severity::warning,
          fmt::format("bridge {} snoops IGMP and is no querier: unless another one is in this "
                      "network, it forgets the joins after some minutes and the streams stop",
                      facts.bridge),
          fmt::format("ip link set {0} type bridge mcast_querier 1 (or mcast_snooping 0)",
                      facts.bridge));
    if (use_.sources && facts.igmp_version != 0 && facts.igmp_version < 3)
      add(Severity::warning,
          fmt::format("an IGMPv{} querier is here: joins for a source become joins for any",
                      facts.igmp_version),
          fmt::format("configure the querier for IGMPv3, or sysctl -w "
                      "net.ipv4.conf.{}.force_igmp_version=3",
                      name_));
  }

  /// As [interface.NAME] says it, by whichever of its names.
  [[nodiscard]] Gro gro_asked() const {
    for (const auto& [name, tuning] : config_.interfaces)
      if (host_.interfaces.find(name) == host_.interfaces.find(name_)) return tuning.gro;
    return Gro::automatic;
  }

  void judge_receiving(const InterfaceFacts& facts) {
    const auto gro = gro_asked();
    const bool described = kernel_is_at_least(host_, 6, 2);
    if (!described && facts.udp_gro_forwarding == true)
      add(Severity::error,
          "merges UDP datagrams that this kernel cannot describe: they are dropped as truncated",
          fmt::format("ethtool -K {} rx-udp-gro-forwarding off", name_));
    if (described && facts.gro == false && (gro == Gro::automatic || gro == Gro::leave))
      add(Severity::note,
          "merges no packets: bursts come as single frames, which cost several times as much",
          fmt::format("gro = \"on\" in [interface.{}]", name_));
    const auto workers =
        static_cast<unsigned>(config_.daemon.workers.value_or(std::min(host_.cpus, 4U)));
    if (facts.receive_queues == 1 && workers > 1)
      add(Severity::note,
          fmt::format("has one receive queue for {} workers: one CPU does the kernel's part of "
                      "receiving",
                      workers),
          fmt::format("ethtool -L {} combined {}", name_, workers));
  }

  void judge_sending(const Interface& interface, const InterfaceFacts& facts) {
    if (facts.tx_checksum == false)
      add(Severity::note,
          interface.segments
              ? "computes no checksums: the kernel copies every datagram to do it"
              : "computes no checksums: before Linux 6.11 every datagram is a message of its own",
          fmt::format("ethtool -K {} tx on", name_));
    else if (facts.udp_segmentation == false)
      add(Severity::note, "does not segment UDP: the kernel cuts superframes",
          fmt::format("ethtool -K {} tx-udp-segmentation on", name_));
    if (facts.driver == "veth" && facts.udp_segmentation == true && use_.segmented)
      add(Severity::note,
          "a program that captures frames at its other end sees superframes of many datagrams; "
          "tshark and probes that count packets report loss where there is none",
          fmt::format("segmentation = \"off\" in [interface.{0}], or ethtool -K {0} "
                      "tx-udp-segmentation off",
                      name_));
    if (interface.shaped)
      add(Severity::note,
          fmt::format("queueing discipline {}: it may delay or drop on purpose; its drops count "
                      "as egress_full or link_tx_dropped",
                      facts.discipline.empty() ? "shapes" : facts.discipline),
          remedy(Trouble::discipline_drops, name_));
  }

  const Config& config_;
  const HostFacts& host_;
  const std::string& name_;
  const Use& use_;
  const std::set<std::string>& waiting_;
  Findings& findings_;
};

/// Each pair of interfaces once.
void judge_mtus(const Config& config, const HostFacts& host, Findings& findings) {
  std::set<std::pair<std::string, std::string>> told;
  for (const auto& rule : config.rules) {
    if (!rule.enabled) continue;
    for (const auto& input : rule.inputs)
      for (const auto& output : rule.outputs) {
        const auto* from = host.interfaces.find(input.interface);
        const auto* to = host.interfaces.find(output.interface);
        if (from == nullptr || to == nullptr || to->mtu >= from->mtu) continue;
        if (!told.emplace(from->name, to->name).second) continue;
        findings.push_back(
            {Severity::warning, fmt::format("MTU {} to {}", from->name, to->name),
             fmt::format("datagrams above {} bytes (rule {}) are fragmented: slow, and receivers "
                         "lose all of one when they lose a part",
                         to->mtu - 28, rule.name),
             fmt::format("ip link set {} mtu {}", to->name, from->mtu)});
      }
  }
}

/// Inputs and outputs that cannot be used although their interface is up.
void judge_rules(const Config& config, const HostFacts& host, Findings& findings) {
  const auto never_refused = [](const Input&) { return Reason(); };
  std::set<std::string> told;
  const auto add = [&](const std::string& rule, const Reason& reason, std::string remedy) {
    if (!reason.empty() && told.insert(reason.text).second)
      findings.push_back({Severity::warning, "rule " + rule, reason.text, std::move(remedy)});
  };
  const auto is_up = [&](const std::string& name) {
    const auto* interface = host.interfaces.find(name);
    return interface != nullptr && interface->up;
  };
  for (const auto& rule : config.rules) {
    const auto status = rule_status(rule, host.interfaces, never_refused, host.refused);
    for (std::size_t i = 0; i < rule.inputs.size(); ++i)
      if (const auto& input = rule.inputs[i]; is_up(input.interface))
        add(rule.name, status.input_reasons[i],
            input.destination.is_multicast()
                ? "name another interface"
                : remedy(Trouble::no_address, input.interface, input.destination.str()));
    for (std::size_t i = 0; i < rule.outputs.size(); ++i)
      if (const auto& output = rule.outputs[i]; is_up(output.interface)) {
        const auto& reason = status.output_reasons[i];
        if (reason.error != 0)
          add(rule.name, reason, remedy(socket_trouble(reason.error), output.interface));
        else if (output.source.mode == Source::Mode::address)
          add(rule.name, reason,
              remedy(Trouble::source_missing, output.interface, output.source.address.str()));
      }
  }
}

/// An entry without a neighbour's state is as good as one that answers: nothing was sent there yet.
void judge_next_hops(const HostFacts& host, Findings& findings) {
  for (const auto& [where, hop] : host.next_hops) {
    const auto& [interface, destination] = where;
    const auto* link = host.interfaces.find(interface);
    if (link == nullptr || !link->up) continue;
    auto reason = describe_dead(hop, destination, interface);
    if (reason.empty() && hop.assumed && hop.neighbour == Neighbour::unknown)
      reason = {fmt::format("no route to {} by {}: the kernel takes it for a host on that link",
                            destination, interface),
                ENETUNREACH};
    if (reason.empty()) continue;
    findings.push_back({Severity::warning, fmt::format("output to {}", destination), reason.text,
                        remedy(next_hop_trouble(reason.error), interface, destination.str())});
  }
}

}  // namespace

std::string_view name(Severity severity) noexcept {
  constexpr std::array<std::string_view, 4> names{"ok", "note", "warning", "error"};
  return names[static_cast<std::size_t>(severity)];
}

Findings diagnose(const Config& config, const HostFacts& host) {
  Findings findings;
  const auto uses = uses_of(config, host.interfaces);
  std::size_t groups = 0;
  for (const auto& [interface, use] : uses)
    groups += use.groups;
  judge_kernel(host, findings);
  judge_io_uring(host, findings);
  judge_capabilities(host, findings);
  judge_fast_path(config.daemon.fast_path, host, findings);
  judge_limits(host, groups, findings);
  judge_sysctls(config, host, uses, findings);
  const auto waiting = waiting_rules(config, host);
  for (const auto& [interface, use] : uses)
    InterfaceJudge(config, host, interface, use, waiting, findings).judge();
  judge_placement(config.rules, place_workers(config.daemon, host.allowed_cpus),
                  config.daemon.fast_path, host, findings);
  judge_rules(config, host, findings);
  judge_next_hops(host, findings);
  judge_mtus(config, host, findings);
  judge_discovery(config.rules, host, findings);
  return findings;
}

std::string render_findings(std::span<const Finding> findings, unsigned columns) {
  constexpr unsigned default_columns = 80;
  constexpr unsigned fewest_columns = 40;
  const auto width = std::max(columns == 0 ? default_columns : columns, fewest_columns);
  std::vector<Finding> sorted(findings.begin(), findings.end());
  std::ranges::stable_sort(sorted, std::greater<>(), &Finding::severity);
  std::array<std::size_t, 4> counts{};
  std::string text;
  for (const auto& finding : sorted) {
    ++counts[static_cast<std::size_t>(finding.severity)];
    text += wrapped(fmt::format("{:<8} ", name(finding.severity)),
                    printable(finding.subject + ": " + finding.text), width);
    if (!finding.remedy.empty()) text += wrapped("      -> ", printable(finding.remedy), width);
  }
  return text + fmt::format("{}, {}, {}\n", counted(counts[3], "error"),
                            counted(counts[2], "warning"), counted(counts[1], "note"));
}

nlohmann::json findings_to_json(std::span<const Finding> findings) {
  auto list = nlohmann::json::array();
  for (const auto& finding : findings)
    list.push_back({{"severity", name(finding.severity)},
                    {"subject", finding.subject},
                    {"text", finding.text},
                    {"remedy", finding.remedy}});
  return {{"ok", healthy(findings)}, {"findings", std::move(list)}};
}

bool healthy(std::span<const Finding> findings) noexcept {
  return std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.severity == Severity::error; });
}

}  // namespace mcr
