// A change is checked as the text that its file will have: what is written is what a reload reads.
// Only the new rules are parsed; the others are here already (rule_index.hpp).
#include "mcr/config/book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "check.hpp"
#include "file.hpp"
#include "loader.hpp"
#include "mcr/config/limits.hpp"
#include "resolve.hpp"
#include "rule_folder.hpp"
#include "rule_index.hpp"
#include "rule_text.hpp"

namespace mcr {

namespace {

/// Ranks of files, behind those of the main file and conf.d.
constexpr std::size_t state_rank = 1U << 30U;
constexpr std::size_t runtime_rank = state_rank + 1;

/// The place of its name among them.
std::string place_of(const IndexedRule& rule) {
  const auto& at = rule.placed.name_at;
  return at.line == 0 ? rule.file : fmt::format("{}:{}:{}", rule.file, at.line, at.column);
}

/// The rule of that name in the file's text; null if it is not there any more.
nlohmann::json read_rule(const IndexedRule& rule) {
  Diagnostics diagnostics;
  const auto text = read_config_file(diagnostics.add_file(rule.file), diagnostics);
  const auto root = text ? parse_toml(*text, {}, diagnostics) : std::nullopt;
  const auto* rules = root ? root->get_as<toml::array>("rule") : nullptr;
  if (rules == nullptr) return nullptr;
  const auto& at = rule.placed.name_at;
  for (const auto& node : *rules) {
    const auto* table = node.as_table();
    if (table == nullptr) continue;
    if (table->get("name") != nullptr
            ? (*table)["name"].value<std::string>() == rule.placed.rule.name
            : table->source().begin.line == at.line)
      return rule_object(*table);
  }
  return nullptr;
}

}  // namespace

class ConfigBook::Pages {
 public:
  Pages() = default;
  Pages(const std::string& path, LoadedFiles files);

  [[nodiscard]] Config config() const;
  [[nodiscard]] RuleHome home_of(const IndexedRule& rule) const;
  [[nodiscard]] bool is_elsewhere(std::string_view rule) const {
    return tables_.daemon.shard && !tables_.daemon.shard->takes(rule);
  }
  Outcome change(const std::vector<RuleChange>& changes, RuleHome home);

  RuleIndex index;

 private:
  /// The files and rules that a change comes to.
  struct Plan {
    std::vector<IndexedRule> fresh;
    std::set<std::string, std::less<>> gone;  ///< with those that have changed
    RuleFolder::Changes files;
    Outcome outcome;
  };

  [[nodiscard]] const RuleFolder& folder(RuleHome home) const {
    return home == RuleHome::state ? state_ : runtime_;
  }
  void plan(const RuleChange& change, RuleHome home, Plan& plan) const;
  [[nodiscard]] bool may_change(const RuleChange& change, RuleHome home, Plan& plan) const;
  [[nodiscard]] std::optional<IndexedRule> read(const RuleChange& change, const std::string& text,
                                                RuleHome home, Plan& plan) const;

  RawConfig tables_;  ///< without rules and reflectors
  std::vector<Reflector> reflectors_;
  RuleFolder state_{""};
  RuleFolder runtime_{""};
};

ConfigBook::Pages::Pages(const std::string& path, LoadedFiles files)
    : tables_(std::move(files.raw)),
      reflectors_(std::move(files.reflectors)),
      state_(tables_.daemon.state),
      runtime_(tables_.daemon.runtime) {
  state_.clean();
  runtime_.clean();
  for (auto& placed : files.rules) {
    IndexedRule rule{.placed = std::move(placed)};
    rule.file = files.diagnostics.file_name(rule.placed.name_at);
    const auto in = [&](const std::string& parent) {
      return !parent.empty() && rule.file.starts_with(parent + "/rules.d/");
    };
    rule.rank = in(tables_.daemon.state)     ? state_rank
                : in(tables_.daemon.runtime) ? runtime_rank
                : rule.file == path          ? 0
                                             : 1;
    index.add(std::move(rule));
  }
}

Config ConfigBook::Pages::config() const {
  Config config;
  config.daemon = tables_.daemon;
  config.interfaces = tables_.interfaces;
  config.reflectors = reflectors_;
  std::vector<PlacedRule> rules;
  rules.reserve(index.size());
  for (const auto* rule : index.sorted())
    rules.push_back(rule->placed);
  number_circles(rules);
  config.rules.reserve(rules.size());
  for (auto& each : rules)
    if (is_elsewhere(each.rule.name))
      ++config.elsewhere;
    else
      config.rules.push_back(std::move(each.rule));
  return config;
}

RuleHome ConfigBook::Pages::home_of(const IndexedRule& rule) const {
  const auto& name = rule.placed.rule.name;
  if (state_.exists() && rule.file == state_.file_of(name)) return RuleHome::state;
  if (runtime_.exists() && rule.file == runtime_.file_of(name)) return RuleHome::runtime;
  return RuleHome::files;
}

/// False, after adding an error, if the rule stands elsewhere.
bool ConfigBook::Pages::may_change(const RuleChange& change, RuleHome home, Plan& plan) const {
  const auto* known = index.find(change.name);
  if (known == nullptr || home_of(*known) == home) return true;
  plan.outcome.errors.push_back(
      {folder(home).file_of(change.name), 0, 0,
       fmt::format("a rule named {} is already at {}; it is changed there",
                   quoted_excerpt(change.name), place_of(*known))});
  return false;
}

/// Reads the one rule that the text of its file has. Its mistakes are told without a line: nobody
/// has seen the text.
std::optional<IndexedRule> ConfigBook::Pages::read(const RuleChange& change,
                                                   const std::string& text, RuleHome home,
                                                   Plan& plan) const {
  Diagnostics diagnostics;
  const auto file = diagnostics.add_file(folder(home).file_of(change.name));
  RawConfig raw = tables_;
  const auto main_file = diagnostics.add_file("mcr.toml");
  if (const auto root = parse_toml(text, file, diagnostics))
    read_config_tables(*root, file, main_file, diagnostics, raw);
  auto placed = resolve_rules(raw, diagnostics);
  IndexedRule rule{.file = diagnostics.file_name(file),
                   .rank = home == RuleHome::state ? state_rank : runtime_rank};
  auto errors = std::move(diagnostics).sorted();
  if (errors.empty() && (placed.size() != 1 || placed[0].rule.name != change.name))
    errors.push_back(
        {rule.file, 0, 0, fmt::format("the rule's name must be {}", quoted_excerpt(change.name))});
  for (auto& error : errors) {
    error.line = error.column = 0;
    plan.outcome.errors.push_back(std::move(error));
  }
  if (!errors.empty()) return std::nullopt;
  rule.placed = std::move(placed[0]);
  return rule;
}

void ConfigBook::Pages::plan(const RuleChange& change, RuleHome home, Plan& plan) const {
  if (!may_change(change, home, plan)) return;
  const auto* known = index.find(change.name);
  const auto file = folder(home).file_of(change.name);
  if (!change.rule) {
    if (known == nullptr) return;
    plan.gone.insert(change.name);
    plan.files[file] = std::nullopt;
    ++plan.outcome.difference.removed;
    return;
  }
  const auto text = rule_text(*change.rule);
  auto rule = read(change, text, home, plan);
  if (!rule || (known != nullptr && known->placed.rule == rule->placed.rule)) return;
  if (known != nullptr) plan.gone.insert(change.name);
  ++(known != nullptr ? plan.outcome.difference.changed : plan.outcome.difference.added);
  plan.files[file] = text;
  plan.fresh.push_back(std::move(*rule));
}

ConfigBook::Outcome ConfigBook::Pages::change(const std::vector<RuleChange>& changes,
                                              RuleHome home) {
  Plan plan;
  if (home == RuleHome::files || !folder(home).exists()) {
    plan.outcome.errors.push_back(
        {"", 0, 0,
         fmt::format("there is no folder for rules: name one as `{}` in [daemon]",
                     home == RuleHome::runtime ? "runtime" : "state")});
    return std::move(plan.outcome);
  }
  for (const auto& each : changes)
    this->plan(each, home, plan);
  auto& [difference, errors] = plan.outcome;
  const auto total = index.size() + difference.added - difference.removed;
  difference.unchanged = total - difference.added - difference.changed;
  if (errors.empty() && total > limits::rules)
    errors.push_back({"", 0, 0, fmt::format("more than {} rules", limits::rules)});
  if (errors.empty()) errors = index.check(plan.fresh, plan.gone);
  if (!errors.empty()) return std::move(plan.outcome);
  folder(home).change(plan.files);
  for (const auto& name : plan.gone)
    index.remove(name);
  for (auto& rule : plan.fresh)
    index.add(std::move(rule));
  return std::move(plan.outcome);
}

ConfigBook::ConfigBook() : pages_(std::make_unique<Pages>()) {}
ConfigBook::~ConfigBook() = default;
ConfigBook::ConfigBook(ConfigBook&&) noexcept = default;
ConfigBook& ConfigBook::operator=(ConfigBook&&) noexcept = default;

std::vector<ConfigError> ConfigBook::read(const std::string& path) {
  auto files = load_files(path);
  check_rules(files.rules, files.diagnostics);
  auto errors = Diagnostics(files.diagnostics).sorted();
  if (errors.empty()) pages_ = std::make_unique<Pages>(path, std::move(files));
  return errors;
}

Config ConfigBook::config() const {
  return pages_->config();
}

std::size_t ConfigBook::rules() const noexcept {
  return pages_->index.size();
}

std::optional<RuleHome> ConfigBook::home_of(std::string_view name) const {
  const auto* rule = pages_->index.find(name);
  return rule == nullptr ? std::nullopt : std::optional(pages_->home_of(*rule));
}

std::optional<RuleEntry> ConfigBook::find(std::string_view name) const {
  const auto* rule = pages_->index.find(name);
  if (rule == nullptr) return std::nullopt;
  RuleEntry entry{.home = pages_->home_of(*rule),
                  .file = rule->file,
                  .line = rule->placed.name_at.line,
                  .rule = read_rule(*rule),
                  .elsewhere = pages_->is_elsewhere(name)};
  return entry.rule.is_object() ? std::optional(std::move(entry)) : std::nullopt;
}

std::vector<std::string> ConfigBook::names(RuleHome home) const {
  std::vector<std::string> names;
  for (const auto* rule : pages_->index.sorted())
    if (pages_->home_of(*rule) == home) names.push_back(rule->placed.rule.name);
  std::ranges::sort(names);
  return names;
}

ConfigBook::Outcome ConfigBook::change(const std::vector<RuleChange>& changes, RuleHome home) {
  return pages_->change(changes, home);
}

std::vector<RuleChange> rules_in(std::string_view text, const std::string& file,
                                 std::vector<ConfigError>& errors) {
  Diagnostics diagnostics;
  const auto at = diagnostics.add_file(file);
  const auto main_file = diagnostics.add_file("mcr.toml");
  RawConfig raw;
  std::vector<RuleChange> changes;
  const auto root = parse_toml(text, at, diagnostics);
  if (root) read_config_tables(*root, at, main_file, diagnostics, raw);
  if (!raw.reflectors.empty())
    diagnostics.add(raw.reflectors.front().at,
                    "a reflector stands in the main file or in conf.d, for people to edit");
  std::map<std::string, Position> names;
  const auto* tables = root ? root->get_as<toml::array>("rule") : nullptr;
  const auto placed = resolve_rules(raw, diagnostics);
  for (std::size_t i = 0; i < placed.size() && tables != nullptr; ++i) {
    const auto& name = placed[i].rule.name;
    if (const auto [first, is_new] = names.try_emplace(name, placed[i].name_at); !is_new)
      diagnostics.add(placed[i].name_at,
                      fmt::format("a rule named {} is already at {}", quoted_excerpt(name),
                                  diagnostics.where(first->second)));
    const auto* table = tables->get_as<toml::table>(i);
    if (table == nullptr) break;
    auto rule = rule_object(*table);
    rule["name"] = name;
    changes.push_back({name, std::move(rule)});
  }
  errors = std::move(diagnostics).sorted();
  return changes;
}

std::string write_rule(const nlohmann::json& rule) {
  return rule_text(rule);
}

}  // namespace mcr
