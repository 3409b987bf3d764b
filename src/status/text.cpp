// The order is that of a person with a silent stream at three in the morning: is anything wrong,
// which rules, why; then the ground they stand on (interfaces, memberships), then the sums.

#include "mcr/status/text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mcr/rules/remedies.hpp"
#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {
namespace {

constexpr std::size_t default_columns = 80;
constexpr std::size_t fewest_columns = 40;
constexpr std::size_t most_memberships = 20;  // of those not joined; more are only counted

/// A rule with all that there is to say about it.
struct RuleView {
  TextTable::Row row;
  bool troubled = false;  ///< does not do all of its work
  bool silent = false;    ///< runs, and has seen nothing
  bool drops = false;
};

std::string input_text(const Rule& rule) {
  if (rule.inputs.empty()) return "-";
  const auto& first = rule.inputs.front();
  auto result =
      fmt::format("{} {}", shown(first.interface), destination_text(first.destinations()));
  if (rule.inputs.size() > 1) result += fmt::format(" +{}", rule.inputs.size() - 1);
  return result;
}

void view_outputs(RuleView& view, const Rule& rule) {
  for (const auto& output : rule.outputs) {
    if (output.state == OutputState::waiting) {
      view.troubled = true;
      view.row.notes.push_back(fmt::format("output {} is waiting", place(output.config)));
    }
    if (auto drops = nonzero(output.drops); !drops.empty()) {
      view.drops = true;
      view.row.notes.push_back(
          fmt::format("output {} dropped {}", place(output.config), drops_text(drops)));
    }
  }
}

RuleView view_rule(const Unjoined& unjoined, const Rule& rule) {
  RuleView view;
  view.row.cells = {shown(rule.name),  shown(rule.state), input_text(rule),
                    si(rule.rate_pps), si(rule.rate_bps), last_seen(rule)};
  const bool active = rule.state == RuleState::active;
  view.troubled = !active && rule.state != RuleState::disabled;
  if (!rule.reason.empty()) view.row.notes.push_back(printable(rule.reason.text));
  if (auto why = active ? silence(unjoined, rule) : ""; !why.empty()) {
    view.silent = true;
    view.row.notes.push_back(why);
  }
  if (auto drops = nonzero(rule.drops); !drops.empty()) {
    view.drops = true;
    view.row.notes.push_back("dropped on input: " + drops_text(drops));
  }
  view_outputs(view, rule);
  return view;
}

std::vector<RuleView> view_rules(const Status& status) {
  std::vector<RuleView> views;
  auto not_joined = unjoined(status);
  for (const auto& rule : status.rules)
    views.push_back(view_rule(not_joined, rule));
  return views;
}

/// "95 active, 1 waiting, 1 failed"
std::string states_text(const std::vector<Rule>& rules) {
  std::string result;
  const auto add = [&](const std::optional<RuleState>& state) {
    const auto n = static_cast<std::uint64_t>(std::ranges::count(rules, state, &Rule::state));
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
std::vector<std::string> findings(const Status& status, const std::vector<RuleView>& views) {
  std::vector<std::string> result;
  auto add = [&](std::uint64_t n, std::string_view noun, std::string_view rest) {
    if (n > 0) result.push_back(fmt::format("{} {}", plural(n, noun), rest));
  };
  auto number_of = [&](auto member) {
    return static_cast<std::uint64_t>(std::ranges::count(views, true, member));
  };
  auto unusable = names_with(status.interfaces, [](const Interface& interface) {
    return interface.state == InterfaceState::down || interface.state == InterfaceState::missing;
  });
  if (!unusable.empty()) result.push_back("not usable: " + unusable);
  add(unjoined(status).size(), "membership", "not joined");
  add(number_of(&RuleView::silent), "active rule", "without a datagram yet");
  add(number_of(&RuleView::drops), "rule", "with drops since the start");
  add(static_cast<std::uint64_t>(std::ranges::count(status.workers, true, &Worker::stuck)),
      "worker", "stuck");
  auto overrun = names_with(status.interfaces, [](const Interface& interface) {
    return interface.kernel_drops.value_or(0) > 0;
  });
  if (!overrun.empty()) result.push_back("kernel drops on " + overrun);
  add(status.process.softnet_dropped.value_or(0), "frame",
      "lost in this host's input queues: " + remedy(Trouble::backlog_full));
  return result;
}

std::string verdict(const Status& status, const std::vector<RuleView>& views, std::size_t columns) {
  auto problems = findings(status, views);
  bool troubled = std::ranges::any_of(views, &RuleView::troubled);
  auto summary = views.empty() ? std::string("no rules: idle")
                               : fmt::format("{}: {}", plural(views.size(), "rule"),
                                             states_text(status.rules));
  auto word = troubled || !problems.empty() ? "ATTENTION " : "OK ";
  auto result = wrapped(word, summary, columns);
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

std::string daemon_line(const Process& process, std::size_t columns) {
  const auto& uptime = process.uptime_s;
  return wrapped(
      "",
      fmt::format("mcr {}, pid {}, up {}, generation {}, {}{}", shown(process.version),
                  plain(process.pid), uptime ? duration(*uptime) : "-", plain(process.generation),
                  shown(process.config), about_memory(process)),
      columns);
}

std::string rules_part(std::vector<RuleView> views, std::size_t columns) {
  if (views.empty()) return "";
  std::stable_partition(views.begin(), views.end(), [](const RuleView& view) {
    return view.troubled || view.silent || view.drops;
  });
  TextTable table({{"RULE", false, true},
                   {"STATE"},
                   {"INPUT", false, true},
                   {"PKT/S", true},
                   {"BIT/S", true},
                   {"SEEN", true}});
  for (auto& view : views)
    table.add(std::move(view.row));
  return '\n' + table.str(columns);
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

std::string gro_text(const std::optional<bool>& gro) {
  return gro ? *gro ? "on" : "off" : "-";
}

std::string interfaces_part(const std::vector<Interface>& interfaces, std::size_t columns) {
  if (interfaces.empty()) return "";
  TextTable table({{"INTERFACE", false, true},
                   {"STATE"},
                   {"MTU", true},
                   {"GRO"},
                   {"RECEIVED", true},
                   {"KERNEL DROPS", true},
                   {"RX BUFFER", true},
                   {"TX BUFFER", true}});
  for (const auto& each : interfaces) {
    table.add({{shown(each.name), shown(each.state), plain(each.mtu), gro_text(each.gro),
                si(each.rx_datagrams), grouped(each.kernel_drops), size(each.receive_buffer),
                size(each.send_buffer)},
               interface_notes(each)});
  }
  return '\n' + table.str(columns);
}

std::string membership_note(const Membership& membership) {
  const auto& group = membership.group;
  return fmt::format("{}{} on {}: {}{}", group.group,
                     group.source ? fmt::format(" from {}", group.source) : "",
                     shown(group.interface), shown(membership.state),
                     membership.error.empty() ? "" : ", " + printable(membership.error.text));
}

std::string membership_part(const Status& status, std::size_t columns) {
  if (!status.joins) return "";
  const auto& joins = *status.joins;
  const auto& groups = status.memberships;
  std::string problems;
  std::uint64_t not_joined = 0;
  for (const auto& each : groups) {
    if (!is_unjoined(each) || ++not_joined > most_memberships) continue;
    problems += wrapped("  ! ", membership_note(each), columns);
  }
  if (not_joined > most_memberships) {
    problems += wrapped(
        "  ! ", fmt::format("and {} more: mcr status --json", not_joined - most_memberships),
        columns);
  }
  auto summary = fmt::format(
      "{} of {} joined with {}; joins {} = {} good + {} failed, leaves {}",
      grouped(groups.size() - not_joined), plural(groups.size(), "membership"),
      plural(joins.helper_sockets.value_or(0), "helper socket"), grouped(joins.joins_attempted),
      grouped(joins.joins_succeeded), grouped(joins.joins_failed), grouped(joins.leaves));
  return '\n' + wrapped("", summary, columns) + problems;
}

std::vector<std::string> worker_notes(const Worker& worker) {
  if (!worker.stuck) return {};
  return {"is stuck: it forwards nothing; restart the daemon (systemd's watchdog does)"};
}

std::string workers_part(const std::vector<Worker>& workers, std::size_t columns) {
  if (workers.empty()) return "";
  TextTable table(
      {{"WORKER"}, {"CPU", true}, {"RECEIVED", true}, {"SENT", true}, {"BATCHES", true}});
  for (const auto& each : workers) {
    table.add({{plain(each.id), plain(each.cpu), grouped(each.rx_datagrams),
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
    result += wrapped("  ! ", "dropped on input: " + drops_text(drops), columns);
  }
  if (auto drops = nonzero(totals->tx_drops); !drops.empty()) {
    result += wrapped("  ! ", "dropped on output: " + drops_text(drops), columns);
  }
  return result;
}

}  // namespace

std::string render_status(const Status& status, unsigned columns) {
  auto width = std::max<std::size_t>(columns == 0 ? default_columns : columns, fewest_columns);
  auto views = view_rules(status);
  auto head = verdict(status, views, width) + daemon_line(status.process, width);
  return head + rules_part(std::move(views), width) + interfaces_part(status.interfaces, width) +
         membership_part(status, width) + workers_part(status.workers, width) +
         totals_part(status.totals, width) + fast_path_part(status.fast_path, width);
}

}  // namespace mcr::status
