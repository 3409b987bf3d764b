// A Config is made of files in five steps, each in a source of its own:
//   file      path -> text
//   toml      text -> tree, with positions
//   reader    tree -> raw values (keys.cpp and value.cpp read one key and one value)
//   resolve   raw values -> rules in which every value is decided
//   check     checks that need all rules (loops.cpp: circles)
// Each step adds its diagnostics to one list (diagnostics.cpp) and goes on with what is left, so
// that the user sees all mistakes at once.
#include "mcr/config/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "check.hpp"
#include "diagnostics.hpp"
#include "file.hpp"
#include "reader.hpp"
#include "resolve.hpp"
#include "toml.hpp"

namespace mcr {
namespace {

class Loader {
 public:
  Position add_file(const std::string& name) { return diagnostics_.add_file(name); }

  /// False if the file could not be read.
  bool read_file(Position file) {
    const auto text = read_config_file(file, diagnostics_);
    if (text) read_text(*text, file);
    return text.has_value();
  }

  void read_text(std::string_view text, Position file) {
    if (const auto root = parse_toml(text, file, diagnostics_))
      read_config_tables(*root, file, main_file_, diagnostics_, raw_);
  }

  void read_conf_d(const std::string& main_path) {
    for (const auto& path : list_conf_d(main_path, diagnostics_))
      read_file(add_file(path));
  }

  ConfigResult finish() && {
    auto placed = resolve_rules(raw_, diagnostics_);
    check_rules(placed, diagnostics_);
    ConfigResult result;
    result.config.daemon = std::move(raw_.daemon);
    result.config.interfaces = std::move(raw_.interfaces);
    result.config.rules.reserve(placed.size());
    for (auto& each : placed)
      result.config.rules.push_back(std::move(each.rule));
    result.errors = std::move(diagnostics_).sorted();
    return result;
  }

 private:
  static constexpr Position main_file_{};  // the file that is added first
  Diagnostics diagnostics_;
  RawConfig raw_;
};

}  // namespace

std::set<std::string> interfaces_of(const Config& config) {
  std::set<std::string> names;
  for (const auto& rule : config.rules) {
    for (const auto& input : rule.inputs)
      names.insert(input.interface);
    for (const auto& output : rule.outputs)
      names.insert(output.interface);
  }
  return names;
}

std::string ConfigError::str() const {
  if (line == 0) return fmt::format("{}: {}", file, message);
  return fmt::format("{}:{}:{}: {}", file, line, column, message);
}

Destinations mapped_destinations(const Rule& rule) {
  Destinations result;
  for (const auto& output : rule.outputs) {
    result.addresses = std::max(result.addresses, output.addresses);
    result.ports = std::max(result.ports, output.ports);
  }
  return result;
}

ConfigResult load_config(const std::string& path) {
  Loader loader;
  if (loader.read_file(loader.add_file(path))) loader.read_conf_d(path);
  return std::move(loader).finish();
}

ConfigResult parse_config(std::string_view text, const std::string& file) {
  Loader loader;
  loader.read_text(text, loader.add_file(file));
  return std::move(loader).finish();
}

std::string ConfigDifference::str() const {
  return fmt::format("+{} -{} ~{} ={}", added, removed, changed, unchanged);
}

ConfigDifference compare_configs(const Config& before, const Config& after) {
  std::unordered_map<std::string_view, const Rule*> old_rules;
  for (const auto& rule : before.rules)
    old_rules.emplace(rule.name, &rule);
  ConfigDifference difference;
  for (const auto& rule : after.rules) {
    const auto old_rule = old_rules.find(rule.name);
    if (old_rule == old_rules.end())
      ++difference.added;
    else if (*old_rule->second == rule)
      ++difference.unchanged;
    else
      ++difference.changed;
  }
  difference.removed = before.rules.size() - difference.changed - difference.unchanged;
  return difference;
}

}  // namespace mcr
