#include "mcr/program/check.hpp"

#include <fmt/format.h>
#include <net/if_arp.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/config/load.hpp"
#include "mcr/config/schema.hpp"
#include "mcr/fastpath/eligibility.hpp"

namespace mcr {
namespace {

struct Options {
  std::string config = "/etc/mcr/mcr.toml";
  bool json = false;
  bool schema = false;
};

/// As if every interface were there, up and Ethernet: check looks at no host.
Interfaces made_up_interfaces(const Config& config) {
  std::vector<Interface> interfaces;
  for (const auto& name : interfaces_of(config.rules)) {
    auto& one = interfaces.emplace_back();
    one.name = name;
    one.index = static_cast<unsigned>(interfaces.size());
    one.type = ARPHRD_ETHER;
    one.link_address.emplace();
  }
  return Interfaces(std::move(interfaces));
}

/// The way that each rule would go with `fast_path`.
nlohmann::ordered_json list_paths(const Config& config) {
  auto paths = nlohmann::ordered_json::array();
  const auto interfaces = made_up_interfaces(config);
  for (const auto& rule : config.rules) {
    const auto why = fastpath::why_worker(rule, interfaces);
    const auto part = fastpath::why_in_part(rule, interfaces);
    paths.push_back({{"name", rule.name},
                     {"path", why.empty() ? "kernel" : "worker"},
                     {"path_reason", part.empty() ? why : "in part: " + part}});
  }
  return paths;
}

void print_json(const ConfigResult& result) {
  auto errors = nlohmann::ordered_json::array();
  for (const auto& error : result.errors)
    errors.push_back({{"file", error.file},
                      {"line", error.line},
                      {"column", error.column},
                      {"message", error.message}});
  const nlohmann::ordered_json report = {
      {"ok", result.errors.empty()},
      {"errors", std::move(errors)},
      {"rules", result.config.rules.size()},
      {"paths",
       result.errors.empty() ? list_paths(result.config) : nlohmann::ordered_json::array()}};
  // A path need not be UTF-8.
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  write_output(report.dump(2, ' ', false, replace) + '\n');
}

void print_text(const Options& options, const ConfigResult& result) {
  for (const auto& error : result.errors)
    fmt::print(stderr, "{}\n", error.str());
  const std::size_t rules = result.config.rules.size();
  if (result.errors.empty())
    write_output(fmt::format("{}: ok, {}\n", options.config, counted(rules, "rule")));
}

ExitCode check(const Options& options) {
  if (options.schema) {
    write_output(config_schema() + '\n');
    return ExitCode::ok;
  }
  const ConfigResult result = load_config(options.config);
  if (options.json)
    print_json(result);
  else
    print_text(options, result);
  return result.errors.empty() ? ExitCode::ok : ExitCode::config;
}

}  // namespace

void add_check_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "check", "Validate a configuration, without privileges; all errors at once");
  command->add_option("-c,--config", options->config, "Main configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print the result as JSON on standard output");
  command->add_flag("--schema", options->schema,
                    "Check nothing; print the JSON Schema of a configuration, for editors");
  command->callback([options, &exit_code] { exit_code = static_cast<int>(check(*options)); });
}

}  // namespace mcr
