// The order is that of a person with a silent stream at three in the morning: is anything wrong,
// which rules, why; then the ground they stand on (interfaces, memberships), then the sums.

#include "mcr/status/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "text_table.hpp"
#include "values.hpp"

namespace mcr {
namespace {

using namespace status;

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

std::string input_text(const Json& rule) {
  auto all = inputs(rule);
  if (all.empty()) return "-";
  auto result = fmt::format("{} {}", text(all.front(), "interface"), endpoint(all.front()));
  if (all.size() > 1) result += fmt::format(" +{}", all.size() - 1);
  return result;
}

void view_outputs(RuleView& view, const Json& rule) {
  for (const auto& output : list(rule, "outputs")) {
    if (is(output, "state", "waiting")) {
      view.troubled = true;
      view.row.notes.push_back(fmt::format("output {} is waiting", place(output)));
    }
    if (auto drops = drops_in(at(output, "drops")); !drops.empty()) {
      view.drops = true;
      view.row.notes.push_back(
          fmt::format("output {} dropped {}", place(output), drops_text(drops)));
    }
  }
}

RuleView view_rule(const Unjoined& unjoined, const Json& rule) {
  RuleView view;
  view.row.cells = {text(rule, "name"),           text(rule, "state"),          input_text(rule),
                    si(number(rule, "rate_pps")), si(number(rule, "rate_bps")), last_seen(rule)};
  bool active = is(rule, "state", "active");
  view.troubled = !active && !is(rule, "state", "disabled");
  auto reason = text_or_nothing(rule, "reason");
  if (!reason.empty()) view.row.notes.push_back(reason);
  if (auto why = active ? silence(unjoined, rule) : ""; !why.empty()) {
    view.silent = true;
    view.row.notes.push_back(why);
  }
  if (auto drops = drops_in(at(rule, "drops")); !drops.empty()) {
    view.drops = true;
    view.row.notes.push_back("dropped on input: " + drops_text(drops));
  }
  view_outputs(view, rule);
  return view;
}

std::vector<RuleView> view_rules(const Json& status) {
  std::vector<RuleView> views;
  auto not_joined = unjoined(status);
  for (const auto& rule : list(status, "rules"))
    views.push_back(view_rule(not_joined, rule));
  return views;
}

/// "95 active, 1 waiting, 1 failed"
std::string states_text(const Json& rules) {
  std::map<std::string, std::uint64_t> states;
  for (const auto& rule : rules)
    ++states[text(rule, "state")];
  std::string result;
  for (const auto* state : {"active", "waiting", "failed", "silent", "disabled"}) {
    if (auto known = states.extract(state); !known.empty()) {
      result += fmt::format(", {} {}", grouped(known.mapped()), state);
    }
  }
  for (const auto& [state, n] : states)
    result += fmt::format(", {} {}", grouped(n), state);
  return result.empty() ? "" : result.substr(2);
}

std::string names_with(const Json& interfaces, auto&& condition) {
  std::string result;
  for (const auto& interface : interfaces) {
    if (!condition(interface)) continue;
    result += (result.empty() ? "" : ", ") + text(interface, "name");
  }
  return result;
}

/// What is wrong beside the rules' states, one sentence each.
std::vector<std::string> findings(const Json& status, const std::vector<RuleView>& views) {
  std::vector<std::string> result;
  auto add = [&](std::uint64_t n, std::string_view noun, std::string_view rest) {
    if (n > 0) result.push_back(fmt::format("{} {}", plural(n, noun), rest));
  };
  auto number_of = [&](auto member) {
    return static_cast<std::uint64_t>(std::ranges::count(views, true, member));
  };
  const auto& interfaces = list(status, "interfaces");
  auto unusable = names_with(interfaces, [](const Json& interface) {
    return is(interface, "state", "down") || is(interface, "state", "missing");
  });
  if (!unusable.empty()) result.push_back("not usable: " + unusable);
  add(unjoined(status).size(), "membership", "not joined");
  add(number_of(&RuleView::silent), "active rule", "without a datagram yet");
  add(number_of(&RuleView::drops), "rule", "with drops since the start");
  add(static_cast<std::uint64_t>(std::ranges::count_if(
          list(status, "workers"), [](const Json& each) { return is(each, "state", "stuck"); })),
      "worker", "stuck");
  auto overrun = names_with(
      interfaces, [](const Json& interface) { return count(interface, "kernel_drops") > 0; });
  if (!overrun.empty()) result.push_back("kernel drops on " + overrun);
  add(count(at(status, "host"), "softnet_dropped"), "frame",
      "lost in this host's input queues: raise net.core.netdev_max_backlog");
  return result;
}

std::string verdict(const Json& status, const std::vector<RuleView>& views, std::size_t columns) {
  if (!at(status, "rules").is_array()) return "no rules in this status\n";
  auto problems = findings(status, views);
  bool troubled = std::ranges::any_of(views, &RuleView::troubled);
  auto summary = views.empty() ? std::string("no rules: idle")
                               : fmt::format("{}: {}", plural(views.size(), "rule"),
                                             states_text(at(status, "rules")));
  auto word = troubled || !problems.empty() ? "ATTENTION " : "OK ";
  auto result = wrapped(word, summary, columns);
  for (const auto& problem : problems)
    result += wrapped("  ! ", problem, columns);
  return result;
}

std::string daemon_line(const Json& status, std::size_t columns) {
  auto uptime = number(status, "uptime_s");
  return wrapped("",
                 fmt::format("mcr {}, pid {}, up {}, generation {}, {}", text(status, "version"),
                             text(status, "pid"), uptime ? duration(*uptime) : "-",
                             text(status, "generation"), text(status, "config")),
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
void note_smaller(std::vector<std::string>& notes, const Json& interface, const char* granted,
                  const char* asked, std::string_view sysctl) {
  const auto has = count(interface, granted);
  if (has == 0 || has / 2 + 1 >= count(interface, asked)) return;
  notes.push_back(fmt::format("{} is {} of the {} asked for: raise {}, or give CAP_NET_ADMIN",
                              granted, size(has / 2), size(count(interface, asked)), sysctl));
}

std::vector<std::string> interface_notes(const Json& interface) {
  std::vector<std::string> notes;
  if (is(interface, "state", "missing")) {
    notes.push_back("does not exist; its rules start by themselves when it appears");
  } else if (is(interface, "state", "down")) {
    notes.push_back("is down; its rules start by themselves when it comes up");
  }
  note_smaller(notes, interface, "receive_buffer", "receive_buffer_asked", "net.core.rmem_max");
  note_smaller(notes, interface, "send_buffer", "send_buffer_asked", "net.core.wmem_max");
  if (auto drops = count(interface, "kernel_drops"); drops > 0) {
    notes.push_back(
        fmt::format("the receive buffer had no room for {}: raise receive_buffer in [interface.{}] "
                    "(bounded by net.core.rmem_max), or use more workers",
                    plural(drops, "frame"), text(interface, "name")));
  }
  if (auto missed = count(interface, "link_rx_missed"); missed > 0) {
    notes.push_back(fmt::format("the link itself missed {} on receive: ethtool -S {} shows where",
                                plural(missed, "frame"), text(interface, "name")));
  }
  if (auto lost = count(interface, "link_tx_dropped"); lost > 0) {
    notes.push_back(
        fmt::format("queueing discipline or link dropped {} on transmit: tc -s qdisc show dev {}",
                    plural(lost, "frame"), text(interface, "name")));
  }
  return notes;
}

std::string interfaces_part(const Json& status, std::size_t columns) {
  const auto& interfaces = list(status, "interfaces");
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
    table.add({{text(each, "name"), text(each, "state"), text(each, "mtu"), text(each, "gro"),
                si(number(each, "rx_datagrams")), grouped(each, "kernel_drops"),
                size(counter(each, "receive_buffer")), size(counter(each, "send_buffer"))},
               interface_notes(each)});
  }
  return '\n' + table.str(columns);
}

std::string membership_part(const Json& status, std::size_t columns) {
  const auto& membership = at(status, "membership");
  if (!membership.is_object()) return "";
  const auto& groups = list(membership, "groups");
  std::string problems;
  std::uint64_t not_joined = 0;
  for (const auto& each : groups) {
    if (!is_unjoined(each) || ++not_joined > most_memberships) continue;
    auto source = text_or_nothing(each, "source");
    auto error = text_or_nothing(each, "error");
    auto note = fmt::format("{}{} on {}: {}{}", text(each, "group"),
                            source.empty() ? "" : " from " + source, text(each, "interface"),
                            text(each, "state"), error.empty() ? "" : ", " + error);
    problems += wrapped("  ! ", note, columns);
  }
  if (not_joined > most_memberships) {
    problems += wrapped(
        "  ! ", fmt::format("and {} more: mcr status --json", not_joined - most_memberships),
        columns);
  }
  auto summary =
      fmt::format("{} of {} joined with {}; joins {} = {} good + {} failed, leaves {}",
                  grouped(groups.size() - not_joined), plural(groups.size(), "membership"),
                  plural(count(membership, "helper_sockets"), "helper socket"),
                  grouped(membership, "joins_attempted"), grouped(membership, "joins_succeeded"),
                  grouped(membership, "joins_failed"), grouped(membership, "leaves"));
  return '\n' + wrapped("", summary, columns) + problems;
}

std::vector<std::string> worker_notes(const Json& worker) {
  if (!is(worker, "state", "stuck")) return {};
  return {"is stuck: it forwards nothing; restart the daemon (systemd's watchdog does)"};
}

std::string workers_part(const Json& status, std::size_t columns) {
  const auto& workers = list(status, "workers");
  if (workers.empty()) return "";
  TextTable table(
      {{"WORKER"}, {"CPU", true}, {"RECEIVED", true}, {"SENT", true}, {"BATCHES", true}});
  for (const auto& each : workers) {
    table.add({{text(each, "id"), text(each, "cpu"), grouped(each, "rx_datagrams"),
                grouped(each, "tx_datagrams"), grouped(each, "batches")},
               worker_notes(each)});
  }
  return '\n' + table.str(columns);
}

std::string totals_part(const Json& status, std::size_t columns) {
  const auto& totals = at(status, "totals");
  if (!totals.is_object()) return "";
  auto result =
      '\n' + wrapped("",
                     fmt::format("datagrams: {} received, {} matched, {} unmatched, "
                                 "{} sent; frames lost in the kernel: {}",
                                 grouped(totals, "rx_datagrams"), grouped(totals, "matched"),
                                 grouped(totals, "unmatched"), grouped(totals, "tx_datagrams"),
                                 grouped(totals, "kernel_drops")),
                     columns);
  if (auto drops = drops_in(at(totals, "drops")); !drops.empty()) {
    result += wrapped("  ! ", "dropped on input: " + drops_text(drops), columns);
  }
  if (auto drops = drops_in(at(totals, "tx_drops")); !drops.empty()) {
    result += wrapped("  ! ", "dropped on output: " + drops_text(drops), columns);
  }
  return result;
}

}  // namespace

std::string render_status(const nlohmann::json& status, unsigned columns) {
  if (!status.is_object()) return "no status\n";
  auto width = std::max<std::size_t>(columns == 0 ? default_columns : columns, fewest_columns);
  auto views = view_rules(status);
  auto head = verdict(status, views, width) + daemon_line(status, width);
  return head + rules_part(std::move(views), width) + interfaces_part(status, width) +
         membership_part(status, width) + workers_part(status, width) + totals_part(status, width);
}

}  // namespace mcr
