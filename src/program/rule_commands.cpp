// The daemon writes the files, not this client: it alone knows the rest of the rules without
// reading them all, is one writer where several would race, and takes the same requests from others
// (HTTP). So who may write to the control socket may change rules.
//
// While no daemon runs, this client does what the daemon would do, with the same code, and the next
// start reads it. Several such clients take turns by a lock (flock(2)) on the main configuration
// file. With --socket alone nobody knows which configuration belongs to it: then -c must name it.
#include "mcr/program/rule_commands.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/base/utf8.hpp"
#include "mcr/config/book.hpp"
#include "mcr/config/config_error.hpp"
#include "mcr/config/rule_words.hpp"
#include "mcr/program/control_socket.hpp"
#include "mcr/program/rule_requests.hpp"
#include "mcr/program/user_file.hpp"

namespace mcr {

namespace {

using nlohmann::json;

/// The same time that `mcr reload` waits.
constexpr Patience patience{std::chrono::seconds{30}};

constexpr std::string_view default_config = "/etc/mcr/mcr.toml";

struct Options {
  std::string socket{default_control_socket};
  std::string config;  ///< "": the one that belongs to the default socket
  std::string name;    ///< of the rule; with apply: of the file
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<std::string> settings;
  std::vector<std::string> unset;
  bool runtime = false;
  bool prune = false;
  bool as_json = false;
};

/// The parts of a rule that the options name.
json rule_of(const Options& options) {
  auto rule = json::object();
  auto inputs = json::array();
  for (const auto& words : options.inputs)
    inputs.push_back(read_words(words, "input"));
  if (inputs.size() == 1)
    rule["input"] = inputs.front();
  else if (!inputs.empty())
    rule["inputs"] = std::move(inputs);
  for (const auto& words : options.outputs)
    rule["outputs"].push_back(read_words(words, "output"));
  return rule;
}

/// JSON could not say what is none.
void require_text(const std::string& word) {
  if (valid_utf8(word) != word.size())
    throw Failure(ExitCode::usage, fmt::format("{} is no UTF-8", printable(word)));
}

json request_of(const Options& options, const std::string& verb) {
  require_text(options.name);
  for (const auto* list : {&options.inputs, &options.outputs, &options.settings, &options.unset})
    std::ranges::for_each(*list, require_text);
  json request = {{"command", "rule"}, {"verb", verb}, {"name", options.name}};
  if (verb != "add" && verb != "set") return request;
  request["runtime"] = options.runtime;
  request["rule"] = rule_of(options);
  for (const auto& words : options.settings) {
    const auto setting = read_setting(words);
    request["set"].push_back({setting.path, setting.value});
  }
  for (const auto& key : options.unset)
    request["unset"].push_back(read_key_path(key));
  return request;
}

/// The configuration whose files to change while no daemon runs; "": nobody knows.
std::string config_of(const Options& options) {
  if (!options.config.empty()) return options.config;
  const bool usual = options.socket == default_control_socket &&
                     ::access(std::string(default_config).c_str(), F_OK) == 0;
  return usual ? std::string(default_config) : "";
}

/// Until it is closed, other clients wait. Throws OsError.
UniqueFd lock(const std::string& config) {
  UniqueFd file(::open(config.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) throw_errno("open", config);
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw_errno("lock", config);
  return file;
}

/// The daemon's answer, given without a daemon.
json answer_from_files(const std::string& config, const json& request) {
  const auto held = lock(config);
  ConfigBook book;
  if (const auto errors = book.read(config); !errors.empty())
    return {{"ok", false}, {"errors", list_errors(errors)}};
  return (request.value("command", "") == "apply" ? answer_apply_request(book, request)
                                                  : answer_rule_request(book, request))
      .document;
}

json ask(const Options& options, const json& request) {
  const auto config = is_abandoned(options.socket) ? config_of(options) : "";
  if (config.empty()) return ask_daemon(options.socket, request, patience);
  auto answer = answer_from_files(config, request);
  if (answer.value("ok", false))
    fmt::print(stderr, "mcr: no daemon runs at {}: this is what the files of {} say{}\n",
               options.socket, config,
               request.value("verb", "") == "show" ? "" : " now, for the next start");
  return answer;
}

ExitCode print_refusal(const json& answer) {
  for (const auto& error : answer.value("errors", json::array())) {
    const ConfigError one{error.value("file", ""), error.value("line", 0U),
                          error.value("column", 0U), error.value("message", "")};
    fmt::print(stderr, "{}\n", one.file.empty() ? one.message : one.str());
  }
  if (answer.contains("error")) fmt::print(stderr, "mcr: {}\n", answer.value("error", ""));
  fmt::print(stderr, "refused: nothing has changed\n");
  return static_cast<ExitCode>(answer.value("exit", static_cast<int>(ExitCode::config)));
}

ExitCode print_difference(const json& answer) {
  if (!answer.value("ok", false)) return print_refusal(answer);
  write_output(answer.value("difference", "") + '\n');
  return ExitCode::ok;
}

ExitCode print_rule(const json& answer, const Options& options) {
  if (!answer.value("ok", false))
    throw Failure(ExitCode::usage, printable(answer.value("error", "the relay cannot tell")));
  if (options.as_json) {
    write_output(answer.value("rule", json::object()).dump(2) + '\n');
    return ExitCode::ok;
  }
  const auto line = answer.value("line", 0U);
  write_output(fmt::format("# {}{}\n{}", printable(answer.value("file", "")),
                           line == 0 ? "" : fmt::format(":{}", line), answer.value("text", "")));
  return ExitCode::ok;
}

void add_place(CLI::App& command, const std::shared_ptr<Options>& options) {
  command.add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command
      .add_option("-c,--config", options->config,
                  "While no daemon runs at the socket: the main configuration file whose rules to "
                  "change")
      ->type_name("FILE");
}

CLI::App* add_verb(CLI::App& rule, const std::string& verb, const std::string& help,
                   const std::shared_ptr<Options>& options, int& exit_code) {
  CLI::App* command = rule.add_subcommand(verb, help);
  command->add_option("NAME", options->name, "The rule's name")->required();
  add_place(*command, options);
  command->callback([options, verb, &exit_code] {
    const auto answer = ask(*options, request_of(*options, verb));
    exit_code =
        static_cast<int>(verb == "show" ? print_rule(answer, *options) : print_difference(answer));
  });
  return command;
}

void add_parts(CLI::App& command, const std::shared_ptr<Options>& options) {
  command
      .add_option("--input", options->inputs, "An input: interface=eth0,group=239.1.1.1,port=5000")
      ->type_name("K=V,...")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--output", options->outputs, "An output: interface=eth1,group=239.2.2.2,ttl=8")
      ->type_name("K=V,...")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--set", options->settings, "Another key of the rule: expect.min_pps=100")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_flag("--runtime", options->runtime, "Until the next boot only");
}

}  // namespace

void add_rule_command(CLI::App& app, int& exit_code) {
  CLI::App* rule =
      app.add_subcommand("rule", "Add, change, remove or show one rule of the running relay");
  rule->require_subcommand(0, 1);
  rule->callback([rule] {
    if (rule->get_subcommands().empty())
      throw Failure(ExitCode::usage, "mcr rule needs a verb; mcr rule --help lists them");
  });
  const auto verb = [&](const std::string& name, const std::string& help) {
    const auto options = std::make_shared<Options>();
    return std::pair(add_verb(*rule, name, help, options, exit_code), options);
  };
  const auto [add, add_options] = verb("add", "Add a rule; nothing changes if it is there already");
  add_parts(*add, add_options);
  const auto [set, set_options] =
      verb("set", "Change what is named of a rule, or add the rule if it is missing");
  add_parts(*set, set_options);
  set->add_option("--unset", set_options->unset, "Take this key away")
      ->type_name("KEY")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb("remove", "Remove a rule; nothing changes if it is not there");
  verb("enable", "Let a rule run again");
  verb("disable", "Keep a rule, and do not let it run");
  const auto [show, show_options] = verb("show", "Print a rule as its file has it");
  show->add_flag("--json", show_options->as_json, "As JSON");
}

void add_apply_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "apply", "Add or change all rules of a file in the running relay, or none of them");
  command->add_option("FILE", options->name, "[[rule]] tables; - reads standard input")->required();
  command->add_flag("--prune", options->prune,
                    "Remove the rules that were added and are not in it");
  command->add_flag("--runtime", options->runtime, "Until the next boot only");
  add_place(*command, options);
  command->callback([options, &exit_code] {
    auto text = read_user_file(options->name);
    require_utf8(text, options->name);
    const json request = {{"command", "apply"},
                          {"file", options->name},
                          {"text", std::move(text)},
                          {"prune", options->prune},
                          {"runtime", options->runtime}};
    exit_code = static_cast<int>(print_difference(ask(*options, request)));
  });
}

}  // namespace mcr
