// The order is that of a person with a silent stream at three in the morning: is anything wrong,
// which rules, why; then the ground they stand on (interfaces, memberships), then the sums.

#include "mcr/status/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "mcr/base/printable.hpp"
#include "mcr/rules/remedies.hpp"
#include "mcr/status/digest.hpp"
#include "rule_view.hpp"
#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {
namespace {

constexpr std::size_t default_columns = 80;
constexpr std::size_t fewest_columns = 40;
constexpr std::size_t most_names = 3;     // of rules or groups that are alike
constexpr std::size_t widest_names = 20;  // of an interface, in the table

/// "95 active, 1 waiting, 1 failed"
std::string states_text(const Digest& digest) {
  std::string result;
  const auto add = [&](const std::optional<RuleState>& state) {
    std::uint64_t n = 0;
    for (const auto& group : digest.groups)
      if (group.state == state) n += group.rules;
    if (n != 0) result += fmt::format(", {} {}", grouped(n), shown(state));
  };
  for (const auto state : rule_states)
    add(state);
  add(std::nullopt);
  return result.empty() ? "" : result.substr(2);
}

std::string names_with(const std::vector<Interface>& interfaces, auto&& condition) {
  std::string result;
  for (const auto& interface : interfaces) {
    if (!condition(interface)) continue;
    result += (result.empty() ? "" : ", ") + shown(interface.name);
  }
  return result;
}

/// Everything that is wrong beside the rules' states, one sentence each.
std::vector<std::string> findings(const Status& status, const Digest& digest) {
  std::vector<std::string> result;
  auto add = [&](std::uint64_t n, std::string_view noun, std::string_view rest) {
    if (n > 0) result.push_back(fmt::format("{} {}", plural(n, noun), rest));
  };
  auto unusable = names_with(status.interfaces, [](const Interface& interface) {
    return interface.state == InterfaceState::down || interface.state == InterfaceState::missing;
  });
  if (!unusable.empty()) result.push_back("not usable: " + unusable);
  add(digest.unjoined, "membership", "not joined");
  add(digest.silent, "active rule", "without a datagram yet");
  add(digest.dropping, "rule", "with drops since the start");
  add(static_cast<std::uint64_t>(std::ranges::count(status.workers, true, &Worker::stuck)),
      "worker", "stuck");
  if (const auto& refusal = status.process.metrics_refusal; !refusal.empty())
    result.push_back(printable(refusal.text) + "; trying again");
  auto overrun = names_with(status.interfaces, [](const Interface& interface) {
    return interface.kernel_drops.value_or(0) > 0;
  });
  if (!overrun.empty()) result.push_back("kernel drops on " + overrun);
  add(status.process.softnet_dropped.value_or(0), "frame",
      "lost in this host's input queues: " + remedy(Trouble::backlog_full));
  return result;
}

std::string verdict(const Status& status, const Digest& digest, std::size_t columns) {
  auto problems = findings(status, digest);
  auto summary = digest.rules == 0
                     ? std::string("no rules: idle")
                     : fmt::format("{}: {}", plural(digest.rules, "rule"), states_text(digest));
  auto word = digest.troubled != 0 || !problems.empty() ? "ATTENTION " : "OK ";
  auto result = wrapped(word, summary, columns);
  if (status.process.standby == "on")
    result += wrapped("  ! ", "this host stands by: nothing is sent (mcr standby off)", columns);
  for (const auto& problem : problems)
    result += wrapped("  ! ", problem, columns);
  return result;
}

std::string plain(const Count& number) {
  return number ? fmt::format("{}", *number) : "-";
}

std::string_view about_memory(const Process& process) {
  if (process.memory_locked == "code") return "; only its code is locked in memory";
  return process.memory_locked == "no" ? "; its memory may be paged out" : "";
}

std::string about_shard(const Process& process) {
  if (process.shard.empty()) return "";
  return fmt::format("; shard {}: {} to others", shown(process.shard),
                     counted(process.rules_elsewhere.value_or(0), "rule") +
                         (process.rules_elsewhere == 1U ? " belongs" : " belong"));
}

std::string daemon_line(const Process& process, std::size_t columns) {
  const auto& uptime = process.uptime_s;
  return wrapped(
      "",
      fmt::format("mcr {}, pid {}, up {}, generation {}, {}{}{}", shown(process.version),
                  plain(process.pid), uptime ? duration(*uptime) : "-", plain(process.generation),
                  shown(process.config), about_memory(process), about_shard(process)),
      columns);
}

/// "10 waiting: interface eth7 does not exist: a, b, c and 7 more"
std::string group_text(const RuleGroup& group) {
  return fmt::format("{} {}{}: {}", grouped(group.rules), shown(group.state),
                     group.note.empty() ? fmt::format(", {} datagrams/s, {} bit/s",
                                                      si(group.rate_pps), si(group.rate_bps))
                                        : ": " + group.note,
                     names_text(group.names, group.rules));
}

std::string groups_part(const Digest& digest, std::size_t columns) {
  std::string result = "\n";
  for (const auto& group : digest.groups)
    result += wrapped(group.attention ? "  ! " : "    ", group_text(group), columns);
  return result +
         wrapped("",
                 "mcr status --state STATE and mcr status 'PATTERN*' list rules, mcr status "
                 "RULE shows one",
                 columns);
}

/// From each interface a row, to each a column; "." is the same interface, "-" a way that is not
/// allowed.
std::string matrix(const Reflector& reflector, std::size_t columns) {
  std::vector<TextTable::Column> titles{{"FROM \\ TO", false, true}};
  for (const auto& interface : reflector.interfaces)
    titles.push_back({shown(interface), true});
  TextTable table(std::move(titles));
  for (const auto& from : reflector.interfaces) {
    std::vector<std::string> cells{shown(from)};
    for (const auto& to : reflector.interfaces) {
      const auto way = std::ranges::find_if(reflector.ways, [&](const Reflector::Way& each) {
        return each.from == from && each.to == to;
      });
      cells.push_back(from == to                    ? "."
                      : way == reflector.ways.end() ? "-"
                                                    : grouped(way->datagrams));
    }
    table.add({std::move(cells), {}});
  }
  return table.str(columns);
}

std::string from_text(const Rule& rule) {
  return shown(rule.inputs.empty() ? "" : rule.inputs[0].interface);
}

/// The troubles of its rules, each sentence once.
std::vector<std::string> notes_about(const Status& status, const Reflector& reflector) {
  std::vector<std::string> notes;
  const auto not_joined = unjoined(status);
  for (const auto& rule : status.rules) {
    if (rule.reflector != reflector.name) continue;
    if (rule.rx_datagrams == std::uint64_t{0} && rule.state == RuleState::active) continue;
    for (auto& note : notes_about(not_joined, rule)) {
      auto line = fmt::format("from {}: {}", from_text(rule), note);
      if (std::ranges::find(notes, line) == notes.end()) notes.push_back(std::move(line));
    }
  }
  return notes;
}

/// All that its rules leave to other relays.
std::vector<std::string> remarks_about(const Status& status, const Reflector& reflector) {
  std::vector<std::string> remarks;
  for (const auto& rule : status.rules)
    if (rule.reflector == reflector.name)
      for (const auto& remark : remarks_about(rule))
        remarks.push_back(fmt::format("from {} {}", from_text(rule), remark));
  return remarks;
}

std::string reflectors_part(const Status& status, std::size_t columns) {
  std::string result;
  for (const auto& reflector : status.reflectors) {
    result +=
        '\n' + wrapped("",
                       fmt::format("reflector {} ({}): {}; datagrams so far", shown(reflector.name),
                                   shown(reflector.kind), shown(reflector.state)),
                       columns);
    result += matrix(reflector, columns);
    if (reflector.kind == "ssdp" || reflector.kind == "ws-discovery")
      result += wrapped("  ",
                        fmt::format("{} searches sent on, {} answers given back",
                                    grouped(reflector.searches), grouped(reflector.answers)),
                        columns);
    for (const auto& note : notes_about(status, reflector))
      result += wrapped("  ! ", note, columns);
    for (const auto& remark : remarks_about(status, reflector))
      result += wrapped("    ", remark, columns);
  }
  return result;
}

/// The kernel's figure is twice what was asked for, and an int.
void note_smaller(std::vector<std::string>& notes, std::string_view buffer, const Count& granted,
                  const Count& asked, Trouble trouble) {
  const auto has = granted.value_or(0);
  if (has == 0 || has / 2 + 1 >= asked.value_or(0)) return;
  notes.push_back(fmt::format("{} is {} of the {} asked for: {}", buffer, size(has / 2),
                              size(asked), remedy(trouble)));
}

std::vector<std::string> interface_notes(const Interface& interface) {
  std::vector<std::string> notes;
  if (interface.state == InterfaceState::missing) {
    notes.push_back("does not exist; its rules start by themselves when it appears");
  } else if (interface.state == InterfaceState::down) {
    notes.push_back("is down; its rules start by themselves when it comes up");
  }
  note_smaller(notes, "receive_buffer", interface.receive_buffer, interface.receive_buffer_asked,
               Trouble::receive_buffer_smaller);
  note_smaller(notes, "send_buffer", interface.send_buffer, interface.send_buffer_asked,
               Trouble::send_buffer_smaller);
  const auto add = [&](const Count& frames, std::string_view what, Trouble trouble) {
    if (frames.value_or(0) > 0)
      notes.push_back(fmt::format(fmt::runtime(what), plural(*frames, "frame")) + ": " +
                      remedy(trouble, shown(interface.name)));
  };
  add(interface.kernel_drops, "the receive buffer had no room for {}",
      Trouble::receive_buffer_full);
  add(interface.link_rx_missed, "the NIC had no room for {}", Trouble::nic_full);
  add(interface.link_tx_dropped, "queueing discipline or link dropped {} on transmit",
      Trouble::discipline_drops);
  return notes;
}

/// `names`: what interface_text() says. A long one would be cut in the table.
std::vector<std::string> interface_remarks(const Interface& interface, const std::string& names) {
  std::vector<std::string> remarks;
  if (names.size() > widest_names) remarks.push_back(names);
  if (!interface.gro_reason.empty())
    remarks.push_back("GRO merges no datagrams: " + printable(interface.gro_reason));
  return remarks;
}

/// "on 20 us": merged frames wait so long for others.
std::string gro_text(const Interface& interface) {
  if (!interface.gro) return "-";
  if (!*interface.gro) return "off";
  const auto wait_ns = interface.gro_wait_ns.value_or(0);
  return wait_ns == 0 ? "on" : fmt::format("on {:g} us", static_cast<double>(wait_ns) / 1000);
}

/// Datagrams a frame: how well senders and GRO spare the relay work. "-": nothing came yet.
std::string a_frame(const Interface& interface) {
  const auto frames = interface.rx_frames.value_or(0);
  if (frames == 0 || !interface.rx_datagrams) return "-";
  return fmt::format("{:.1f}",
                     static_cast<double>(*interface.rx_datagrams) / static_cast<double>(frames));
}

/// "eth0", or "eth0 = uplink" where rules call it uplink. A digest has no other names than these.
std::string interface_text(const Interface& interface, const Status& status,
                           const std::set<std::string_view>& in_use) {
  auto text = shown(interface.name);
  for (const auto& name : interface.alt_names)
    if (status.digest || in_use.contains(name)) text += " = " + shown(name);
  return text;
}

std::string interfaces_part(const Status& status, std::size_t columns) {
  if (status.interfaces.empty()) return "";
  const auto in_use = names_in_use(status.rules);
  TextTable table({{"INTERFACE", false, true},
                   {"STATE"},
                   {"MTU", true},
                   {"GRO"},
                   {"RECEIVED", true},
                   {"A FRAME", true},
                   {"DROPS", true},
                   {"RX BUF", true},
                   {"TX BUF", true}});
  for (const auto& each : status.interfaces) {
    const auto names = interface_text(each, status, in_use);
    table.add({{names.size() > widest_names ? shown(each.name) : names, shown(each.state),
                plain(each.mtu), gro_text(each), si(each.rx_datagrams), a_frame(each),
                grouped(each.kernel_drops), size(each.receive_buffer), size(each.send_buffer)},
               interface_notes(each),
               {},
               interface_remarks(each, names)});
  }
  return '\n' + table.str(columns);
}

std::string membership_part(const Status& status, const Digest& digest, std::size_t columns) {
  if (!status.joins) return "";
  const auto& joins = *status.joins;
  std::string problems;
  for (const auto& note : digest.membership_notes)
    problems += wrapped("  ! ", note, columns);
  auto summary = fmt::format(
      "{} of {} joined with {}; joins {} = {} good + {} failed, leaves {}",
      grouped(digest.memberships - std::min(digest.memberships, digest.unjoined)),
      plural(digest.memberships, "membership"),
      plural(joins.helper_sockets.value_or(0), "helper socket"), grouped(joins.joins_attempted),
      grouped(joins.joins_succeeded), grouped(joins.joins_failed), grouped(joins.leaves));
  return '\n' + wrapped("", summary, columns) + problems;
}

std::vector<std::string> worker_notes(const Worker& worker) {
  if (!worker.stuck) return {};
  return {"is stuck: it forwards nothing; restart the daemon (systemd's watchdog does)"};
}

/// "3", or "(3)" if it is not pinned there.
std::string cpu_of(const Worker& worker) {
  if (worker.cpu || !worker.last_cpu) return plain(worker.cpu);
  return fmt::format("({})", *worker.last_cpu);
}

/// "40 %"; of a worker that polls it says little.
std::string cpu_use_of(const Worker& worker) {
  if (worker.polls) return "polls";
  return worker.cpu_use ? fmt::format("{:.0f} %", 100 * *worker.cpu_use) : "-";
}

std::string workers_part(const std::vector<Worker>& workers, std::size_t columns) {
  if (workers.empty()) return "";
  TextTable table({{"WORKER"},
                   {"CPU", true},
                   {"USE", true},
                   {"RECEIVED", true},
                   {"SENT", true},
                   {"BATCHES", true}});
  for (const auto& each : workers) {
    table.add({{plain(each.id), cpu_of(each), cpu_use_of(each), grouped(each.rx_datagrams),
                grouped(each.tx_datagrams), grouped(each.batches)},
               worker_notes(each)});
  }
  return '\n' + table.str(columns);
}

std::string fast_path_part(const std::optional<FastPath>& fast_path, std::size_t columns) {
  if (!fast_path || !fast_path->runs) return "";
  return wrapped("",
                 fmt::format("the kernel's way: {} received, {} sent",
                             grouped(fast_path->rx_datagrams), grouped(fast_path->tx_datagrams)),
                 columns);
}

std::string totals_part(const std::optional<Totals>& totals, std::size_t columns) {
  if (!totals) return "";
  auto result =
      '\n' + wrapped("",
                     fmt::format("datagrams: {} received, {} matched, {} unmatched, "
                                 "{} sent; frames lost in the kernel: {}",
                                 grouped(totals->rx_datagrams), grouped(totals->matched),
                                 grouped(totals->unmatched), grouped(totals->tx_datagrams),
                                 grouped(totals->kernel_drops)),
                     columns);
  if (auto drops = nonzero(totals->drops); !drops.empty()) {
    result += wrapped(unusual(drops).empty() ? "  " : "  ! ",
                      "dropped on input: " + drops_text(drops), columns);
  }
  if (auto drops = nonzero(totals->tx_drops); !drops.empty()) {
    result += wrapped(unusual(drops).empty() ? "  " : "  ! ",
                      "dropped on output: " + drops_text(drops), columns);
  }
  return result;
}

}  // namespace

std::string render_status(const Status& status, unsigned columns) {
  const auto width =
      std::max<std::size_t>(columns == 0 ? default_columns : columns, fewest_columns);
  const auto digest = status.digest ? *status.digest : digest_of(status);
  const bool listed = !status.digest && status.rules.size() <= most_listed_rules;
  return verdict(status, digest, width) + daemon_line(status.process, width) +
         (listed ? rules_table(status, width, false) : groups_part(digest, width)) +
         reflectors_part(status, width) + interfaces_part(status, width) +
         membership_part(status, digest, width) + workers_part(status.workers, width) +
         totals_part(status.totals, width) + fast_path_part(status.fast_path, width);
}

std::string render_rules(const Status& status, unsigned columns) {
  const auto width =
      std::max<std::size_t>(columns == 0 ? default_columns : columns, fewest_columns);
  const auto digest = digest_of(status);
  if (digest.rules == 0) return "no rule matches\n";
  return wrapped("", fmt::format("{}: {}", plural(digest.rules, "rule"), states_text(digest)),
                 width) +
         rules_table(status, width);
}

std::string render_trouble(const Status& status) {
  std::map<std::tuple<std::string, std::string>, std::vector<std::string>> kinds;
  for (const auto& rule : status.rules)
    if (rule.state != RuleState::active && rule.state != RuleState::disabled)
      kinds[{rule.state ? shown(rule.state) : "unknown", printable(rule.reason.text)}].push_back(
          rule.name);
  std::string result;
  for (auto& [kind, names] : kinds) {
    const auto all = names.size();
    names.resize(std::min(all, most_names));
    result +=
        fmt::format("{} {}: {}\n", std::get<0>(kind), names_text(names, all), std::get<1>(kind));
  }
  return result;
}

}  // namespace mcr::status
