// The commands that ask a running relay: status, reload and the page of --watch. Each connects to
// the control socket, sends one request, and prints what the relay answers. An answer that does not
// come within --timeout is an error: a relay that hangs must not hang those who ask about it.
#include "mcr/program/client.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/config/config_error.hpp"
#include "mcr/program/control_socket.hpp"
#include "mcr/program/fleet.hpp"
#include "mcr/program/http_api.hpp"
#include "mcr/program/terminal.hpp"
#include "mcr/status/digest.hpp"
#include "mcr/status/json.hpp"
#include "mcr/status/text.hpp"
#include "mcr/status/text_services.hpp"
#include "mcr/status/text_stream.hpp"
#include "mcr/status/text_watch.hpp"

namespace mcr {

namespace {

using nlohmann::json;

/// Somebody who asks for the status of a daemon that hangs wants to be told that soon.
constexpr double status_timeout = 2;
/// A reload joins groups, opens sockets and waits for the workers: with 10,000 rules, seconds.
constexpr double reload_timeout = 30;

/// For a command that has the option --timeout.
Patience patience_of(double seconds) {
  return {std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6)),
          "--timeout waits longer"};
}

void add_timeout_option(CLI::App& command, double& seconds) {
  command.add_option("--timeout", seconds, "Give up when the relay says nothing for SEC seconds")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 86'400.0))
      ->type_name("SEC");
}

void add_watch_option(CLI::App& command, double& seconds, const std::string& help) {
  command.add_option("--watch", seconds, help)
      ->expected(0, 1)
      ->default_str("1")
      ->check(CLI::Range(0.1, 3600.0))
      ->type_name("[SEC]");
}

struct StatusOptions {
  std::string socket{default_control_socket};
  std::string rule;              ///< or a pattern for several
  std::string state;             ///< "": of any
  std::vector<std::string> all;  ///< hosts to ask by HTTP, instead of the relay at `socket`
  bool as_json = false;
  bool health = false;
  bool openapi = false;             ///< asks no relay
  bool streams = false;             ///< of the rule, instead of the whole rule
  double timeout = status_timeout;  ///< seconds
  double watch = 0;                 ///< seconds; 0: once
};

struct ReloadOptions {
  std::string socket{default_control_socket};
  double timeout = reload_timeout;  ///< seconds
};

const json* find_rule(const json& status, const std::string& name) {
  const auto rules = status.find("rules");
  if (rules == status.end()) return nullptr;
  const auto found = std::ranges::find_if(
      *rules, [&](const json& rule) { return rule.is_object() && rule.value("name", "") == name; });
  return found == rules->end() ? nullptr : &*found;
}

/// The answer of a daemon: as it said it, for `--json`, and as it was understood.
struct Answer {
  json document;
  Status status;
};

using Histories = std::vector<status::StreamHistory>;  ///< of a rule, by input

const status::Rule* find_rule(const Status& status, const std::string& name) {
  const auto found = std::ranges::find(status.rules, name, &status::Rule::name);
  return found == status.rules.end() ? nullptr : &*found;
}

/// Null: no reflector has this name.
const json* find_reflector(const json& status, const std::string& name) {
  const auto reflectors = status.find("reflectors");
  if (reflectors == status.end()) return nullptr;
  const auto found = std::ranges::find_if(*reflectors, [&](const json& each) {
    return each.is_object() && each.value("name", "") == name;
  });
  return found == reflectors->end() ? nullptr : &*found;
}

std::string show_services(const Status& status, const std::string& name) {
  const auto found = std::ranges::find(status.reflectors, name, &status::Reflector::name);
  return found == status.reflectors.end() ? "" : status::render_services(*found);
}

std::string show_streams(const Status& status, const std::string& name,
                         const Histories& histories) {
  const auto* rule = find_rule(status, name);
  return rule == nullptr ? "" : status::render_streams(*rule, histories);
}

bool is_pattern(const std::string& rule) {
  return rule.find_first_of("*?") != std::string::npos;
}

/// The rules that the options ask for. A rule is shown in full by its own name.
status::Selection selection_of(const StatusOptions& options) {
  status::Selection selection;
  const auto* const state = std::ranges::find(status::rule_states, options.state,
                                              [](RuleState each) { return to_string(each); });
  if (state != status::rule_states.end()) selection.state = *state;
  if (is_pattern(options.rule)) selection.pattern = options.rule;
  return selection;
}

std::string show(const Answer& answer, const StatusOptions& options,
                 const Histories& histories = {}) {
  const auto& [document, status] = answer;
  if (!selection_of(options).all())
    return options.as_json ? status::to_json(status)["rules"].dump(2) + '\n'
                           : status::render_rules(status, terminal_columns());
  if (options.rule.empty())
    return options.as_json ? document.dump(2) + '\n'
                           : status::render_status(status, terminal_columns());
  const auto* rule = find_rule(document, options.rule);
  const auto* const reflector =
      rule == nullptr && options.streams ? find_reflector(document, options.rule) : nullptr;
  if (reflector != nullptr)
    return options.as_json ? reflector->dump(2) + '\n' : show_services(status, options.rule);
  if (rule == nullptr)
    throw Failure(ExitCode::usage, fmt::format("there is no rule {}", options.rule));
  if (options.as_json)
    return (options.streams ? rule->value("inputs", json::array()) : *rule).dump(2) + '\n';
  return options.streams ? show_streams(status, options.rule, histories)
                         : status::render_rule(status, options.rule);
}

Answer fetch_status(const StatusOptions& options) {
  const auto selection = selection_of(options);
  // The page of many rules needs none of them.
  const bool brief = options.rule.empty() && selection.all() && !options.as_json &&
                     options.watch <= 0 && !options.health;
  auto document = ask_daemon(options.socket, status::write_request({selection, brief}),
                             patience_of(options.timeout));
  if (!document.value("ok", true))
    throw Failure(ExitCode::os, fmt::format("the daemon at {} cannot tell: {}", options.socket,
                                            document.value("error", "")));
  auto status = status::from_json(document);
  if (!status)
    throw Failure(ExitCode::unavailable,
                  fmt::format("what answers at {} is no mcr daemon: its status has no rules",
                              options.socket));
  status::select_rules(*status, selection);  // an older daemon answers with all
  return {std::move(document), *std::move(status)};
}

/// The frames of --watch: a table of all rules, one rule in full, or JSON.
class Frames {
 public:
  explicit Frames(const StatusOptions& options) : options_(options) {}

  /// Throws as fetch_status() does.
  void fetch() {
    auto answer = fetch_status(options_);
    before_ = std::exchange(now_, std::move(answer));
    const auto fetched_before = std::exchange(fetched_, Clock::now());
    seconds_ = std::chrono::duration<double>(fetched_ - fetched_before).count();
    if (options_.streams) remember();
    last_minute_.add(now_.status, std::chrono::duration<double>(fetched_ - begun_).count());
  }
  [[nodiscard]] const status::LastMinute& last_minute() const { return last_minute_; }
  [[nodiscard]] std::size_t rules() const { return now_.status.rules.size(); }
  [[nodiscard]] std::string render(const status::FrameShape& shape) const {
    const bool one = !options_.rule.empty() && !is_pattern(options_.rule);
    if (one && !options_.as_json && !options_.streams)
      return status::render_rule_frame(now_.status, options_.rule, shape);
    return options_.as_json || one
               ? show(now_, options_, histories_)
               : status::render_frame(before_.status, now_.status, seconds_, shape);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void remember() {
    const auto* rule = find_rule(now_.status, options_.rule);
    if (rule == nullptr) return;
    histories_.resize(rule->streams.size());
    for (std::size_t i = 0; i < rule->streams.size(); ++i)
      if (rule->streams[i]) histories_[i].add(*rule->streams[i]);
  }

  const StatusOptions& options_;
  Answer before_;
  Answer now_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point fetched_;
  Histories histories_;
  status::LastMinute last_minute_;
  double seconds_ = 0;
};

void watch_on_pipe(const StatusOptions& options) {
  for (Frames frames(options);;) {
    frames.fetch();
    write_output(frames.render({}) + '\n');
    std::this_thread::sleep_for(std::chrono::duration<double>(options.watch));
  }
}

/// The next frame; while no daemon answers, the error in its place.
std::string page(Frames& frames, bool fetch, const status::FrameShape& shape) {
  try {
    if (fetch) frames.fetch();
    return frames.render(shape);
  } catch (const std::exception& error) {
    return fmt::format("{}\n\ntrying again; q quits\n", error.what());
  }
}

/// On a terminal; NO_COLOR (no-color.org) and one that cannot are heeded.
bool wants_colour() {
  const auto is_set = [](const char* value) { return value != nullptr && *value != '\0'; };
  const char* const terminal = std::getenv("TERM");
  return !is_set(std::getenv("NO_COLOR")) && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

/// The state of the page, as the keys have made it.
class WatchKeys {
 public:
  explicit WatchKeys(const status::LastMinute& last_minute) {
    shape_.colour = wants_colour();
    shape_.last_minute = &last_minute;
  }
  [[nodiscard]] const status::FrameShape& shape() const { return shape_; }
  /// `rules`: how many there are.
  void fit(const Screen& screen, std::size_t rules) {
    constexpr std::size_t other_rows = 6;
    shape_.columns = screen.columns();
    shape_.rows = std::max(screen.rows(), 2U) - 1;  // the last one is for the keys
    last_ = rules - std::min<std::size_t>(
                        rules, std::max<std::size_t>(shape_.rows, other_rows) - other_rows);
    shape_.first = std::min(shape_.first, last_);
  }
  /// The line that says what the keys do.
  [[nodiscard]] std::string line() const {
    if (typing_)
      return fmt::format("search: {}_  (Enter: done, Esc: none)\n", printable(shape_.search));
    auto line =
        fmt::format("order: {} (r rate, d drops, n name); up, down: scroll; / search; q quits",
                    to_string(shape_.order));
    if (shape_.columns != 0 && line.size() > shape_.columns)
      line = "r d n: order; / search; q quits";
    return line + '\n';
  }
  /// False: quit.
  bool press(int key) {
    if (key == Screen::quit) return false;
    if (typing_)
      type(key);
    else if (key == 'q')
      return false;
    else
      command(key);
    return true;
  }

 private:
  void type(int key) {
    if (key == '\n' || key == '\r' || key == escape) {
      typing_ = false;
      if (key == escape) shape_.search.clear();
    } else if (key == backspace || key == '\b') {
      if (!shape_.search.empty()) shape_.search.pop_back();
    } else if (key >= ' ' && key < first_special && shape_.search.size() < longest_search) {
      shape_.search += static_cast<char>(key);
    }
    shape_.first = 0;
  }
  void command(int key) {
    const auto page = std::max<std::size_t>(shape_.rows / 2, 1);
    const auto up = [this](std::size_t lines) { shape_.first -= std::min(shape_.first, lines); };
    if (key == 'r') order(status::FrameOrder::rate);
    if (key == 'd') order(status::FrameOrder::drops);
    if (key == 'n') order(status::FrameOrder::name);
    if (key == '/') typing_ = true;
    if (key == escape) shape_.search.clear();
    if (key == Screen::top || key == 'g') shape_.first = 0;
    if (key == Screen::bottom || key == 'G') shape_.first = last_;
    if (key == Screen::up || key == 'k') up(1);
    if (key == Screen::page_up || key == 'b') up(page);
    if (key == Screen::down || key == 'j') down(1);
    if (key == Screen::page_down || key == ' ') down(page);
  }
  void order(status::FrameOrder order) {
    shape_.order = order;
    shape_.first = 0;
  }
  void down(std::size_t lines) { shape_.first = std::min(shape_.first + lines, last_); }

  static constexpr int escape = 27;
  static constexpr int backspace = 127;
  static constexpr int first_special = 256;
  static constexpr std::size_t longest_search = 64;

  status::FrameShape shape_;
  std::size_t last_ = 0;  ///< rule to begin a page with
  bool typing_ = false;
};

void watch_on_screen(const StatusOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto pause = std::chrono::milliseconds(static_cast<int>(options.watch * 1000));
  const bool one = !options.rule.empty() && !is_pattern(options.rule);
  Frames frames(options);
  frames.fetch();
  Screen screen;
  WatchKeys keys(frames.last_minute());
  auto fetch_at = Clock::now() + pause;
  for (bool fetch = false;;) {
    keys.fit(screen, frames.rules());
    screen.draw(page(frames, fetch, keys.shape()) + (one ? "" : keys.line()));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(fetch_at - Clock::now());
    if (!keys.press(screen.wait(std::max(left, std::chrono::milliseconds(0))))) return;
    fetch = Clock::now() >= fetch_at;
    if (fetch) fetch_at = Clock::now() + pause;
  }
}

void print_status(const StatusOptions& options) {
  if (options.watch <= 0)
    write_output(show(fetch_status(options), options));
  else if (::isatty(STDOUT_FILENO) != 0 && !options.as_json)
    watch_on_screen(options);
  else
    watch_on_pipe(options);
}

/// For health checks: healthy if every rule that is not disabled is active.
ExitCode print_health(const StatusOptions& options) {
  const auto status = fetch_status(options).status;
  const auto troubled = status::render_trouble(status);
  if (troubled.empty()) {
    const auto active = std::ranges::count(status.rules, RuleState::active, &status::Rule::state);
    write_output(
        fmt::format("healthy: {} active\n", counted(static_cast<std::uint64_t>(active), "rule")));
    return ExitCode::ok;
  }
  write_output(troubled);
  return ExitCode::unavailable;
}

ExitCode print_reload(const json& answer) {
  if (answer.value("ok", false)) {
    write_output(answer.value("difference", "") + '\n');
    return ExitCode::ok;
  }
  if (answer.contains("error")) fmt::print(stderr, "{}\n", answer.value("error", ""));
  for (const auto& error : answer.value("errors", json::array()))
    fmt::print(stderr, "{}\n",
               ConfigError{error.value("file", ""), error.value("line", 0U),
                           error.value("column", 0U), error.value("message", "")}
                   .str());
  fmt::print(stderr, "reload refused: the running rules stay\n");
  return ExitCode::config;
}

struct SwitchOptions {
  std::string socket{default_control_socket};
  std::string rule;
  std::string input;                ///< a number from 1 on, or "auto"
  std::string time;                 ///< "": until somebody says otherwise
  double timeout = status_timeout;  ///< seconds
};

/// "90s", "15m", "2h": whole numbers. Throws Failure (usage).
std::chrono::microseconds parse_time(const std::string& text) {
  constexpr std::array<std::pair<char, std::uint64_t>, 3> units{{{'s', 1}, {'m', 60}, {'h', 3600}}};
  constexpr std::uint64_t most_seconds = 366 * 86'400;
  std::uint64_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const auto* const unit =
      std::ranges::find(units, rest == end ? ' ' : *rest, &std::pair<char, std::uint64_t>::first);
  if (error != std::errc() || rest + 1 != end || unit == units.end() || number == 0 ||
      number > most_seconds / unit->second)
    throw Failure(ExitCode::usage,
                  fmt::format("--for: {} is not a time: write 90s, 15m or 2h", printable(text)));
  return std::chrono::seconds(number * unit->second);
}

/// 0: "auto". Throws Failure (usage).
std::uint64_t parse_input(const std::string& text) {
  if (text == "auto") return 0;
  std::uint64_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && rest == end && number != 0) return number;
  throw Failure(ExitCode::usage, fmt::format("{} is neither \"auto\" nor the number of an input, "
                                             "counted from 1",
                                             printable(text)));
}

void switch_input(const SwitchOptions& options) {
  json request{
      {"command", "switch"}, {"rule", options.rule}, {"input", parse_input(options.input)}};
  if (!options.time.empty()) request["for_us"] = parse_time(options.time).count();
  const auto answer = ask_daemon(options.socket, request, patience_of(options.timeout));
  if (!answer.value("ok", false))
    throw Failure(ExitCode::usage, printable(answer.value("error", "the relay refused it")));
}

struct StandbyOptions {
  std::string socket{default_control_socket};
  std::string state;
  double timeout = status_timeout;  ///< seconds
};

void stand_by(const StandbyOptions& options) {
  const auto answer =
      ask_daemon(options.socket, {{"command", "standby"}, {"on", options.state == "on"}},
                 patience_of(options.timeout));
  if (!answer.value("ok", false))
    throw Failure(ExitCode::os, printable(answer.value("error", "the relay refused it")));
}

}  // namespace

void add_status_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<StatusOptions>();
  CLI::App* command = app.add_subcommand("status", "Show what the running relay does");
  command->add_option("RULE", options->rule,
                      "Show this rule in full; with * or ? in it, list the rules that match");
  command->add_option("--state", options->state, "List the rules in this state")
      ->check(CLI::IsMember(
          {"active", "waiting", "failed", "silent", "degraded", "looping", "disabled"}))
      ->type_name("STATE");
  command->add_flag("--json", options->as_json, "As JSON");
  add_watch_option(*command, options->watch,
                   "Show it every SEC seconds (1 if none are given): on a terminal as a "
                   "page with keys to order, scroll and search; q quits");
  command
      ->add_flag("--health", options->health,
                 "Exit 0 only if every rule is active or disabled, else 69 with a line for each "
                 "that is not")
      ->excludes("RULE", "--json", "--watch", "--state");
  command
      ->add_option("--all", options->all,
                   "Ask these relays by HTTP, all in one view: HOST or HOST:PORT of [daemon] "
                   "metrics (9464); exit 0 or 69 as with --health")
      ->expected(1, 256)
      ->type_name("HOST...")
      ->excludes("RULE", "--watch", "--state", "--health");
  command->add_flag("--openapi", options->openapi,
                    "Ask no relay; print the description (OpenAPI) of what it tells by HTTP");
  add_timeout_option(*command, options->timeout);
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    auto code = ExitCode::ok;
    if (options->openapi)
      write_output(openapi());
    else if (!options->all.empty())
      code = print_fleet(options->all,
                         std::chrono::milliseconds(static_cast<int>(options->timeout * 1000)),
                         options->as_json);
    else if (options->health)
      code = print_health(*options);
    else
      print_status(*options);
    exit_code = static_cast<int>(code);
  });
}

void add_inspect_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<StatusOptions>();
  options->streams = true;
  CLI::App* command = app.add_subcommand(
      "inspect",
      "Show what flows in a rule's inputs, and what is wrong with it; or what services a reflector "
      "hears");
  command
      ->add_option("RULE", options->rule,
                   "The rule, which needs the key inspect; or a reflector of mDNS")
      ->required();
  command->add_flag("--json", options->as_json,
                    "The rule's inputs with their streams, or the reflector, as JSON");
  add_watch_option(*command, options->watch,
                   "Show it every SEC seconds (1 if none are given); q quits");
  add_timeout_option(*command, options->timeout);
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    print_status(*options);
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

void add_reload_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ReloadOptions>();
  CLI::App* command =
      app.add_subcommand("reload", "Make the running relay read its configuration again");
  add_timeout_option(*command, options->timeout);
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    const auto answer =
        ask_daemon(options->socket, {{"command", "reload"}}, patience_of(options->timeout));
    exit_code = static_cast<int>(print_reload(answer));
  });
}

void add_switch_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<SwitchOptions>();
  CLI::App* command =
      app.add_subcommand("switch", "Put an input of a rule with failover on air by hand");
  command->add_option("RULE", options->rule, "The rule; it needs the key failover")->required();
  command
      ->add_option("INPUT", options->input,
                   "Number of the input, counted from 1; auto: let the relay choose again")
      ->required();
  command->add_option("--for", options->time, "Until so much time has passed: 90s, 15m, 2h")
      ->type_name("TIME");
  add_timeout_option(*command, options->timeout);
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    switch_input(*options);
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

void add_standby_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<StandbyOptions>();
  CLI::App* command = app.add_subcommand(
      "standby", "Make the running relay hold everything and send nothing, or send again");
  command->add_option("STATE", options->state, "on or off")
      ->required()
      ->check(CLI::IsMember({"on", "off"}));
  add_timeout_option(*command, options->timeout);
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    stand_by(*options);
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

}  // namespace mcr
