#include "mcr/client.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "mcr/config.hpp"
#include "mcr/control.hpp"
#include "mcr/error.hpp"
#include "mcr/status.hpp"

namespace mcr {

namespace {

using nlohmann::json;

struct StatusOptions {
  std::string socket{default_control_socket};
  std::string rule;
  bool as_json = false;
  double watch = 0;  ///< seconds; 0: once
};

unsigned terminal_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const json* find_rule(const json& status, const std::string& name) {
  const auto rules = status.find("rules");
  if (rules == status.end()) return nullptr;
  const auto found = std::ranges::find_if(
      *rules, [&](const json& rule) { return rule.value("name", "") == name; });
  return found == rules->end() ? nullptr : &*found;
}

std::string show(const json& status, const StatusOptions& options) {
  if (options.rule.empty())
    return options.as_json ? status.dump(2) + '\n' : render_status(status, terminal_columns());
  const auto* rule = find_rule(status, options.rule);
  if (rule == nullptr)
    throw Failure(ExitCode::usage, fmt::format("there is no rule {}", options.rule));
  return options.as_json ? rule->dump(2) + '\n' : render_rule(status, options.rule);
}

void print_status(const StatusOptions& options) {
  const bool screen = ::isatty(STDOUT_FILENO) != 0 && !options.as_json;
  for (;;) {
    const auto text = show(ask_daemon(options.socket, {{"command", "status"}}), options);
    // Home, the text, and nothing of the last one behind it.
    fmt::print("{}{}{}", screen && options.watch > 0 ? "\x1b[H\x1b[2J" : "", text,
               options.watch > 0 && !screen ? "\n" : "");
    std::fflush(stdout);
    if (options.watch <= 0) return;
    std::this_thread::sleep_for(std::chrono::duration<double>(options.watch));
  }
}

ExitCode print_reload(const json& answer) {
  if (answer.value("ok", false)) {
    fmt::print("{}\n", answer.value("difference", ""));
    return ExitCode::ok;
  }
  for (const auto& error : answer.value("errors", json::array()))
    fmt::print(stderr, "{}\n",
               ConfigError{error.value("file", ""), error.value("line", 0U),
                           error.value("column", 0U), error.value("message", "")}
                   .str());
  fmt::print(stderr, "reload refused: the running rules stay\n");
  return ExitCode::config;
}

}  // namespace

void add_status_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<StatusOptions>();
  CLI::App* command = app.add_subcommand("status", "Show what the running relay does");
  command->add_option("RULE", options->rule, "Show this rule in full");
  command->add_flag("--json", options->as_json, "As JSON");
  command->add_option("--watch", options->watch, "Repeat every SEC seconds (1 if none are given)")
      ->expected(0, 1)
      ->default_str("1")
      ->check(CLI::Range(0.1, 3600.0))
      ->type_name("[SEC]");
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    print_status(*options);
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

void add_reload_command(CLI::App& app, int& exit_code) {
  const auto socket = std::make_shared<std::string>(default_control_socket);
  CLI::App* command =
      app.add_subcommand("reload", "Make the running relay read its configuration again");
  command->add_option("--socket", *socket, "Control socket")->capture_default_str();
  command->callback([socket, &exit_code] {
    exit_code = static_cast<int>(print_reload(ask_daemon(*socket, {{"command", "reload"}})));
  });
}

}  // namespace mcr
