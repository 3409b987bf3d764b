#include "mcr/program/import.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>

#include "mcr/base/error.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/config/import.hpp"
#include "mcr/config/load.hpp"
#include "mcr/config/rule_words.hpp"
#include "mcr/program/user_file.hpp"

namespace mcr {

namespace {

const std::map<std::string, ImportFormat> formats{{"smcroute", ImportFormat::smcroute},
                                                  {"igmpproxy", ImportFormat::igmpproxy},
                                                  {"sdp", ImportFormat::sdp},
                                                  {"json5", ImportFormat::json5}};

struct Options {
  std::string file;
  std::string format;
  ImportOptions import;
  std::vector<std::string> outputs;
};

ImportFormat format_of(const Options& options, const std::string& text) {
  if (!options.format.empty()) return formats.at(options.format);
  if (const auto format = recognise_import(text)) return *format;
  throw Failure(ExitCode::usage, fmt::format("{}: nobody knows whose configuration that is; say it "
                                             "with --format",
                                             printable(options.file)));
}

/// Prints only rules that `mcr check` accepts.
ExitCode import_file(Options options) {
  const auto text = read_user_file(options.file);
  for (const auto& words : options.outputs)
    options.import.outputs.push_back(read_words(words, "output"));
  const auto imported = import_rules(format_of(options, text), text, options.import);
  for (const auto& [line, note] : imported.notes)
    fmt::print(stderr, "{}{}: {}\n", printable(options.file),
               line == 0 ? "" : fmt::format(":{}", line), printable(note));
  const auto rules = write_imported(imported, options.file);
  const auto [config, errors] = parse_config(rules, "rules of " + options.file);
  for (const auto& error : errors)
    fmt::print(stderr, "{}\n", printable(error.str()));
  if (!errors.empty() || imported.rules.empty()) return ExitCode::config;
  write_output(rules);
  return ExitCode::ok;
}

}  // namespace

void add_import_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "import", "Print the configuration of another program, or an SDP, as rules of MCR");
  command->add_option("FILE", options->file, "smcroute.conf, igmpproxy.conf, an SDP, or JSON5")
      ->required();
  command->add_option("--format", options->format, "What the file is, if it cannot be told from it")
      ->check(CLI::IsMember({"smcroute", "igmpproxy", "sdp", "json5"}))
      ->type_name("FORMAT");
  command->add_option("--port", options->import.port, "The UDP port, where routers forward any")
      ->type_name("PORT");
  command->add_option("--group", options->import.groups, "A group, where igmpproxy forwards any")
      ->type_name("ADDRESS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--interface", options->import.interface,
                   "Where the streams of an SDP come from")
      ->type_name("IF");
  command->add_option("--output", options->outputs, "Where they go: interface=eth1,group=239.2.2.2")
      ->type_name("K=V,...")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->callback([options, &exit_code] { exit_code = static_cast<int>(import_file(*options)); });
}

}  // namespace mcr
