// The configuration of a running relay, kept so that rules can be added, changed and removed one by
// one: in memory as the files have it, with what is needed to check one rule against the rest in a
// fraction of a millisecond. The files stay the one truth: a change is in rules.d before it is
// here, and read() finds what is here.
//
// One thread. A change is whole or none, also when this process is killed in the midst of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/config/config_difference.hpp"
#include "mcr/config/config_error.hpp"

namespace mcr {

struct Config;

/// The kind of file that a rule stands in.
enum class RuleHome : std::uint8_t {
  files,    ///< in the main file, conf.d, or a file that is not named after it: for people to edit
  state,    ///< in a file of its own below [daemon] state
  runtime,  ///< the same below [daemon] runtime: until the next boot
};

/// A rule as its file has it.
struct RuleEntry {
  RuleHome home = RuleHome::files;
  std::string file;
  std::uint32_t line = 0;  ///< of its name, or of its beginning
  nlohmann::json rule;     ///< its keys and values
  bool elsewhere = false;  ///< belongs to another shard
};

/// A rule that shall be so, or be gone.
struct RuleChange {
  std::string name;
  std::optional<nlohmann::json> rule;  ///< its keys and values; nothing: it goes
};

/// Rules as TOML, and nothing else.
struct RuleText {
  std::string_view text;
  std::string file{};  ///< in messages about mistakes
  std::string name{};  ///< not "": there is one rule, and it has this name or none
  bool prune = false;  ///< rules of the same home that are not in it go
};

class ConfigBook {
 public:
  ConfigBook();
  ~ConfigBook();
  ConfigBook(ConfigBook&&) noexcept;
  ConfigBook& operator=(ConfigBook&&) noexcept;

  /// Reads all files as load_config() does. With mistakes nothing is taken over.
  [[nodiscard]] std::vector<ConfigError> read(const std::string& path);

  /// The rules in the order of their files, those of other shards left out.
  [[nodiscard]] Config config() const;
  [[nodiscard]] std::size_t rules() const noexcept;

  /// Nothing if no rule has this name, or its file can no longer be read.
  [[nodiscard]] std::optional<RuleEntry> find(std::string_view name) const;
  /// The kind of file that the rule stands in, known without reading one. Nothing: no such rule.
  [[nodiscard]] std::optional<RuleHome> home_of(std::string_view name) const;

  /// Makes all of the changes, in rules.d of `home` (not `files`), or none: then the errors say
  /// why. A rule that is removed may be absent. Throws OsError if the files cannot be written:
  /// nothing has changed then, too.
  struct Outcome {
    ConfigDifference difference;  ///< `unchanged` counts all rules that stay as they were
    std::vector<ConfigError> errors;
  };
  [[nodiscard]] Outcome change(const std::vector<RuleChange>& changes, RuleHome home);

  /// Gives the files their names; throws as change().
  using Commit = std::function<void()>;
  /// Takes over what is in the book while files are being written. It calls its argument once, and
  /// passes on what that throws.
  using TakeOver = std::function<void(const Commit&)>;
  /// The same as change(), for a text. Mistakes are told at their place in it.
  [[nodiscard]] Outcome apply(const RuleText& text, RuleHome home, const TakeOver& take_over = {});

 private:
  class Pages;
  std::unique_ptr<Pages> pages_;
};

/// A rule as TOML, as its file has it.
[[nodiscard]] std::string write_rule(const nlohmann::json& rule);

}  // namespace mcr
