// A Config is made of files in five steps, each in a source of its own:
//   file      path -> text
//   toml      text -> tree, with positions
//   reader    tree -> raw values (keys.cpp and value.cpp read one key and one value)
//   resolve   raw values -> rules in which every value is decided (reflectors.cpp: of reflectors)
//   check     checks that need all rules (loops.cpp finds circles)
// Each step adds its diagnostics to one list (diagnostics.cpp) and goes on with what is left, so
// that the user sees all mistakes at once.
#include "mcr/config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "check.hpp"
#include "diagnostics.hpp"
#include "file.hpp"
#include "loader.hpp"
#include "reader.hpp"
#include "reflectors.hpp"
#include "resolve.hpp"
#include "toml.hpp"

namespace mcr {
namespace {

class Loader {
 public:
  /// False if the file could not be read.
  bool read_file(const std::string& name) {
    const auto file = files_.diagnostics.add_file(name);
    const auto text = read_config_file(file, files_.diagnostics);
    if (text) read_tables(*text, file);
    return text.has_value();
  }

  void read_text(std::string_view text, const std::string& name) {
    read_tables(text, files_.diagnostics.add_file(name));
  }

  void read_folder(const std::string& folder) {
    for (const auto& path : list_folder(folder, files_.diagnostics))
      read_file(path);
  }

  /// The folders of [daemon], which are filled in where it names none.
  void read_run_time_rules(std::string_view main_path) {
    auto& daemon = files_.raw.daemon;
    if (daemon.state.empty()) daemon.state = default_folder("/var/lib/mcr", main_path);
    if (daemon.runtime.empty()) daemon.runtime = default_folder("/run/mcr", main_path);
    for (const auto& folder : {daemon.state, daemon.runtime})
      if (!folder.empty()) read_folder(folder + "/rules.d");
  }

  LoadedFiles finish() && {
    files_.rules = resolve_rules(files_.raw.rules, files_.raw.defaults, files_.raw.interfaces,
                                 files_.diagnostics);
    files_.reflectors = expand_reflectors(files_.raw.reflectors, files_.raw.defaults,
                                          files_.diagnostics, files_.rules);
    files_.raw.rules.clear();
    files_.raw.reflectors.clear();
    return std::move(files_);
  }

 private:
  void read_tables(std::string_view text, Position file) {
    if (const auto root = parse_toml(text, file, files_.diagnostics))
      read_config_tables(*root, file, main_file_, files_.diagnostics, files_.raw);
  }

  static constexpr Position main_file_{};  // the file that is added first
  LoadedFiles files_;
};

ConfigResult check(LoadedFiles files) {
  check_rules(files.rules, files.diagnostics);
  ConfigResult result;
  auto& config = result.config;
  config.daemon = std::move(files.raw.daemon);
  config.interfaces = std::move(files.raw.interfaces);
  config.reflectors = std::move(files.reflectors);
  config.rules.reserve(files.rules.size());
  for (auto& [rule, name_at, named, inputs_at, outputs_at] : files.rules)
    if (config.daemon.shard && !config.daemon.shard->takes(rule.name))
      ++config.elsewhere;
    else
      config.rules.push_back(std::move(rule));
  result.errors = std::move(files.diagnostics).sorted();
  return result;
}

}  // namespace

std::string default_folder(const std::string& base, std::string_view main_path) {
  constexpr std::string_view before = "/etc/mcr/";
  constexpr std::string_view after = "mcr.toml";
  if (!main_path.starts_with(before) || !main_path.ends_with(after)) return "";
  auto instance = main_path.substr(before.size());
  instance.remove_suffix(std::min(instance.size(), after.size()));
  if (instance.empty()) return base;
  instance.remove_suffix(1);
  const bool fit = !instance.empty() && instance.find('/') == std::string_view::npos &&
                   instance != "." && instance != ".." && main_path.ends_with("/mcr.toml");
  return fit ? fmt::format("{}/{}", base, instance) : "";
}

LoadedFiles load_files(const std::string& path) {
  Loader loader;
  if (loader.read_file(path)) {
    loader.read_folder(conf_d_of(path));
    loader.read_run_time_rules(path);
  }
  return std::move(loader).finish();
}

LoadedFiles load_text(std::string_view text, const std::string& file) {
  Loader loader;
  loader.read_text(text, file);
  return std::move(loader).finish();
}

ConfigResult load_config(const std::string& path) {
  return check(load_files(path));
}

ConfigResult parse_config(std::string_view text, const std::string& file) {
  return check(load_text(text, file));
}

}  // namespace mcr
