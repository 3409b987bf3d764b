// The format wants all samples of a name together, so each name is one walk over the rules. The
// labels of a rule or an output are written once and copied into its samples: 10,000 rules are
// 150,000 lines, and Prometheus waits for them.
#include "mcr/status/metrics.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

namespace mcr {
namespace {

using nlohmann::json;

/// A label value's escapes; names of rules are free text.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result;
}

std::string label(std::string_view key, std::string_view value) {
  return fmt::format("{}=\"{}\"", key, escaped(value));
}

class Exposition {
 public:
  explicit Exposition(std::size_t expected_bytes) { text_.reserve(expected_bytes); }

  /// Begins the samples of a name; its type follows from the name, as the convention has it.
  void begin(std::string_view name, std::string_view help) {
    name_ = name;
    const auto* type = name.ends_with("_total") ? "counter" : "gauge";
    text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }

  /// `labels` as they stand between the braces, in one or two parts.
  void add(std::string_view labels, std::string_view more, std::string_view value) {
    text_ += name_;
    if (!labels.empty() || !more.empty()) {
      text_ += '{';
      text_ += labels;
      if (!labels.empty() && !more.empty()) text_ += ',';
      text_ += more;
      text_ += '}';
    }
    text_ += ' ';
    text_ += value;
    text_ += '\n';
  }
  void add(std::string_view labels, std::string_view more, std::uint64_t value) {
    const fmt::format_int digits(value);
    add(labels, more, std::string_view(digits.data(), digits.size()));
  }
  /// Nothing for what is no number.
  void add(std::string_view labels, const json& value) {
    if (value.is_number()) add(labels, {}, value.dump());
  }
  void add(std::string_view name, std::string_view help, std::string_view labels,
           std::string_view value) {
    begin(name, help);
    add(labels, {}, value);
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string_view name_;
};

/// A name and where its value stands.
struct JsonMetric {
  std::string_view name;
  const char* key;
  std::string_view help;
};

template <typename Figures>
struct FigureMetric {
  std::string_view name;
  std::uint64_t Figures::*figure;
  std::string_view help;
};

constexpr std::array process_metrics{
    JsonMetric{"mcr_uptime_seconds", "uptime_s", "Time since the start."},
    JsonMetric{"mcr_config_generation", "generation", "Configurations taken over since the start."},
};

constexpr std::array host_metrics{
    JsonMetric{"mcr_host_softnet_dropped_frames_total", "softnet_dropped",
               "Frames that found a CPU's input queue full, on the whole host."},
    JsonMetric{"mcr_host_softnet_squeezed_total", "softnet_squeezed",
               "Times the kernel had no time left to take more frames."},
};

constexpr std::array worker_metrics{
    JsonMetric{"mcr_worker_rx_datagrams_total", "rx_datagrams", "Datagrams a worker received."},
    JsonMetric{"mcr_worker_tx_datagrams_total", "tx_datagrams", "Datagrams a worker sent."},
    JsonMetric{"mcr_worker_batches_total", "batches", "Batches of frames a worker took."},
};

constexpr std::array interface_metrics{
    JsonMetric{"mcr_interface_mtu_bytes", "mtu", "MTU of the interface."},
    JsonMetric{"mcr_interface_receive_buffer_bytes", "receive_buffer",
               "Receive buffer that the kernel granted a packet socket."},
    JsonMetric{"mcr_interface_send_buffer_bytes", "send_buffer",
               "Send buffer that the kernel granted an egress socket."},
    JsonMetric{"mcr_interface_rx_frames_total", "rx_frames",
               "Frames received; one may carry many datagrams."},
    JsonMetric{"mcr_interface_rx_datagrams_total", "rx_datagrams", "Datagrams received."},
    JsonMetric{"mcr_interface_kernel_drops_frames_total", "kernel_drops",
               "Frames for which the packet socket had no room."},
    JsonMetric{"mcr_interface_link_rx_missed_frames_total", "link_rx_missed",
               "Frames that the link lost before they reached us."},
    JsonMetric{"mcr_interface_link_tx_dropped_frames_total", "link_tx_dropped",
               "Frames that the queueing discipline or the link lost after us."},
};

constexpr std::array membership_metrics{
    JsonMetric{"mcr_membership_joins_attempted_total", "joins_attempted", "Joins asked for."},
    JsonMetric{"mcr_membership_joins_succeeded_total", "joins_succeeded", "Joins granted."},
    JsonMetric{"mcr_membership_joins_failed_total", "joins_failed", "Joins refused."},
    JsonMetric{"mcr_membership_leaves_total", "leaves", "Groups left."},
    JsonMetric{"mcr_membership_helper_sockets", "helper_sockets", "Sockets that hold the joins."},
};

constexpr std::array total_metrics{
    JsonMetric{"mcr_rx_datagrams_total", "rx_datagrams", "Datagrams received."},
    JsonMetric{"mcr_matched_datagrams_total", "matched", "Datagrams that a rule took."},
    JsonMetric{"mcr_unmatched_datagrams_total", "unmatched", "Datagrams that no rule took."},
    JsonMetric{"mcr_kernel_drops_frames_total", "kernel_drops",
               "Frames for which a packet socket had no room."},
    JsonMetric{"mcr_tx_datagrams_total", "tx_datagrams", "Datagrams sent."},
};

constexpr std::array drop_total_metrics{
    JsonMetric{"mcr_rx_drops_total", "drops", "Received datagrams dropped."},
    JsonMetric{"mcr_tx_drops_total", "tx_drops", "Copies that did not leave."},
};

using RuleMetric = FigureMetric<RuleTotals>;
constexpr std::array rule_metrics{
    RuleMetric{"mcr_rule_rx_datagrams_total", &RuleTotals::rx_datagrams,
               "Datagrams that the rule received."},
    RuleMetric{"mcr_rule_rx_bytes_total", &RuleTotals::rx_bytes,
               "UDP payload that the rule received."},
};

using OutputMetric = FigureMetric<OutputTotals>;
constexpr std::array output_metrics{
    OutputMetric{"mcr_output_matched_datagrams_total", &OutputTotals::matched,
                 "Datagrams that the output was given."},
    OutputMetric{"mcr_output_tx_datagrams_total", &OutputTotals::tx_datagrams,
                 "Datagrams that the kernel accepted."},
    OutputMetric{"mcr_output_tx_bytes_total", &OutputTotals::tx_bytes,
                 "UDP payload that the kernel accepted."},
    OutputMetric{"mcr_output_in_flight_datagrams", &OutputTotals::in_flight,
                 "Datagrams neither sent nor dropped yet."},
};

constexpr std::array rule_states{RuleState::active, RuleState::waiting, RuleState::failed,
                                 RuleState::silent, RuleState::disabled};
constexpr std::array<std::string_view, 3> interface_states{"up", "down", "missing"};

const json& at(const json& object, const char* key) {
  static const json nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

void add_numbers(Exposition& text, std::span<const JsonMetric> metrics, const json& object) {
  for (const auto& metric : metrics) {
    text.begin(metric.name, metric.help);
    text.add({}, at(object, metric.key));
  }
}

/// The same of every element of an array; the value of `identity` is its label.
void add_numbers(Exposition& text, std::span<const JsonMetric> metrics, const json& array,
                 std::string_view label_name, const char* identity) {
  for (const auto& metric : metrics) {
    text.begin(metric.name, metric.help);
    for (const auto& each : array) {
      const auto& value = at(each, identity);
      text.add(label(label_name, value.is_string() ? value.get<std::string>() : value.dump()),
               at(each, metric.key));
    }
  }
}

/// {REASON: n}, or {STATE: n}.
void add_by(Exposition& text, const JsonMetric& metric, std::string_view label_name,
            const json& object) {
  text.begin(metric.name, metric.help);
  for (const auto& [key, value] : at(object, metric.key).items())
    text.add(label(label_name, key), value);
}

void add_interface_states(Exposition& text, const json& interfaces) {
  text.begin("mcr_interface_state", "1 for the state that the interface is in.");
  for (const auto& interface : interfaces)
    for (const auto state : interface_states)
      text.add(label("interface", at(interface, "name").get<std::string>()), label("state", state),
               std::uint64_t{at(interface, "state") == state});
}

void add_process(Exposition& text, const json& process) {
  text.add("mcr_build_info", "1; the version is a label.",
           label("version", process.value("version", "")), "1");
  add_numbers(text, process_metrics, process);
  add_numbers(text, host_metrics, at(process, "host"));
  add_numbers(text, worker_metrics, at(process, "workers"), "worker", "id");
  add_interface_states(text, at(process, "interfaces"));
  add_numbers(text, interface_metrics, at(process, "interfaces"), "interface", "name");
  const auto& membership = at(process, "membership");
  add_by(text, {"mcr_membership_groups", "states", "Groups by the state of their membership."},
         "state", membership);
  add_numbers(text, membership_metrics, membership);
  const auto& totals = at(process, "totals");
  add_numbers(text, total_metrics, totals);
  for (const auto& metric : drop_total_metrics)
    add_by(text, metric, "reason", totals);
}

/// A thing that has drops, with its labels as they are written.
template <typename Figures>
struct Labelled {
  std::string labels;
  const Figures* totals;
};

template <typename Figures>
void add_figures(Exposition& text, std::span<const FigureMetric<Figures>> metrics,
                 const std::vector<Labelled<Figures>>& things) {
  for (const auto& metric : metrics) {
    text.begin(metric.name, metric.help);
    for (const auto& [labels, totals] : things)
      text.add(labels, {}, totals->*metric.figure);
  }
}

template <typename Figures>
void add_drops(Exposition& text, std::string_view name, std::string_view help, const auto& reasons,
               const std::vector<Labelled<Figures>>& things) {
  text.begin(name, help);
  for (const auto& [labels, totals] : things)
    for (std::size_t i = 0; i < reasons.size(); ++i)
      if (totals->drops[i] != 0) text.add(labels, label("reason", reasons[i]), totals->drops[i]);
}

void add_rules(Exposition& text, std::span<const RuleMetrics> rules,
               const std::vector<Labelled<RuleTotals>>& labelled) {
  text.begin("mcr_rule_state", "1 for the state that the rule is in.");
  std::array<std::string, rule_states.size()> states;
  for (std::size_t i = 0; i < states.size(); ++i)
    states[i] = label("state", to_string(rule_states[i]));
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (std::size_t s = 0; s < states.size(); ++s)
      text.add(labelled[i].labels, states[s], rules[i].state == rule_states[s] ? "1" : "0");
  add_figures<RuleTotals>(text, rule_metrics, labelled);
  add_drops(text, "mcr_rule_drops_total", "Received datagrams of the rule dropped.",
            input_drop_names, labelled);
}

void add_outputs(Exposition& text, std::span<const RuleMetrics> rules,
                 const std::vector<Labelled<RuleTotals>>& of_rules) {
  std::vector<Labelled<OutputTotals>> labelled;
  text.begin("mcr_output_up", "Whether the output can send.");
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (const auto& output : rules[i].outputs) {
      labelled.push_back(
          {fmt::format("{},{},destination=\"{}\"", of_rules[i].labels,
                       label("interface", output.interface), output.destination.str()),
           &output.totals});
      text.add(labelled.back().labels, {}, output.up ? "1" : "0");
    }
  add_figures<OutputTotals>(text, output_metrics, labelled);
  add_drops(text, "mcr_output_drops_total", "Copies of the output that did not leave.",
            output_drop_names, labelled);
}

}  // namespace

std::string render_metrics(const nlohmann::json& process, std::span<const RuleMetrics> rules) {
  constexpr std::size_t bytes_per_rule = 1600;
  Exposition text(16384 + rules.size() * bytes_per_rule);
  add_process(text, process);
  std::vector<Labelled<RuleTotals>> labelled;
  labelled.reserve(rules.size());
  for (const auto& rule : rules)
    labelled.push_back({label("rule", rule.name), &rule.totals});
  add_rules(text, rules, labelled);
  add_outputs(text, rules, labelled);
  return text.take();
}

}  // namespace mcr
