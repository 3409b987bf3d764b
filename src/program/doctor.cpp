#include "mcr/program/doctor.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "mcr/base/error.hpp"
#include "mcr/base/output.hpp"
#include "mcr/config/load.hpp"
#include "mcr/host/capabilities.hpp"
#include "mcr/program/terminal.hpp"
#include "mcr/status/doctor.hpp"
#include "mcr/status/host_facts.hpp"

namespace mcr {
namespace {

struct Options {
  std::string config = "/etc/mcr/mcr.toml";
  bool json = false;
};

/// Looks with the limits and capabilities that `mcr run` would have here. A configuration that is
/// refused is no reason not to look at the host.
ExitCode examine(const Options& options) {
  raise_limits();
  keep_only(setup_capabilities);
  const auto loaded = load_config(options.config);
  for (const auto& error : loaded.errors)
    fmt::print(stderr, "{}\n", error.str());
  const auto config = loaded.errors.empty() ? loaded.config : Config{};
  const auto findings = diagnose(config, inspect_host(config.rules));
  if (options.json)
    write_output(findings_to_json(findings).dump(2) + '\n');
  else
    write_output(render_findings(findings, terminal_columns()));
  if (!loaded.errors.empty()) return ExitCode::config;
  return healthy(findings) ? ExitCode::ok : ExitCode::unavailable;
}

}  // namespace

void add_doctor_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "doctor", "Look at this host as the relay will use it; each finding with its remedy");
  command->add_option("-c,--config", options->config, "Main configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print the findings as JSON on standard output");
  command->callback([options, &exit_code] { exit_code = static_cast<int>(examine(*options)); });
}

}  // namespace mcr
