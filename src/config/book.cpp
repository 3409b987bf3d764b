// A rule comes as an object, and is checked as the text that its file will have; or it comes as
// text, and its file gets what was checked, written anew. Only the new rules are parsed, once; the
// others are here already (rule_index.hpp).
#include "mcr/config/book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "check.hpp"
#include "file.hpp"
#include "loader.hpp"
#include "mcr/config/config.hpp"
#include "mcr/config/limits.hpp"
#include "reader.hpp"
#include "resolve.hpp"
#include "rule_folder.hpp"
#include "rule_index.hpp"
#include "rule_text.hpp"

namespace mcr {

namespace {

/// Ranks of files, behind those of the main file and conf.d.
constexpr std::size_t state_rank = 1U << 30U;
constexpr std::size_t runtime_rank = state_rank + 1;

std::size_t rank_of(RuleHome home) {
  return home == RuleHome::state ? state_rank : runtime_rank;
}

/// The place of its name among them.
std::string place_of(const IndexedRule& rule) {
  const auto& at = rule.placed.name_at;
  return at.line == 0 ? rule.file : fmt::format("{}:{}:{}", rule.file, at.line, at.column);
}

/// The rule's place is the written file from now on.
void settle(IndexedRule& rule, std::string file) {
  if (rule.file == file) return;
  rule.file = std::move(file);
  rule.placed.name_at = name_in_rule_text;
  for (auto* list : {&rule.placed.inputs_at, &rule.placed.outputs_at})
    std::ranges::fill(*list, name_in_rule_text);
}

/// The text has one rule, and that is named so.
void require_name(const std::string& name, Position file, RawConfig& raw,
                  Diagnostics& diagnostics) {
  if (name.empty()) return;
  if (raw.rules.size() != 1) return diagnostics.add(file, "there must be one [[rule]]");
  auto& known = raw.rules.front().name;
  if (!known.present)
    known.set(raw.rules.front().at, name);
  else if (known.value && *known.value != name)
    diagnostics.add(known.at, fmt::format("the rule's name must be {}", quoted_excerpt(name)));
}

/// A name that stands twice in one text.
void refuse_twins(const std::vector<PlacedRule>& rules, Diagnostics& diagnostics) {
  std::unordered_map<std::string_view, Position> names;
  for (const auto& placed : rules) {
    if (placed.rule.name.empty()) continue;
    const auto [first, is_new] = names.try_emplace(placed.rule.name, placed.name_at);
    if (!is_new)
      diagnostics.add(placed.name_at, fmt::format("a rule named {} is already at {}",
                                                  quoted_excerpt(placed.rule.name),
                                                  diagnostics.where(first->second)));
  }
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
  Outcome apply(const RuleText& text, RuleHome home, const TakeOver& take_over);

  RuleIndex index;

 private:
  /// The files and rules that a change comes to.
  struct Plan {
    std::vector<IndexedRule> fresh;           ///< where the user's mistakes are to be told
    std::set<std::string, std::less<>> gone;  ///< with those that have changed
    RuleFolder::Changes files;
    Outcome outcome;
  };

  [[nodiscard]] const RuleFolder& folder(RuleHome home) const {
    return home == RuleHome::state ? state_ : runtime_;
  }
  [[nodiscard]] bool may_write(RuleHome home, Plan& plan) const;
  [[nodiscard]] bool may_change(const std::string& name, const ConfigError& at, RuleHome home,
                                Plan& plan) const;
  void plan(const RuleChange& change, RuleHome home, Plan& plan) const;
  void plan(const RuleText& source, RuleHome home, Plan& plan) const;
  void plan_rest(std::vector<std::string> kept, RuleHome home, Plan& plan) const;
  void put(IndexedRule rule, std::string text, Plan& plan) const;
  void remove(const std::string& name, Plan& plan) const;
  [[nodiscard]] std::optional<IndexedRule> read(const RuleChange& change, const std::string& text,
                                                RuleHome home, Plan& plan) const;
  Outcome carry_out(Plan plan, RuleHome home, const TakeOver& take_over = {});
  void exchange(Plan& plan, RuleHome home, const TakeOver& take_over, const Commit& commit);

  RawConfig tables_;  ///< without rules and reflectors
  std::vector<Reflector> reflectors_;
  FolderRemoval removal_;
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

/// False, after adding an error, if there is no folder for rules.
bool ConfigBook::Pages::may_write(RuleHome home, Plan& plan) const {
  if (home != RuleHome::files && folder(home).exists()) return true;
  plan.outcome.errors.push_back(
      {"", 0, 0,
       fmt::format("there is no folder for rules: name one as `{}` in [daemon]",
                   home == RuleHome::runtime ? "runtime" : "state")});
  return false;
}

/// False, after adding an error at that place, if the rule stands elsewhere.
bool ConfigBook::Pages::may_change(const std::string& name, const ConfigError& at, RuleHome home,
                                   Plan& plan) const {
  const auto* known = index.find(name);
  if (known == nullptr || home_of(*known) == home) return true;
  plan.outcome.errors.push_back(at);
  plan.outcome.errors.back().message =
      fmt::format("a rule named {} is already at {}; it is changed there", quoted_excerpt(name),
                  place_of(*known));
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
  auto placed = resolve_rules(raw.rules, raw.defaults, raw.interfaces, diagnostics);
  IndexedRule rule{.file = diagnostics.file_name(file), .rank = rank_of(home)};
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

void ConfigBook::Pages::put(IndexedRule rule, std::string text, Plan& plan) const {
  const auto& name = rule.placed.rule.name;
  const auto* known = index.find(name);
  if (known != nullptr && known->placed.rule == rule.placed.rule) return;
  if (known != nullptr) plan.gone.insert(name);
  ++(known != nullptr ? plan.outcome.difference.changed : plan.outcome.difference.added);
  plan.files[name] = {std::move(text), known == nullptr};
  plan.fresh.push_back(std::move(rule));
}

void ConfigBook::Pages::remove(const std::string& name, Plan& plan) const {
  if (index.find(name) == nullptr) return;
  plan.gone.insert(name);
  plan.files[name] = {};
  ++plan.outcome.difference.removed;
}

void ConfigBook::Pages::plan(const RuleChange& change, RuleHome home, Plan& plan) const {
  const ConfigError at{folder(home).file_of(change.name), 0, 0, ""};
  if (!may_change(change.name, at, home, plan)) return;
  if (!change.rule) return remove(change.name, plan);
  auto text = rule_text(*change.rule);
  if (auto rule = read(change, text, home, plan)) put(*std::move(rule), std::move(text), plan);
}

void ConfigBook::Pages::plan(const RuleText& source, RuleHome home, Plan& plan) const {
  Diagnostics diagnostics;
  const auto file = diagnostics.add_file(source.file);
  const auto main_file = diagnostics.add_file("mcr.toml");
  RawConfig raw = tables_;
  const auto root = parse_toml(source.text, file, diagnostics);
  if (root) read_config_tables(*root, file, main_file, diagnostics, raw);
  if (!raw.reflectors.empty())
    diagnostics.add(raw.reflectors.front().at,
                    "a reflector stands in the main file or in conf.d, for people to edit");
  if (root) require_name(source.name, file, raw, diagnostics);
  auto placed = resolve_rules(raw.rules, raw.defaults, raw.interfaces, diagnostics);
  refuse_twins(placed, diagnostics);
  plan.outcome.errors = std::move(diagnostics).sorted();
  if (!plan.outcome.errors.empty()) return;
  const auto* const tables = root->get_as<toml::array>("rule");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const auto& name = names.emplace_back(placed[i].rule.name);
    const auto& at = placed[i].name_at;
    if (!may_change(name, {source.file, at.line, at.column, ""}, home, plan)) continue;
    auto object = rule_object(*tables->get_as<toml::table>(i));
    object["name"] = name;
    put({.placed = std::move(placed[i]), .file = source.file, .rank = rank_of(home)},
        rule_text(object), plan);
  }
  if (source.prune) plan_rest(std::move(names), home, plan);
}

/// The rules of that home that are not kept go.
void ConfigBook::Pages::plan_rest(std::vector<std::string> kept, RuleHome home, Plan& plan) const {
  std::ranges::sort(kept);
  for (const auto* rule : index.sorted())
    if (home_of(*rule) == home && !std::ranges::binary_search(kept, rule->placed.rule.name))
      remove(rule->placed.rule.name, plan);
}

ConfigBook::Outcome ConfigBook::Pages::carry_out(Plan plan, RuleHome home,
                                                 const TakeOver& take_over) {
  auto& [difference, errors] = plan.outcome;
  const auto total = index.size() + difference.added - difference.removed;
  difference.unchanged = total - difference.added - difference.changed;
  if (errors.empty() && total > limits::rules)
    errors.push_back({"", 0, 0, fmt::format("more than {} rules", limits::rules)});
  if (!errors.empty() || plan.files.empty()) return std::move(plan.outcome);
  RuleFolderChange files(folder(home), std::move(plan.files), removal_);
  errors = index.check(plan.fresh, plan.gone);
  if (!errors.empty()) return std::move(plan.outcome);
  exchange(plan, home, take_over, [&files] { files.commit(); });
  return std::move(plan.outcome);
}

/// The rules of the plan are in the index before their files have their names; if they do not get
/// them, all is as it was.
void ConfigBook::Pages::exchange(Plan& plan, RuleHome home, const TakeOver& take_over,
                                 const Commit& commit) {
  std::vector<IndexedRule> before;
  std::vector<std::string> added;
  for (const auto& name : plan.gone)
    before.push_back(index.take(name));
  for (auto& rule : plan.fresh) {
    settle(rule, folder(home).file_of(rule.placed.rule.name));
    added.push_back(rule.placed.rule.name);
    index.add(std::move(rule));
  }
  try {
    take_over ? take_over(commit) : commit();
  } catch (...) {
    for (const auto& name : added)
      index.take(name);
    for (auto& rule : before)
      index.add(std::move(rule));
    throw;
  }
}

ConfigBook::Outcome ConfigBook::Pages::change(const std::vector<RuleChange>& changes,
                                              RuleHome home) {
  Plan plan;
  if (!may_write(home, plan)) return std::move(plan.outcome);
  for (const auto& each : changes)
    this->plan(each, home, plan);
  return carry_out(std::move(plan), home);
}

ConfigBook::Outcome ConfigBook::Pages::apply(const RuleText& text, RuleHome home,
                                             const TakeOver& take_over) {
  Plan plan;
  if (!may_write(home, plan)) return std::move(plan.outcome);
  this->plan(text, home, plan);
  return carry_out(std::move(plan), home, take_over);
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

ConfigBook::Outcome ConfigBook::change(const std::vector<RuleChange>& changes, RuleHome home) {
  return pages_->change(changes, home);
}

ConfigBook::Outcome ConfigBook::apply(const RuleText& text, RuleHome home,
                                      const TakeOver& take_over) {
  return pages_->apply(text, home, take_over);
}

std::string write_rule(const nlohmann::json& rule) {
  return rule_text(rule);
}

}  // namespace mcr
