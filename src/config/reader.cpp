// Every key of the configuration stands in the list of its table, here or in one of the readers
// beside, with the function that reads it into a field of a Raw struct. A refused value leaves its
// field present without a value, so that the later steps can tell "wrong" from "missing" and report
// each mistake once.
//
// To add a key: a line in its list, a field in its Raw struct (raw_rule.hpp), its meaning in
// resolve.cpp.
#include "reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <iterator>
#include <span>
#include <string_view>

#include "choice.hpp"
#include "keys.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/config/dscp.hpp"
#include "mcr/config/limits.hpp"
#include "raw_config.hpp"

namespace mcr {
namespace {

// [daemon]

struct RawDaemon {
  Field<unsigned> workers;
  Field<std::vector<unsigned>> cpus;
  Field<Fanout> fanout;
  Field<FastPathMode> fast_path;
  Field<log::Level> log_level;
  Field<std::chrono::microseconds> batch_wait;
  Field<Idle> idle;
  Field<Endpoint> metrics;
  Field<std::vector<std::string>> metrics_hosts;
  Field<std::chrono::microseconds> rejoin;
  Field<std::chrono::microseconds> resolve_every;
  Field<std::string> state;
  Field<std::string> runtime;
  Field<Shard> shard;
  Field<std::string> standby;
};

std::optional<unsigned> read_workers(const Value& value) {
  if (value.is_string()) {
    const auto text = value.string();
    if (*text != "auto")
      value.refuse(fmt::format("{} is neither \"auto\" nor an integer", quoted_excerpt(*text)));
    return std::nullopt;
  }
  const auto number = value.integer(1, limits::workers);
  if (!number) return std::nullopt;
  return static_cast<unsigned>(*number);
}

std::optional<std::vector<unsigned>> read_cpus(const Value& value) {
  const auto* array = value.array("CPU numbers");
  if (array == nullptr) return std::nullopt;
  if (array->empty()) value.refuse("is empty; leave it out to pin nothing");
  if (array->size() > limits::workers)
    value.refuse(
        fmt::format("has {} CPUs, at most {} are allowed", array->size(), limits::workers));
  std::vector<unsigned> cpus;
  for (const auto& node : *array) {
    const Value element = value.element(node);
    const auto number = element.integer(0, limits::cpu_number);
    if (!number) continue;
    const auto cpu = static_cast<unsigned>(*number);
    if (std::ranges::find(cpus, cpu) != cpus.end())
      element.refuse(fmt::format("CPU {} is named twice", cpu));
    cpus.push_back(cpu);
    if (cpus.size() > limits::workers) break;
  }
  return cpus;
}

constexpr Choices<Idle, 2> idle_choices{{{"sleep", Idle::sleep}, {"poll", Idle::poll}}};

constexpr Choices<Fanout, 4> fanouts{
    {{"hash", Fanout::hash}, {"cpu", Fanout::cpu}, {"qm", Fanout::qm}, {"lb", Fanout::lb}}};

constexpr Choices<FastPathMode, 3> fast_path_modes{{{"auto", FastPathMode::automatic},
                                                    {"off", FastPathMode::off},
                                                    {"require", FastPathMode::require}}};

std::optional<log::Level> read_log_level(const Value& value) {
  const auto text = value.string();
  if (!text) return std::nullopt;
  const auto level = log::parse_level(*text);
  if (!level)
    value.refuse(
        fmt::format("{} is none of error, warning, notice, info, debug", quoted_excerpt(*text)));
  return level;
}

/// "2/5": the second of five.
std::optional<Shard> read_shard(const Value& value) {
  const auto text = value.string("a shard, such as \"2/5\"");
  if (!text) return std::nullopt;
  Shard shard{0, 0};
  const auto* end = text->data() + text->size();
  const auto slash = std::from_chars(text->data(), end, shard.number);
  const bool parted = slash.ec == std::errc() && slash.ptr != end && *slash.ptr == '/';
  const auto rest = parted ? std::from_chars(slash.ptr + 1, end, shard.of) : slash;
  if (!parted || rest.ec != std::errc() || rest.ptr != end)
    value.refuse(fmt::format("{} is not a shard, such as \"2/5\"", quoted_excerpt(*text)));
  else if (shard.of > limits::shards)
    value.refuse(fmt::format("{} are too many, at most {} are allowed", shard.of, limits::shards));
  else if (shard.number < 1 || shard.number > shard.of)
    value.refuse(fmt::format("{} is not from 1 to {}", shard.number, shard.of));
  else
    return shard;
  return std::nullopt;
}

/// The path of a file in a folder.
std::optional<std::string> read_path(const Value& value) {
  auto path = value.string();
  if (!path) return std::nullopt;
  const auto is_control = [](char byte) { return static_cast<unsigned char>(byte) < ' '; };
  if (path->starts_with('/') && !path->ends_with('/') && path->size() <= limits::path_bytes &&
      std::ranges::none_of(*path, is_control))
    return path;
  value.refuse(fmt::format("{} is no absolute path of a file", quoted_excerpt(*path)));
  return std::nullopt;
}

constexpr Key<RawDaemon> daemon_keys[] = {
    {"workers", [](const Value& v, RawDaemon& d) { d.workers.set(v.at(), read_workers(v)); },
     shape::words({"auto"}, shape::integer(1, limits::workers))},
    {"cpus", [](const Value& v, RawDaemon& d) { d.cpus.set(v.at(), read_cpus(v)); },
     shape::list(shape::integer(0, limits::cpu_number), limits::workers)},
    {"fanout", [](const Value& v, RawDaemon& d) { d.fanout.set(v.at(), read_choice(v, fanouts)); },
     shape::words(fanouts)},
    {"log_level", [](const Value& v, RawDaemon& d) { d.log_level.set(v.at(), read_log_level(v)); },
     shape::words({"error", "warning", "notice", "info", "debug"})},
    {"batch_wait",
     [](const Value& v, RawDaemon& d) { d.batch_wait.set(v.at(), v.duration(limits::batch_wait)); },
     shape::duration},
    {"idle", [](const Value& v, RawDaemon& d) { d.idle.set(v.at(), read_choice(v, idle_choices)); },
     shape::words(idle_choices)},
    {"metrics", [](const Value& v, RawDaemon& d) { d.metrics.set(v.at(), v.listener()); },
     shape::text(":[0-9]+$")},
    {"metrics_hosts",
     [](const Value& v, RawDaemon& d) { d.metrics_hosts.set(v.at(), v.host_names()); },
     shape::list(shape::text("^[a-zA-Z0-9.-]+$"), Value::most_host_names, 0)},
    {"rejoin",
     [](const Value& v, RawDaemon& d) {
       d.rejoin.set(v.at(), v.duration(limits::rejoin_max, limits::rejoin_min));
     },
     shape::duration},
    {"resolve_every",
     [](const Value& v, RawDaemon& d) {
       d.resolve_every.set(v.at(),
                           v.duration(limits::resolve_every_max, limits::resolve_every_min));
     },
     shape::duration},
    {"standby", [](const Value& v, RawDaemon& d) { d.standby.set(v.at(), read_path(v)); },
     shape::text("^/.*[^/]$")},
    {"fast_path",
     [](const Value& v, RawDaemon& d) { d.fast_path.set(v.at(), read_choice(v, fast_path_modes)); },
     shape::words(fast_path_modes)},
    {"state", [](const Value& v, RawDaemon& d) { d.state.set(v.at(), v.folder()); },
     shape::text("^/")},
    {"runtime", [](const Value& v, RawDaemon& d) { d.runtime.set(v.at(), v.folder()); },
     shape::text("^/")},
    {"shard", [](const Value& v, RawDaemon& d) { d.shard.set(v.at(), read_shard(v)); },
     shape::text("^0*[1-9][0-9]*/0*[1-9][0-9]*$")},
};

Daemon resolve_daemon(const RawDaemon& raw, Diagnostics& diagnostics) {
  Daemon daemon;
  daemon.workers = raw.workers.value;
  daemon.cpus = raw.cpus.value.value_or(daemon.cpus);
  daemon.fanout = raw.fanout.value.value_or(daemon.fanout);
  daemon.fast_path = raw.fast_path.value.value_or(daemon.fast_path);
  daemon.log_level = raw.log_level.value.value_or(daemon.log_level);
  daemon.batch_wait = raw.batch_wait.value.value_or(daemon.batch_wait);
  daemon.idle = raw.idle.value.value_or(daemon.idle);
  daemon.metrics = raw.metrics.value;
  daemon.metrics_hosts = raw.metrics_hosts.value.value_or(daemon.metrics_hosts);
  daemon.rejoin = raw.rejoin.value.value_or(daemon.rejoin);
  daemon.resolve_every = raw.resolve_every.value.value_or(daemon.resolve_every);
  daemon.state = raw.state.value.value_or("");
  daemon.runtime = raw.runtime.value.value_or("");
  daemon.shard = raw.shard.value;
  daemon.standby = raw.standby.value.value_or("");
  if (daemon.workers && raw.cpus.value && *daemon.workers != daemon.cpus.size())
    diagnostics.add(raw.cpus.at, fmt::format("cpus: {} and {}: each worker needs a CPU of its own",
                                             counted(*daemon.workers, "worker"),
                                             counted(daemon.cpus.size(), "CPU")));
  return daemon;
}

// [interface.NAME]

constexpr Choices<Gro, 4> gro_choices{
    {{"auto", Gro::automatic}, {"on", Gro::on}, {"off", Gro::off}, {"leave", Gro::leave}}};
constexpr Choices<IngressMode, 3> ingress_modes{{{"auto", IngressMode::automatic},
                                                 {"recvmsg", IngressMode::recvmsg},
                                                 {"mmap", IngressMode::mmap}}};

constexpr Key<InterfaceTuning> interface_keys[] = {
    {"receive_buffer",
     [](const Value& v, InterfaceTuning& t) { t.receive_buffer = v.buffer_size(); },
     shape::buffer_size},
    {"send_buffer", [](const Value& v, InterfaceTuning& t) { t.send_buffer = v.buffer_size(); },
     shape::buffer_size},
    {"gro",
     [](const Value& v, InterfaceTuning& t) {
       t.gro = read_choice(v, gro_choices).value_or(t.gro);
     },
     shape::words(gro_choices)},
    {"gro_wait",
     [](const Value& v, InterfaceTuning& t) { t.gro_wait = v.duration(limits::gro_wait); },
     shape::duration},
    {"ingress",
     [](const Value& v, InterfaceTuning& t) {
       t.ingress = read_choice(v, ingress_modes).value_or(t.ingress);
     },
     shape::words(ingress_modes)},
    {"segmentation",
     [](const Value& v, InterfaceTuning& t) {
       t.segmentation = read_choice(v, segmentation_choices);
     },
     shape::words(segmentation_choices)},
};

// input = { ... }

std::optional<std::uint16_t> read_vlan(const Value& value) {
  const auto number = value.integer(1, limits::vlan);
  if (!number) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::optional<std::uint8_t> read_priority(const Value& value) {
  const auto number = value.integer(1, limits::priority);
  if (!number) return std::nullopt;
  return static_cast<std::uint8_t>(*number);
}

constexpr Key<RawInput> input_keys[] = {
    {"interface", [](const Value& v, RawInput& i) { i.interface.set(v.at(), v.interface()); },
     shape::needed(shape::name)},
    {"group",
     [](const Value& v, RawInput& i) {
       i.group.set(v.at(), v.groups("; an address of this host is written as `address`"));
     },
     shape::block},
    {"address",
     [](const Value& v, RawInput& i) {
       i.address.set(v.at(), v.host_or_broadcast("; a group is written as `group`"));
     },
     shape::host},
    {"port", [](const Value& v, RawInput& i) { i.port.set(v.at(), v.ports()); },
     shape::needed(shape::ports)},
    {"sources", [](const Value& v, RawInput& i) { i.sources.set(v.at(), read_sources(v)); },
     shape::list(shape::sender, limits::sources_per_input)},
    {"vlan", [](const Value& v, RawInput& i) { i.vlan.set(v.at(), read_vlan(v)); },
     shape::integer(1, limits::vlan)},
    {"local", [](const Value& v, RawInput& i) { i.local.set(v.at(), v.boolean()); },
     shape::boolean},
    {"priority", [](const Value& v, RawInput& i) { i.priority.set(v.at(), read_priority(v)); },
     shape::integer(1, limits::priority)},
    {"warm", [](const Value& v, RawInput& i) { i.warm.set(v.at(), v.boolean()); }, shape::boolean},
};

// [[rule]]

std::optional<RawInput> read_input(const Value& value) {
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  RawInput input;
  input.at = value.at();
  read_keys<RawInput>(*table, "an input", input_keys, input, value.at(), value.diagnostics());
  return input;
}

/// Reads [ { interface = ... }, ... ] with 1 to `most` elements. `what` is their name in messages:
/// "outputs".
template <typename T>
std::optional<std::vector<T>> read_list(const Value& value, std::optional<T> (*read)(const Value&),
                                        std::string_view what, std::size_t most) {
  const auto* array = value.array("tables, [ { interface = ... }, ... ]");
  if (array == nullptr) return std::nullopt;
  if (array->empty())
    value.refuse(
        fmt::format("is empty; a rule needs at least one {}", what.substr(0, what.size() - 1)));
  std::vector<T> list;
  for (const auto& node : *array) {
    const Value element = value.element(node);
    if (list.size() == most) {
      element.refuse(
          fmt::format("a rule has at most {} {}, this one has {}", most, what, array->size()));
      break;
    }
    if (auto one = read(element)) list.push_back(std::move(*one));
  }
  return list;
}

/// true, false or "auto".
std::optional<Consume> read_consume(const Value& value) {
  if (value.is_string()) {
    const auto text = value.string();
    if (*text == "auto") return Consume::automatic;
    value.refuse(fmt::format("{} is none of true, false, \"auto\"", quoted_excerpt(*text)));
    return std::nullopt;
  }
  const auto consumed = value.boolean();
  if (!consumed) return std::nullopt;
  return *consumed ? Consume::yes : Consume::no;
}

// inspect = "auto" or { sequence = { offset = 10, bytes = 8, order = "big", step = { ... } } }

std::optional<std::uint16_t> read_offset(const Value& value) {
  const auto number = value.integer(0, limits::inspect_offset);
  if (!number) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::optional<std::uint8_t> read_width(const Value& value, std::uint64_t most) {
  const auto number = value.integer(1, most);
  if (!number) return std::nullopt;
  if (!std::has_single_bit(*number)) value.refuse(fmt::format("{} is no power of two", *number));
  return static_cast<std::uint8_t>(*number);
}

constexpr Choices<bool, 2> byte_orders{{{"big", false}, {"little", true}}};

constexpr Key<NumberField> step_keys[] = {
    {"offset", [](const Value& v, NumberField& n) { n.step_offset = read_offset(v).value_or(0); },
     shape::integer(0, limits::inspect_offset)},
    {"bytes", [](const Value& v, NumberField& n) { n.step_bytes = read_width(v, 4).value_or(1); },
     shape::needed(shape::integer(1, 4))},
};

void read_step(const Value& value, NumberField& numbers) {
  const auto* table = value.table();
  if (table == nullptr) return;
  read_keys<NumberField>(*table, "`step`", step_keys, numbers, value.at(), value.diagnostics());
  if (!table->contains("bytes")) value.refuse("needs `bytes`");
}

constexpr Key<NumberField> sequence_keys[] = {
    {"offset", [](const Value& v, NumberField& n) { n.offset = read_offset(v).value_or(0); },
     shape::integer(0, limits::inspect_offset)},
    {"bytes", [](const Value& v, NumberField& n) { n.bytes = read_width(v, 8).value_or(1); },
     shape::needed(shape::integer(1, 8))},
    {"order",
     [](const Value& v, NumberField& n) {
       n.little_endian = read_choice(v, byte_orders).value_or(false);
     },
     shape::words(byte_orders)},
    {"step", read_step, shape::table("step")},
};

constexpr Key<Inspection> inspect_keys[] = {
    {"sequence",
     [](const Value& v, Inspection& i) {
       i = {Inspection::Kind::sequence, read_sequence(v)};
     },
     shape::needed(shape::table("sequence"))},
};

constexpr Choices<std::optional<Inspection>, 5> inspections{
    {{"none", std::nullopt},
     {"auto", Inspection{Inspection::Kind::automatic}},
     {"rtp", Inspection{Inspection::Kind::rtp}},
     {"ts", Inspection{Inspection::Kind::ts}},
     {"moldudp64", Inspection{Inspection::Kind::moldudp64}}}};

std::optional<std::optional<Inspection>> read_inspect(const Value& value) {
  if (value.is_string()) return read_choice(value, inspections);
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  Inspection inspection;
  read_keys<Inspection>(*table, "`inspect`", inspect_keys, inspection, value.at(),
                        value.diagnostics());
  if (table->empty()) value.refuse("needs `sequence`");
  return inspection;
}

constexpr Key<RawRule> rule_keys[] = {
    {"name", [](const Value& v, RawRule& r) { r.name.set(v.at(), v.rule_name()); },
     shape::line(1, limits::name_bytes)},
    {"input", [](const Value& v, RawRule& r) { r.input.set(v.at(), read_input(v)); },
     shape::table("input")},
    {"inputs",
     [](const Value& v, RawRule& r) {
       r.inputs.set(v.at(), read_list(v, read_input, "inputs", limits::inputs_per_rule));
     },
     shape::list(shape::table("input"), limits::inputs_per_rule)},
    {"outputs",
     [](const Value& v, RawRule& r) {
       r.outputs.set(v.at(), read_list(v, read_output, "outputs", limits::outputs_per_rule));
     },
     shape::needed(shape::list(shape::table("output"), limits::outputs_per_rule))},
    {"enabled", [](const Value& v, RawRule& r) { r.enabled.set(v.at(), v.boolean()); },
     shape::boolean},
    {"comment", [](const Value& v, RawRule& r) { r.comment.set(v.at(), v.comment()); },
     shape::line(0, limits::comment_bytes)},
    {"expect", [](const Value& v, RawRule& r) { r.expect.set(v.at(), read_expect(v)); },
     shape::table("expect")},
    {"allow_loop", [](const Value& v, RawRule& r) { r.allow_loop.set(v.at(), v.boolean()); },
     shape::boolean},
    {"consume", [](const Value& v, RawRule& r) { r.consume.set(v.at(), read_consume(v)); },
     shape::words({"auto"}, shape::boolean)},
    {"inspect", [](const Value& v, RawRule& r) { r.inspect.set(v.at(), read_inspect(v)); },
     shape::words({"none", "auto", "rtp", "ts", "moldudp64"}, shape::table("inspect"))},
    {"capture_before",
     [](const Value& v, RawRule& r) { r.capture_before.set(v.at(), v.buffer_size()); },
     shape::buffer_size},
    {"merge", [](const Value& v, RawRule& r) { r.merge.set(v.at(), read_merge(v)); },
     shape::table("merge")},
    {"failover", [](const Value& v, RawRule& r) { r.failover.set(v.at(), read_failover(v)); },
     shape::table("failover")},
};

// The file

/// The target of a file's tables.
struct File {
  RawConfig& raw;
  Position main_file;

  [[nodiscard]] bool refuse_in_conf_d(const Value& value, std::string_view header) const {
    if (value.at().file == main_file.file) return false;
    value.diagnostics().add(value.key_at(), fmt::format("{} belongs in the main file, {}", header,
                                                        value.diagnostics().file_name(main_file)));
    return true;
  }
};

void read_daemon(const Value& value, File& file) {
  if (file.refuse_in_conf_d(value, "[daemon]")) return;
  const auto* table = value.table();
  if (table == nullptr) return;
  RawDaemon daemon;
  read_keys<RawDaemon>(*table, "[daemon]", daemon_keys, daemon, value.at(), value.diagnostics());
  file.raw.daemon = resolve_daemon(daemon, value.diagnostics());
}

void read_defaults(const Value& value, File& file) {
  if (file.refuse_in_conf_d(value, "[defaults]")) return;
  const auto* table = value.table();
  if (table == nullptr) return;
  read_default_keys(*table, value, file.raw.defaults);
}

/// To TOML, [interface.eth0.100] is a table `100` in a table `eth0`; the user means the interface
/// eth0.100.
bool refuse_unquoted_dot(const Value& value, std::string_view name, const toml::table& tuning) {
  bool refused = false;
  for (const auto& [key, node] : tuning) {
    if (!node.is_table()) continue;
    value.diagnostics().add(position_of(key.source(), value.at()),
                            fmt::format("[interface.{0}.{1}]: a name with a dot needs quotes: "
                                        "[interface.\"{0}.{1}\"]",
                                        printable_excerpt(name), printable_excerpt(key.str())));
    refused = true;
  }
  return refused;
}

/// A wait is about frames that are merged by our will.
void check_gro_wait(const toml::table& table, const InterfaceTuning& tuning, const Value& header) {
  if (!tuning.gro_wait || (tuning.gro != Gro::off && tuning.gro != Gro::leave)) return;
  const auto at = position_of(table.get("gro_wait")->source(), header.at());
  header.diagnostics().add(at, fmt::format("gro_wait: with gro = \"{}\" nothing is changed",
                                           tuning.gro == Gro::off ? "off" : "leave"));
}

void read_interfaces(const Value& value, File& file) {
  if (file.refuse_in_conf_d(value, "[interface]")) return;
  const auto* interfaces = value.table();
  if (interfaces == nullptr) return;
  for (const auto& [key, node] : *interfaces) {
    const Position key_at = position_of(key.source(), value.at());
    const auto header = fmt::format("[interface.{}]", printable_excerpt(key.str()));
    const auto* table = Value(header, node, key_at, value.diagnostics()).table();
    if (table == nullptr || refuse_unquoted_dot(value, key.str(), *table)) continue;
    if (const auto fault = interface_name_fault(key.str())) value.diagnostics().add(key_at, *fault);
    auto& tuning = file.raw.interfaces[std::string(key.str())];
    read_keys<InterfaceTuning>(*table, header, interface_keys, tuning, value.at(),
                               value.diagnostics());
    check_gro_wait(*table, tuning, value);
  }
}

void read_rules(const Value& value, File& file) {
  const auto* array = value.array("tables; each rule begins with [[rule]]");
  if (array == nullptr) return;
  auto& rules = file.raw.rules;
  for (const auto& node : *array) {
    const Value element = value.element(node);
    if (rules.size() == limits::rules) {
      element.refuse(fmt::format("more than {} rules", limits::rules));
      return;
    }
    const auto* table = element.table();
    if (table == nullptr) continue;
    auto& rule = rules.emplace_back();
    rule.at = element.at();
    read_keys<RawRule>(*table, "a rule", rule_keys, rule, element.at(), value.diagnostics());
  }
}

constexpr Key<File> file_keys[] = {
    {"daemon", read_daemon, shape::table("daemon")},
    {"defaults", read_defaults, shape::table("defaults")},
    {"interface", read_interfaces, Shape{.table = "interface", .by_name = true}},
    {"rule", read_rules, shape::list(shape::table("rule"), limits::rules, 0)},
    {"reflector", [](const Value& v, File& file) { read_reflectors(v, file.raw.reflectors); },
     shape::list(shape::table("reflector"), limits::reflectors, 0)},
};

}  // namespace

NumberField read_sequence(const Value& value) {
  NumberField numbers;
  const auto* table = value.table();
  if (table == nullptr) return numbers;
  read_keys<NumberField>(*table, "`sequence`", sequence_keys, numbers, value.at(),
                         value.diagnostics());
  if (!table->contains("bytes")) value.refuse("needs `bytes`");
  return numbers;
}

std::vector<KeyTable> key_tables() {
  std::vector<KeyTable> tables{
      key_table<File>("file", file_keys),
      key_table<RawDaemon>("daemon", daemon_keys),
      key_table<InterfaceTuning>("interface", interface_keys),
      key_table<RawRule>("rule", rule_keys, {{{"input", "inputs"}, true}, {{"merge", "failover"}}}),
      key_table<RawInput>("input", input_keys, {{{"group", "address"}, true}}),
      expect_key_table(),
      key_table<Inspection>("inspect", inspect_keys),
      key_table<NumberField>("sequence", sequence_keys),
      key_table<NumberField>("step", step_keys)};
  std::ranges::move(output_key_tables(), std::back_inserter(tables));
  std::ranges::move(reflector_key_tables(), std::back_inserter(tables));
  std::ranges::move(redundancy_key_tables(), std::back_inserter(tables));
  return tables;
}

void read_config_tables(const toml::table& root, Position file, Position main_file,
                        Diagnostics& diagnostics, RawConfig& raw) {
  File target{raw, main_file};
  read_keys<File>(root, "the file", file_keys, target, file, diagnostics);
}

}  // namespace mcr
