#include "mcr/program/unknown_word.hpp"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "catch.hpp"

namespace {

/// The message about this command line, written backwards as CLI11 takes it.
std::string describe(std::vector<std::string> backwards) {
  CLI::App app;
  app.name("mcr");
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "1");
  bool json = false;
  std::string text;
  auto* check = app.add_subcommand("check", "");
  check->add_option("-c,--config", text);
  check->add_flag("--json", json);
  app.add_subcommand("status", "")->add_option("RULE", text);
  app.add_subcommand("reload", "");
  auto* rule = app.add_subcommand("rule", "");
  rule->require_subcommand(0, 1);
  rule->add_subcommand("add", "")->add_flag("--runtime", json);
  try {
    app.parse(std::move(backwards));
  } catch (const CLI::ExtrasError&) {
    return mcr::describe_unknown_word(app);
  }
  return "understood";
}

}  // namespace

TEST_CASE("an unknown word on the command line gets a suggestion") {
  CHECK(describe({"statsu"}) == "there is no command statsu; did you mean mcr status?");
  CHECK(describe({"frobnicate"}) == "there is no command frobnicate; mcr --help lists them");
  CHECK(describe({"help"}) == "there is no command help; mcr --help lists them");
  CHECK(describe({"ad", "rule"}) == "there is no command rule ad; did you mean mcr rule add?");
  CHECK(describe({"frobnicate", "rule"}) ==
        "there is no command rule frobnicate; mcr rule --help lists them");
  CHECK(describe({"--runtmie", "add", "rule"}) ==
        "mcr rule add has no option --runtmie; did you mean --runtime?");
  CHECK(describe({"--verison"}) == "mcr has no option --verison; did you mean --version?");
  CHECK(describe({"a.toml", "check"}) ==
        "mcr check takes no argument a.toml; did you mean -c a.toml?");
  CHECK(describe({"--jsno", "check"}) == "mcr check has no option --jsno; did you mean --json?");
  CHECK(describe({"--confgi=a.toml", "check"}) ==
        "mcr check has no option --confgi; did you mean --config?");
  CHECK(describe({"help", "check"}) == "mcr check takes no argument help; did you mean --help?");
  CHECK(describe({"now", "reload"}) ==
        "mcr reload takes no argument now; mcr reload --help lists what it takes");
  CHECK(describe({"--json", "a", "--", "status"}) ==
        "mcr status has no option --json; mcr status --help lists them");
  CHECK(describe({"\x1b[2J"}) == "there is no command \\x1b[2J; mcr --help lists them");
}
