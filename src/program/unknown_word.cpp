#include "mcr/program/unknown_word.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string_view>
#include <vector>

#include "mcr/base/nearest_word.hpp"
#include "mcr/base/printable.hpp"

namespace mcr {

namespace {

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  return std::string(nearest_word(word, views));
}

/// "mcr", "mcr check"
std::string full_name(const CLI::App& command) {
  const auto* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : full_name(*parent) + ' ' + command.get_name();
}

const CLI::App& innermost(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.front());
}

bool takes_commands(const CLI::App& command) {
  return !command.get_subcommands([](const CLI::App*) { return true; }).empty();
}

std::string unknown_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> known;
  for (const auto* command : app.get_subcommands(nullptr))
    known.push_back(command->get_name());
  const auto start =
      fmt::format("there is no command {}{}",
                  app.get_parent() == nullptr ? "" : app.get_name() + ' ', printable(word));
  known.emplace_back("help");
  const auto meant = nearest(word, known);
  if (word != "help" && meant == "help")
    return fmt::format("{}; did you mean {} --help?", start, full_name(app));
  if (word == "help" || meant.empty())
    return fmt::format("{}; {} --help lists them", start, full_name(app));
  return fmt::format("{}; did you mean {} {}?", start, full_name(app), meant);
}

std::string unknown_option(const CLI::App& command, const std::string& word) {
  std::vector<std::string> known;
  for (const auto* option : command.get_options())
    for (const auto& name : option->get_lnames())
      known.push_back("--" + name);
  const auto name = word.substr(0, word.find('='));
  const auto start = fmt::format("{} has no option {}", full_name(command), printable(name));
  const auto meant = nearest(name, known);
  return meant.empty() ? fmt::format("{}; {} --help lists them", start, full_name(command))
                       : fmt::format("{}; did you mean {}?", start, meant);
}

std::string unknown_argument(const CLI::App& command, const std::string& word) {
  const auto argument = printable(word);
  const auto start = fmt::format("{} takes no argument {}", full_name(command), argument);
  if (word == "help") return fmt::format("{}; did you mean --help?", start);
  if (command.get_option_no_throw("--config") != nullptr)
    return fmt::format("{}; did you mean -c {}?", start, argument);
  return fmt::format("{}; {} --help lists what it takes", start, full_name(command));
}

}  // namespace

std::string describe_unknown_word(const CLI::App& app) {
  auto words = app.remaining(true);
  std::erase(words, "--");  // only says that what follows is no option
  const auto& command = innermost(app);
  const std::string word = words.empty() ? "" : words.front();
  if (word.starts_with('-')) return unknown_option(command, word);
  return takes_commands(command) ? unknown_command(command, word) : unknown_argument(command, word);
}

}  // namespace mcr
