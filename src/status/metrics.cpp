// The format wants all samples of a name together, so each name is one walk over the rules. The
// labels of a rule or an output are written once and copied into its samples: 10,000 rules are
// 150,000 lines, and Prometheus waits for them.
#include "mcr/status/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

namespace mcr::status {
namespace {

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
    suffix_ = {};
    const auto* type = name.ends_with("_total")             ? "counter"
                       : name.ends_with("_latency_seconds") ? "histogram"
                                                            : "gauge";
    text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }

  /// The next samples have this behind the name: "_bucket" of a histogram.
  void part(std::string_view suffix) { suffix_ = suffix; }

  /// `labels` as they stand between the braces, in one or two parts.
  void add(std::string_view labels, std::string_view more, std::string_view value) {
    text_ += name_;
    text_ += suffix_;
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
  /// Nothing for what is unknown.
  void add(std::string_view labels, std::string_view more, const Count& value) {
    if (value) add(labels, more, *value);
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string_view name_;
  std::string_view suffix_;
};

/// A name and where its value stands.
template <typename Thing>
struct Metric {
  std::string_view name;
  Count Thing::*count;
  std::string_view help;
};

constexpr std::array process_metrics{
    Metric<Process>{"mcr_config_generation", &Process::generation,
                    "Configurations taken over since the start."},
    Metric<Process>{"mcr_config_rules_elsewhere", &Process::rules_elsewhere,
                    "Rules of the files that belong to other shards."},
    Metric<Process>{"mcr_host_softnet_dropped_frames_total", &Process::softnet_dropped,
                    "Frames that found a CPU's input queue full, on the whole host."},
    Metric<Process>{"mcr_host_softnet_squeezed_total", &Process::softnet_squeezed,
                    "Times the kernel had no time left to take more frames."},
};

constexpr std::array worker_metrics{
    Metric<Worker>{"mcr_worker_rx_datagrams_total", &Worker::rx_datagrams,
                   "Datagrams a worker received."},
    Metric<Worker>{"mcr_worker_tx_datagrams_total", &Worker::tx_datagrams,
                   "Datagrams a worker sent."},
    Metric<Worker>{"mcr_worker_batches_total", &Worker::batches,
                   "Batches of frames a worker took."},
};

constexpr std::array interface_metrics{
    Metric<Interface>{"mcr_interface_mtu_bytes", &Interface::mtu, "MTU of the interface."},
    Metric<Interface>{"mcr_interface_receive_buffer_bytes", &Interface::receive_buffer,
                      "Receive buffer that the kernel granted a packet socket."},
    Metric<Interface>{"mcr_interface_send_buffer_bytes", &Interface::send_buffer,
                      "Send buffer that the kernel granted an egress socket."},
    Metric<Interface>{"mcr_interface_rx_frames_total", &Interface::rx_frames,
                      "Frames received; one may carry many datagrams."},
    Metric<Interface>{"mcr_interface_rx_datagrams_total", &Interface::rx_datagrams,
                      "Datagrams received."},
    Metric<Interface>{"mcr_interface_kernel_drops_frames_total", &Interface::kernel_drops,
                      "Frames for which the packet socket had no room."},
    Metric<Interface>{"mcr_interface_link_rx_missed_frames_total", &Interface::link_rx_missed,
                      "Frames for which the NIC had no room."},
    Metric<Interface>{"mcr_interface_link_rx_dropped_frames_total", &Interface::link_rx_dropped,
                      "Frames that nobody on this host takes (LLDP, PTP, foreign VLANs), or that "
                      "the driver could not deliver."},
    Metric<Interface>{"mcr_interface_link_tx_dropped_frames_total", &Interface::link_tx_dropped,
                      "Frames that the queueing discipline or the link lost after us."},
};

constexpr std::array membership_metrics{
    Metric<Joins>{"mcr_membership_joins_attempted_total", &Joins::joins_attempted,
                  "Joins asked for."},
    Metric<Joins>{"mcr_membership_joins_succeeded_total", &Joins::joins_succeeded,
                  "Joins granted."},
    Metric<Joins>{"mcr_membership_joins_failed_total", &Joins::joins_failed, "Joins refused."},
    Metric<Joins>{"mcr_membership_leaves_total", &Joins::leaves, "Groups left."},
    Metric<Joins>{"mcr_membership_helper_sockets", &Joins::helper_sockets,
                  "Sockets that hold the joins."},
};

constexpr std::array total_metrics{
    Metric<Totals>{"mcr_rx_datagrams_total", &Totals::rx_datagrams, "Datagrams received."},
    Metric<Totals>{"mcr_matched_datagrams_total", &Totals::matched, "Datagrams that a rule took."},
    Metric<Totals>{"mcr_unmatched_datagrams_total", &Totals::unmatched,
                   "Datagrams that no rule took."},
    Metric<Totals>{"mcr_kernel_drops_frames_total", &Totals::kernel_drops,
                   "Frames for which a packet socket had no room."},
    Metric<Totals>{"mcr_tx_datagrams_total", &Totals::tx_datagrams, "Datagrams sent."},
    Metric<Totals>{"mcr_capture_missed_datagrams_total", &Totals::capture_missed,
                   "Relayed datagrams that a capture should have and has not."},
};

constexpr std::array fast_path_metrics{
    Metric<FastPath>{"mcr_fast_path_rx_datagrams_total", &FastPath::rx_datagrams,
                     "Datagrams that the kernel's way took, of those received."},
    Metric<FastPath>{"mcr_fast_path_tx_datagrams_total", &FastPath::tx_datagrams,
                     "Datagrams that the kernel's way sent, of those sent."},
};

constexpr std::array rule_metrics{
    Metric<Rule>{"mcr_rule_rx_datagrams_total", &Rule::rx_datagrams,
                 "Datagrams that the rule received."},
    Metric<Rule>{"mcr_rule_rx_bytes_total", &Rule::rx_bytes, "UDP payload that the rule received."},
};

constexpr std::array output_metrics{
    Metric<Output>{"mcr_output_matched_datagrams_total", &Output::matched,
                   "Datagrams that the output was given."},
    Metric<Output>{"mcr_output_tx_datagrams_total", &Output::tx_datagrams,
                   "Datagrams that the kernel accepted."},
    Metric<Output>{"mcr_output_tx_bytes_total", &Output::tx_bytes,
                   "UDP payload that the kernel accepted."},
    Metric<Output>{"mcr_output_unreachable_datagrams_total", &Output::unreachable,
                   "Datagrams sent while the next hop was known not to answer."},
    Metric<Output>{"mcr_output_in_flight_datagrams", &Output::in_flight,
                   "Datagrams neither sent nor dropped yet."},
};

/// A thing with its labels as they are written.
template <typename Thing>
struct Labelled {
  std::string labels;
  const Thing* thing;
};
template <typename Thing>
using LabelledThings = std::vector<Labelled<Thing>>;

/// All things of a list, labelled by `label_of`.
template <typename Thing>
LabelledThings<Thing> labelled(const std::vector<Thing>& things, auto&& label_of) {
  LabelledThings<Thing> result;
  result.reserve(things.size());
  for (const auto& thing : things)
    result.push_back({label_of(thing), &thing});
  return result;
}

template <typename Thing>
void add_counts(Exposition& text, const auto& metrics, const LabelledThings<Thing>& things) {
  for (const auto& metric : metrics) {
    text.begin(metric.name, metric.help);
    for (const auto& [labels, thing] : things)
      text.add(labels, {}, thing->*metric.count);
  }
}

/// A sample for each state, 1 for the one that the thing is in.
template <typename Thing>
void add_states(Exposition& text, std::string_view name, std::string_view help, const auto& states,
                const LabelledThings<Thing>& things) {
  text.begin(name, help);
  std::array<std::string, std::tuple_size_v<std::decay_t<decltype(states)>>> labels;
  for (std::size_t i = 0; i < states.size(); ++i)
    labels[i] = label("state", to_string(states[i]));
  for (const auto& [own, thing] : things)
    for (std::size_t i = 0; i < states.size(); ++i)
      text.add(own, labels[i], thing->state == states[i] ? "1" : "0");
}

/// A reason of a rule or an output is there from its first drop on.
template <typename Thing>
void add_drops(Exposition& text, std::string_view name, std::string_view help,
               const LabelledThings<Thing>& things) {
  text.begin(name, help);
  for (const auto& [labels, thing] : things) {
    const auto& drops = thing->drops;
    for (std::size_t i = 0; i < drops.names.size(); ++i)
      if (drops.counts[i] != 0) text.add(labels, label("reason", drops.names[i]), drops.counts[i]);
  }
}

/// Absent before the first datagram.
void add_last_seen(Exposition& text, const LabelledThings<Rule>& rules) {
  text.begin("mcr_rule_last_seen_seconds", "Time since the rule's last datagram.");
  for (const auto& [labels, rule] : rules)
    if (rule->last_seen_s) text.add(labels, {}, fmt::format("{:.3f}", *rule->last_seen_s));
}

/// Each bucket has all below it, too.
void add_latencies(Exposition& text, const LabelledThings<Rule>& rules) {
  if (std::ranges::none_of(rules, [](const auto& each) { return each.thing->latency.has_value(); }))
    return;
  text.begin("mcr_rule_latency_seconds",
             "From a worker's batch to the kernel's acceptance of a copy, of sampled frames.");
  for (const auto& [labels, rule] : rules) {
    if (!rule->latency) continue;
    std::uint64_t below = 0;
    text.part("_bucket");
    for (std::size_t i = 0; i < Latency::buckets; ++i) {
      below += rule->latency->counts[i];
      const auto bound = static_cast<double>(Latency::bound_ns(i)) / 1e9;
      text.add(labels, i + 1 == Latency::buckets ? "le=\"+Inf\"" : fmt::format("le=\"{}\"", bound),
               below);
    }
    text.part("_sum");
    text.add(labels, {}, fmt::format("{}", static_cast<double>(rule->latency->sum_ns) / 1e9));
    text.part("_count");
    text.add(labels, {}, below);
  }
}

void add_total_drops(Exposition& text, std::string_view name, std::string_view help,
                     const auto& drops) {
  text.begin(name, help);
  for (std::size_t i = 0; i < drops.names.size(); ++i)
    text.add({}, label("reason", drops.names[i]), drops.counts[i]);
}

void add_process(Exposition& text, const Process& process) {
  text.begin("mcr_build_info", "Always 1; the label names the version.");
  text.add(label("version", process.version), {}, "1");
  text.begin("mcr_uptime_seconds", "Time since the start.");
  if (process.uptime_s) text.add({}, {}, fmt::format("{}", *process.uptime_s));
  if (!process.standby.empty()) {
    text.begin("mcr_standby", "1 while this host stands by and sends nothing.");
    text.add({}, {}, process.standby == "on" ? "1" : "0");
  }
  add_counts<Process>(text, process_metrics, {{"", &process}});
}

void add_memberships(Exposition& text, const Status& status) {
  if (!status.joins) return;
  std::array<std::uint64_t, membership_states.size()> groups{};
  for (const auto& membership : status.memberships)
    for (std::size_t i = 0; i < groups.size(); ++i)
      groups[i] += std::uint64_t{membership.state == membership_states[i]};
  text.begin("mcr_membership_groups", "Groups by the state of their membership.");
  for (std::size_t i = 0; i < groups.size(); ++i)
    text.add({}, label("state", to_string(membership_states[i])), groups[i]);
  add_counts<Joins>(text, membership_metrics, {{"", &*status.joins}});
}

void add_totals(Exposition& text, const std::optional<Totals>& totals) {
  if (!totals) return;
  add_counts<Totals>(text, total_metrics, {{"", &*totals}});
  add_total_drops(text, "mcr_rx_drops_total", "Received datagrams dropped.", totals->drops);
  add_total_drops(text, "mcr_tx_drops_total", "Copies that did not leave.", totals->tx_drops);
}

void add_fast_path(Exposition& text, const std::optional<FastPath>& fast_path) {
  if (!fast_path) return;
  text.begin("mcr_fast_path_up", "Whether the kernel's way is there.");
  text.add({}, {}, fast_path->runs ? "1" : "0");
  add_counts<FastPath>(text, fast_path_metrics, {{"", &*fast_path}});
}

void add_outputs(Exposition& text, const LabelledThings<Rule>& rules) {
  LabelledThings<Output> outputs;
  for (const auto& [labels, rule] : rules)
    for (const auto& output : rule->outputs)
      outputs.push_back(
          {fmt::format("{},{},destination=\"{}\"{}", labels,
                       label("interface", output.config.interface), output.config.destination_str(),
                       output.config.host ? "," + label("host", output.config.host.name) : ""),
           &output});
  text.begin("mcr_output_up", "Whether the output can send.");
  for (const auto& [labels, output] : outputs)
    text.add(labels, {}, output->state == OutputState::up ? "1" : "0");
  add_counts(text, output_metrics, outputs);
  add_drops(text, "mcr_output_drops_total", "Copies of the output that did not leave.", outputs);
}

struct StreamMetric {
  std::string_view name;
  std::uint64_t Stream::*count;
  std::string_view help;
};

constexpr std::array stream_metrics{
    StreamMetric{"mcr_stream_received_datagrams_total", &Stream::received,
                 "Datagrams that inspection saw in the input."},
    StreamMetric{"mcr_stream_lost_total", &Stream::lost_for_good,
                 "Numbers of the stream that are missing, and were a second ago."},
    StreamMetric{"mcr_stream_reordered_total", &Stream::reordered,
                 "Datagrams that came after a later one."},
    StreamMetric{"mcr_stream_duplicated_total", &Stream::duplicated, "Datagrams that came again."},
    StreamMetric{"mcr_stream_restarts_total", &Stream::restarts, "Senders that began anew."},
    StreamMetric{"mcr_stream_sources", &Stream::sources, "Senders of the stream."},
};

void add_stream_times(Exposition& text, const LabelledThings<Stream>& streams) {
  const auto add = [&](std::string_view name, std::string_view help, auto value_of) {
    text.begin(name, help);
    for (const auto& [labels, stream] : streams)
      if (const std::optional<double> value = value_of(*stream))
        text.add(labels, {}, fmt::format("{}", *value));
  };
  constexpr double us = 1e-6;
  add("mcr_stream_jitter_seconds", "RTP jitter, RFC 3550.", [](const Stream& stream) {
    return stream.jitter_us ? std::optional(*stream.jitter_us * us) : std::nullopt;
  });
  add("mcr_stream_delay_factor_seconds", "Range of transit times in a second, EBU Tech 3337.",
      [](const Stream& stream) {
        return stream.delay_factor_us ? std::optional(*stream.delay_factor_us * us) : std::nullopt;
      });
  add("mcr_stream_ts_bits_per_second", "Bit rate of the MPEG-TS.",
      [](const Stream& stream) { return stream.ts ? stream.ts->bitrate_bps : std::nullopt; });
}

void add_streams(Exposition& text, const LabelledThings<Rule>& rules) {
  LabelledThings<Stream> streams;
  for (const auto& [labels, rule] : rules)
    for (std::size_t i = 0; i < std::min(rule->streams.size(), rule->inputs.size()); ++i)
      if (rule->streams[i])
        streams.push_back({fmt::format("{},{},destination=\"{}\"", labels,
                                       label("interface", rule->inputs[i].interface),
                                       rule->inputs[i].destinations().str()),
                           &*rule->streams[i]});
  if (streams.empty()) return;
  for (const auto& metric : stream_metrics) {
    text.begin(metric.name, metric.help);
    for (const auto& [labels, stream] : streams)
      text.add(labels, {}, stream->*metric.count);
  }
  add_stream_times(text, streams);
  text.begin("mcr_stream_ts_errors_total", "Indicators of ETSI TR 101 290, by number.");
  for (const auto& [labels, stream] : streams)
    if (stream->ts)
      for (const auto& one : stream->ts->indicators)
        text.add(labels, label("indicator", one.number), one.count);
  text.begin("mcr_stream_ts_psi_missed_total", "Packets with tables that were not read in time.");
  for (const auto& [labels, stream] : streams)
    if (stream->ts) text.add(labels, {}, stream->ts->psi_missed);
}

void add_reflectors(Exposition& text, const std::vector<Reflector>& reflectors) {
  if (reflectors.empty()) return;
  text.begin("mcr_reflector_datagrams_total", "Datagrams from one interface to another.");
  for (const auto& reflector : reflectors)
    for (const auto& way : reflector.ways)
      text.add(label("reflector", reflector.name),
               label("from", way.from) + ',' + label("to", way.to), way.datagrams);
  const auto add = [&](std::string_view name, Count Reflector::*count, std::string_view help) {
    text.begin(name, help);
    for (const auto& reflector : reflectors)
      text.add(label("reflector", reflector.name), {}, reflector.*count);
  };
  add("mcr_reflector_searches_total", &Reflector::searches, "Searches that were sent on.");
  add("mcr_reflector_answers_total", &Reflector::answers, "Answers given back to searchers.");
  add("mcr_reflector_left_out_total", &Reflector::left_out,
      "Searches and answers beyond a limit, and echoes of searches.");
}

/// A metric of an input or a rule with `merge` or `failover`.
template <typename Thing>
struct ViewMetric {
  std::string_view name;
  std::uint64_t (*value)(const Thing&);
  std::string_view help;
};

constexpr std::array leg_metrics{
    ViewMetric<MergedLeg>{"mcr_leg_received_datagrams_total",
                          [](const MergedLeg& leg) { return leg.received; },
                          "Datagrams that an input of a merged rule brought."},
    ViewMetric<MergedLeg>{"mcr_leg_unique_datagrams_total",
                          [](const MergedLeg& leg) { return leg.unique; },
                          "Of these, those that came first and went on."},
    ViewMetric<MergedLeg>{"mcr_leg_late_datagrams_total",
                          [](const MergedLeg& leg) { return leg.late; },
                          "Of these, those that came when their number was given up."},
    ViewMetric<MergedLeg>{"mcr_leg_missing", [](const MergedLeg& leg) { return *leg.missing; },
                          "Numbers that the input did not bring."},
    ViewMetric<MergedLeg>{"mcr_leg_up", [](const MergedLeg& leg) { return std::uint64_t{leg.up}; },
                          "1 while the input is heard, and is a copy of the others."},
};

constexpr std::array merge_metrics{
    ViewMetric<MergeView>{"mcr_merge_recovered",
                          [](const MergeView& merge) { return *merge.recovered; },
                          "Numbers that the first input missed and another one brought."},
    ViewMetric<MergeView>{"mcr_merge_lost", [](const MergeView& merge) { return *merge.lost; },
                          "Numbers that no input brought."},
    ViewMetric<MergeView>{"mcr_merge_resets_total",
                          [](const MergeView& merge) { return merge.resets; },
                          "Times that the sender began anew."},
    ViewMetric<MergeView>{"mcr_merge_waiting", [](const MergeView& merge) { return merge.waiting; },
                          "Datagrams that wait for what is missing before them."},
    ViewMetric<MergeView>{"mcr_merge_early_total",
                          [](const MergeView& merge) { return merge.early; },
                          "Datagrams that went on before their time, for want of room."},
    ViewMetric<MergeView>{"mcr_merge_mismatches_total",
                          [](const MergeView& merge) { return merge.mismatches; },
                          "Datagrams that are no copies of what has their number."},
};

constexpr std::array failover_metrics{
    ViewMetric<FailoverView>{"mcr_failover_on_backup",
                             [](const FailoverView& view) { return std::uint64_t{view.backup}; },
                             "1 while another input than the best one is on air."},
    ViewMetric<FailoverView>{"mcr_failover_by_hand",
                             [](const FailoverView& view) { return std::uint64_t{view.by_hand}; },
                             "1 while an input is on air by hand."},
    ViewMetric<FailoverView>{"mcr_failover_switches_total",
                             [](const FailoverView& view) { return view.switches; },
                             "Times that another input went on air."},
};

constexpr std::array standing_metrics{
    ViewMetric<FailoverInput>{
        "mcr_input_on_air", [](const FailoverInput& input) { return std::uint64_t{input.on_air}; },
        "1 for the input that is on air."},
    ViewMetric<FailoverInput>{
        "mcr_input_healthy",
        [](const FailoverInput& input) { return std::uint64_t{input.healthy}; },
        "1 for an input that may go on air."},
    ViewMetric<FailoverInput>{
        "mcr_input_joined", [](const FailoverInput& input) { return std::uint64_t{input.joined}; },
        "0 for an input with warm = false that nobody needs now."},
};

/// Streams without numbers miss nothing that could be told.
[[nodiscard]] bool has_all(const auto& /*thing*/) {
  return true;
}
[[nodiscard]] bool has_all(const MergedLeg& leg) {
  return leg.missing.has_value();
}
[[nodiscard]] bool has_all(const MergeView& merge) {
  return merge.lost && merge.recovered;
}

template <typename Thing>
void add_views(Exposition& text, const auto& metrics, const LabelledThings<Thing>& things) {
  if (things.empty()) return;
  for (const auto& metric : metrics) {
    text.begin(metric.name, metric.help);
    const bool needs_numbers = metric.name.ends_with("missing") ||
                               metric.name.ends_with("recovered") || metric.name.ends_with("lost");
    for (const auto& [labels, thing] : things)
      if (!needs_numbers || has_all(*thing)) text.add(labels, {}, metric.value(*thing));
  }
}

/// Things of one kind that rules have.
template <typename Thing>
LabelledThings<Thing> views(const LabelledThings<Rule>& rules, std::optional<Thing> Rule::*member) {
  LabelledThings<Thing> result;
  for (const auto& [labels, rule] : rules)
    if (rule->*member) result.push_back({labels, &*(rule->*member)});
  return result;
}

/// Things of one kind that the inputs of rules have.
template <typename Thing>
LabelledThings<Thing> views(const LabelledThings<Rule>& rules,
                            std::vector<std::optional<Thing>> Rule::*member) {
  LabelledThings<Thing> result;
  for (const auto& [labels, rule] : rules)
    for (std::size_t i = 0; i < std::min((rule->*member).size(), rule->inputs.size()); ++i)
      if (const auto& thing = (rule->*member)[i])
        result.push_back({fmt::format("{},{},destination=\"{}\",input=\"{}\"", labels,
                                      label("interface", rule->inputs[i].interface),
                                      rule->inputs[i].destinations().str(), i + 1),
                          &*thing});
  return result;
}

void add_redundancy(Exposition& text, const LabelledThings<Rule>& rules) {
  const auto legs = views(rules, &Rule::legs);
  add_views(text, leg_metrics, legs);
  if (!legs.empty()) text.begin("mcr_leg_skew_max_seconds", "The most that copies came later.");
  for (const auto& [labels, leg] : legs)
    if (leg->skew_max_us) text.add(labels, {}, fmt::format("{}", *leg->skew_max_us * 1e-6));
  add_views(text, merge_metrics, views(rules, &Rule::merge));
  add_views(text, standing_metrics, views(rules, &Rule::standing));
  add_views(text, failover_metrics, views(rules, &Rule::failover));
}

}  // namespace

std::string render_metrics(const Status& status) {
  constexpr std::size_t bytes_per_rule = 1600;
  Exposition text(16384 + status.rules.size() * bytes_per_rule);
  add_process(text, status.process);
  add_counts(text, worker_metrics, labelled(status.workers, [](const Worker& worker) {
               return label("worker", fmt::format("{}", worker.id.value_or(0)));
             }));
  const auto interfaces = labelled(status.interfaces, [](const Interface& interface) {
    return label("interface", interface.name);
  });
  add_states(text, "mcr_interface_state", "1 for the state that the interface is in.",
             interface_states, interfaces);
  add_counts(text, interface_metrics, interfaces);
  add_memberships(text, status);
  add_totals(text, status.totals);
  add_fast_path(text, status.fast_path);
  const auto rules =
      labelled(status.rules, [](const Rule& rule) { return label("rule", rule.name); });
  add_states(text, "mcr_rule_state", "1 for the state that the rule is in.", rule_states, rules);
  add_counts(text, rule_metrics, rules);
  add_last_seen(text, rules);
  add_latencies(text, rules);
  add_drops(text, "mcr_rule_drops_total", "Received datagrams of the rule dropped.", rules);
  add_outputs(text, rules);
  add_streams(text, rules);
  add_reflectors(text, status.reflectors);
  add_redundancy(text, rules);
  return text.take();
}

}  // namespace mcr::status
