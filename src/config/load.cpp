// A Config is made of files in five steps, each in a source of its own:
//   file      path -> text
//   toml      text -> tree, with positions
//   reader    tree -> raw values (keys.cpp and value.cpp read one key and one value)
//   resolve   raw values -> rules in which every value is decided (reflectors.cpp: of reflectors)
//   check     checks that need all rules (loops.cpp finds circles)
// Each step adds its diagnostics to one list (diagnostics.cpp) and goes on with what is left, so
// that the user sees all mistakes at once.
#include "mcr/config/load.hpp"

#include <utility>

#include "check.hpp"
#include "diagnostics.hpp"
#include "file.hpp"
#include "reader.hpp"
#include "reflectors.hpp"
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
    auto reflectors = expand_reflectors(raw_, diagnostics_, placed);
    check_rules(placed, diagnostics_);
    ConfigResult result;
    result.config.daemon = std::move(raw_.daemon);
    result.config.interfaces = std::move(raw_.interfaces);
    result.config.reflectors = std::move(reflectors);
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

}  // namespace mcr
