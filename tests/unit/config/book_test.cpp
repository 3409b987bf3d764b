// A configuration that is changed rule by rule, and its files.
#include "mcr/config/book.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "mcr/base/error.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/load.hpp"

namespace {

using namespace mcr;
using nlohmann::json;
namespace fs = std::filesystem;

/// A main file with its folders; gone at the end.
struct Files {
  std::string folder;
  std::string main;

  explicit Files(const std::string& more = "", const std::string& daemon = "") {
    char name[] = "/tmp/mcr-book.XXXXXX";
    folder = ::mkdtemp(name);
    main = folder + "/mcr.toml";
    write("mcr.toml",
          fmt::format("[daemon]\nstate = \"{0}/state\"\nruntime = \"{0}/run\"\n{1}\n{2}", folder,
                      daemon, more));
  }
  ~Files() { fs::remove_all(folder); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(folder + '/' + name).parent_path());
    std::ofstream(folder + '/' + name) << text;
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ifstream file(folder + '/' + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& in = "state/rules.d") const {
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder + '/' + in, none))
      found.push_back(entry.path().filename());
    std::ranges::sort(found);
    return found;
  }
  [[nodiscard]] ConfigBook read() const {
    ConfigBook book;
    const auto errors = book.read(main);
    INFO((errors.empty() ? "" : errors[0].str()));
    REQUIRE(errors.empty());
    return book;
  }
};

json rule(const std::string& name, int group, const std::string& out = "e1", int to = 0) {
  json output = {{"interface", out}};
  if (to != 0) output["group"] = fmt::format("239.0.{}.{}", to / 250, to % 250 + 1);
  return {{"name", name},
          {"input",
           {{"interface", "e0"},
            {"group", fmt::format("239.0.{}.{}", group / 250, group % 250 + 1)},
            {"port", 5}}},
          {"outputs", json::array({output})}};
}

std::string toml_rule(const std::string& name, int group) {
  return write_rule(rule(name, group));
}

ConfigBook::Outcome put(ConfigBook& book, const json& one, RuleHome home = RuleHome::state) {
  return book.change({{one["name"], one}}, home);
}

std::string first_error(const ConfigBook::Outcome& outcome) {
  return outcome.errors.empty() ? "" : outcome.errors[0].str();
}

/// The files say what the book says.
void check_files(const Files& files, const ConfigBook& book) {
  const auto loaded = load_config(files.main);
  REQUIRE(loaded.errors.empty());
  CHECK(loaded.config.rules == book.config().rules);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("book: rules come, change and go, in the files and in the configuration") {
  const Files files(toml_rule("main", 0));
  auto book = files.read();
  CHECK(put(book, rule("b", 2)).difference.str() == "+1 -0 ~0 =1");
  CHECK(put(book, rule("a", 1)).difference.str() == "+1 -0 ~0 =2");
  check_files(files, book);
  CHECK(files.names() == std::vector<std::string>{"a.toml", "b.toml"});
  CHECK(put(book, rule("a", 1)).difference.str() == "+0 -0 ~0 =3");
  CHECK(put(book, rule("a", 3)).difference.str() == "+0 -0 ~1 =2");
  check_files(files, book);
  CHECK(put(book, rule("t", 4), RuleHome::runtime).difference.str() == "+1 -0 ~0 =3");
  CHECK(files.names("run/rules.d") == std::vector<std::string>{"t.toml"});
  CHECK(book.change({{"b", {}}}, RuleHome::state).difference.str() == "+0 -1 ~0 =3");
  CHECK(book.change({{"b", {}}}, RuleHome::state).difference.str() == "+0 -0 ~0 =3");
  check_files(files, book);
  CHECK(files.names() == std::vector<std::string>{"a.toml"});
  std::vector<std::string> order;
  for (const auto& each : book.config().rules)
    order.push_back(each.name);
  CHECK(order == std::vector<std::string>{"main", "a", "t"});
}

TEST_CASE("book: a rule that contradicts another one is refused, and nothing has changed") {
  const Files files(toml_rule("main", 0));
  auto book = files.read();
  REQUIRE(put(book, rule("a", 1)).errors.empty());
  CHECK(contains(first_error(put(book, rule("b", 1))), "takes 239.0.0.2:5 on e0 too"));
  CHECK(contains(first_error(put(book, rule("b", 0))), "rule \"main\" takes"));
  CHECK(contains(first_error(put(book, rule("a", 0))), "rule \"main\" takes"));
  auto wrong = rule("e", 14);
  wrong["input"]["prot"] = 5;
  CHECK(contains(first_error(put(book, wrong)), "did you mean \"port\"?"));
  wrong = rule("f", 15);
  wrong["outputs"][0]["ttl"] = nullptr;
  CHECK_THROWS_AS(put(book, wrong), Failure);
  CHECK(files.names() == std::vector<std::string>{"a.toml"});
  check_files(files, book);
  CHECK(put(book, rule("b", 2)).difference.str() == "+1 -0 ~0 =2");
}

TEST_CASE("book: a rule that closes a circle is taken, and all rules of the circle know it") {
  const Files files(toml_rule("main", 0));
  auto book = files.read();
  REQUIRE(put(book, rule("c1", 10, "e0", 11)).errors.empty());
  REQUIRE(put(book, rule("c2", 11, "e0", 12)).errors.empty());
  const auto circles = [&] {
    std::vector<std::uint32_t> numbers;
    for (const auto& each : book.config().rules)
      numbers.push_back(each.circle.number);
    return numbers;
  };
  CHECK(circles() == std::vector<std::uint32_t>{0, 0, 0});
  REQUIRE(put(book, rule("c3", 12, "e0", 10)).errors.empty());
  CHECK(circles() == std::vector<std::uint32_t>{0, 1, 1, 1});
}

TEST_CASE("book: rules that were in a circle when they were read are numbered anew") {
  const Files files(R"([[reflector]]
name = "games"
kind = "udp"
group = "239.9.9.9"
port = 9
interfaces = ["e0", "e1"]
allow = [{ from = "e0", to = "e1" }]
)");
  files.write("state/rules.d/c1.toml", write_rule(rule("c1", 10, "e0", 11)));
  files.write("state/rules.d/c2.toml", write_rule(rule("c2", 11, "e0", 10)));
  auto book = files.read();
  const auto guarded = [&] {
    std::map<std::string, bool> names;
    for (const auto& each : book.config().rules)
      names[each.reflector.empty() ? each.name : each.reflector] = each.circle.number != 0;
    return names;
  };
  using Guarded = std::map<std::string, bool>;
  CHECK(guarded() == Guarded{{"c1", true}, {"c2", true}, {"games", true}});
  CHECK(book.change({{"c2", {}}}, RuleHome::state).difference.str() == "+0 -1 ~0 =3");
  CHECK(guarded() == Guarded{{"c1", false}, {"games", true}});
}

TEST_CASE("book: a name in two places is refused with both places") {
  const Files files(toml_rule("main", 0));
  auto book = files.read();
  REQUIRE(put(book, rule("a", 1), RuleHome::runtime).errors.empty());
  const auto twice = first_error(put(book, rule("a", 1)));
  CHECK(contains(twice, files.folder + "/state/rules.d/a.toml: "));
  CHECK(contains(twice, files.folder + "/run/rules.d/a.toml"));
  const auto main = first_error(put(book, rule("main", 5)));
  CHECK(contains(main, "/state/rules.d/main.toml: a rule named \"main\" is already at "));
  CHECK(contains(main, files.main + ":"));
  CHECK_FALSE(book.change({{"main", {}}}, RuleHome::state).errors.empty());
  files.write("state/rules.d/a.toml", toml_rule("a", 7));
  ConfigBook other;
  const auto errors = other.read(files.main);
  REQUIRE(errors.size() == 1);
  CHECK(contains(errors[0].str(), "run/rules.d/a.toml"));
  CHECK(contains(errors[0].str(), "state/rules.d/a.toml"));
}

TEST_CASE("book: several changes are made together, or none of them") {
  const Files files;
  auto book = files.read();
  std::vector<RuleChange> changes;
  for (int i = 0; i < 40; ++i)
    changes.push_back({fmt::format("r{}", i), rule(fmt::format("r{}", i), i)});
  CHECK(book.change(changes, RuleHome::state).difference.str() == "+40 -0 ~0 =0");
  CHECK(files.names().size() == 40);
  check_files(files, book);
  changes.clear();
  changes.push_back({"r0", {}});
  changes.push_back({"r1", rule("r1", 101)});
  changes.push_back({"new", rule("new", 2)});  // as r2
  CHECK_FALSE(book.change(changes, RuleHome::state).errors.empty());
  CHECK(files.names().size() == 40);
  check_files(files, book);
  changes.back() = {"new", rule("new", 0)};  // as r0, which goes
  CHECK(book.change(changes, RuleHome::state).difference.str() == "+1 -1 ~1 =38");
  CHECK(files.names().size() == 40);
  check_files(files, book);
  book = files.read();                      // and the one before has removed the old files
  CHECK(files.names("state").size() == 2);  // rules.d and its lock
}

TEST_CASE("book: the rules of a batch are taken over before their files have their names") {
  const Files files;
  auto book = files.read();
  REQUIRE(put(book, rule("a", 1)).errors.empty());
  const auto text = toml_rule("a", 2) + toml_rule("b", 3) + toml_rule("c", 4);
  const RuleText batch{.text = text, .file = "batch.toml"};
  const auto as_before = [&] {
    CHECK(book.rules() == 1);
    CHECK(files.names() == std::vector<std::string>{"a.toml"});
    check_files(files, book);
  };
  const auto refuse = [](const ConfigBook::Commit&) { throw Failure(ExitCode::os, "no"); };
  CHECK_THROWS_AS(book.apply(batch, RuleHome::state, refuse), Failure);
  as_before();
  fs::remove(files.folder + "/state/rules.d.lock");
  fs::create_directory(files.folder + "/state/rules.d.lock");  // nobody can lock that
  const auto pass_on = [](const ConfigBook::Commit& commit) { commit(); };
  CHECK_THROWS_AS(book.apply(batch, RuleHome::state, pass_on), OsError);
  CHECK_THROWS_AS(book.apply(batch, RuleHome::state), OsError);
  as_before();
  fs::remove(files.folder + "/state/rules.d.lock");
  const auto outcome = book.apply(batch, RuleHome::state, [&](const ConfigBook::Commit& commit) {
    CHECK(book.config().rules.size() == 3);
    CHECK(files.names() == std::vector<std::string>{"a.toml"});
    commit();
    CHECK(files.names().size() == 3);
  });
  CHECK(outcome.difference.str() == "+2 -0 ~1 =0");
  check_files(files, book);
  CHECK(book.apply(batch, RuleHome::state, refuse).difference.str() == "+0 -0 ~0 =3");
}

TEST_CASE("book: rules that swap what they take are no contradiction") {
  const Files files;
  auto book = files.read();
  REQUIRE(put(book, rule("a", 1)).errors.empty());
  REQUIRE(put(book, rule("b", 2)).errors.empty());
  CHECK(book.change({{"a", rule("a", 2)}, {"b", rule("b", 1)}}, RuleHome::state).errors.empty());
  check_files(files, book);
}

TEST_CASE("book: what a killed process has left is not read, and goes") {
  const Files files;
  files.write("state/rules.d/a.toml", toml_rule("a", 1));
  files.write("state/rules.d/.unfinished", "[[rule]]\nnam");
  files.write("state/rules.d.unfinished/b.toml", toml_rule("b", 2));
  files.write("state/rules.d.gone/c.toml", toml_rule("c", 3));
  auto book = files.read();
  CHECK(book.rules() == 1);
  CHECK(files.names() == std::vector<std::string>{"a.toml"});
  CHECK(files.names("state") == std::vector<std::string>{"rules.d", "rules.d.lock"});
}

TEST_CASE("book: a link in the place of rules.d stays one, and its folder keeps its rights") {
  const Files files;
  fs::create_directories(files.folder + "/state");
  const auto real = files.folder + "/elsewhere/rules";
  files.write("elsewhere/rules/a.toml", toml_rule("a", 1));
  files.write("elsewhere/rules.unfinished/b.toml", toml_rule("b", 2));  // of a killed process
  constexpr auto rights = fs::perms{02770};
  fs::permissions(real, rights);
  fs::create_directory_symlink("../elsewhere/rules", files.folder + "/state/rules.d");
  auto book = files.read();
  CHECK(files.names("elsewhere") == std::vector<std::string>{"rules"});
  const auto text = toml_rule("b", 2) + toml_rule("c", 3);
  CHECK(book.apply({.text = text, .file = "f"}, RuleHome::state).difference.str() == "+2 -0 ~0 =1");
  CHECK(fs::is_symlink(files.folder + "/state/rules.d"));
  CHECK(fs::status(real).permissions() == rights);
  CHECK(put(book, rule("a", 4)).difference.str() == "+0 -0 ~1 =2");
  CHECK(files.names("elsewhere/rules") == std::vector<std::string>{"a.toml", "b.toml", "c.toml"});
  CHECK(files.names("state") == std::vector<std::string>{"rules.d", "rules.d.lock"});
  check_files(files, book);
}

TEST_CASE("book: a file that somebody has put there meanwhile is not lost") {
  const Files files;
  auto book = files.read();
  REQUIRE(put(book, rule("known", 1)).errors.empty());
  const auto others = toml_rule("one", 2) + toml_rule("other", 3);
  files.write("state/rules.d/new.toml", others);
  CHECK_THROWS_AS(put(book, rule("new", 4)), Failure);
  CHECK_THROWS_AS(
      book.change({{"new", rule("new", 4)}, {"more", rule("more", 5)}}, RuleHome::state), Failure);
  CHECK(files.text("state/rules.d/new.toml") == others);
  CHECK(files.names() == std::vector<std::string>{"known.toml", "new.toml"});
  CHECK(book.rules() == 1);
  book = files.read();  // now they are known, and their file is one for people
  CHECK_THROWS_AS(put(book, rule("new", 4)), Failure);
  REQUIRE(put(book, rule("more", 5)).errors.empty());
  CHECK(files.text("state/rules.d/new.toml") == others);
  files.write("state/rules.d/known.toml", toml_rule("known", 6));  // of a rule that is known
  CHECK(put(book, rule("known", 7)).difference.str() == "+0 -0 ~1 =3");
  CHECK(book.change({{"known", rule("known", 8)}, {"more", rule("more", 9)}}, RuleHome::state)
            .errors.empty());
  check_files(files, book);
  book = files.read();
  CHECK(files.names("state") == std::vector<std::string>{"rules.d", "rules.d.lock"});
}

TEST_CASE("book: a disk that takes no more leaves nothing behind") {
  const Files files;
  auto book = files.read();
  REQUIRE(put(book, rule("a", 1)).errors.empty());
  const auto full = [&](const auto& change) {
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{16, before.rlim_max};  // bytes; the write after that fails
    ::setrlimit(RLIMIT_FSIZE, &small);
    CHECK_THROWS_AS(change(), OsError);
    ::setrlimit(RLIMIT_FSIZE, &before);
    CHECK(files.names() == std::vector<std::string>{"a.toml"});
    CHECK(book.rules() == 1);
  };
  ::signal(SIGXFSZ, SIG_IGN);
  full([&] { static_cast<void>(put(book, rule("b", 2))); });
  full([&] {
    static_cast<void>(book.change({{"b", rule("b", 2)}, {"c", rule("c", 3)}}, RuleHome::state));
  });
  REQUIRE(put(book, rule("b", 2)).errors.empty());
  check_files(files, book);
}

TEST_CASE("book: each name has one file, inside of the folder") {
  const Files files;
  auto book = files.read();
  int group = 0;
  for (const char* name :
       {"../../etc/passwd", "..", ".hidden", "a/b", "a b", "%41", "ä", "x.toml", "-"})
    REQUIRE(put(book, rule(name, ++group)).errors.empty());
  const auto names = files.names();
  CHECK(std::ranges::count(names, "%2541.toml") == 1);
  CHECK(std::ranges::count(names, "%2E.%2F..%2Fetc%2Fpasswd.toml") == 1);
  CHECK(names.size() == 9);
  CHECK(files.names("").size() == 2);
  check_files(files, book);
  for (const auto& name : files.names())
    CHECK_FALSE(name.starts_with('.'));
  CHECK_FALSE(put(book, rule("", 50)).errors.empty());
  CHECK_FALSE(put(book, rule("a\nb", 50)).errors.empty());
  CHECK_FALSE(put(book, rule(std::string(limits::name_bytes + 1, 'n'), 50)).errors.empty());
  REQUIRE(put(book, rule(std::string(limits::name_bytes, '/'), 50)).errors.empty());
  check_files(files, book);
}

TEST_CASE("book: without a folder, or with one that cannot be written, nothing changes") {
  Files files;
  files.write("mcr.toml", "");
  auto book = files.read();
  CHECK(contains(first_error(put(book, rule("a", 1))), "name one as `state` in [daemon]"));
  CHECK(contains(first_error(put(book, rule("a", 1), RuleHome::runtime)), "`runtime`"));
  files.write("mcr.toml", "[daemon]\nstate = \"" + files.folder + "/mcr.toml/no\"\n");
  CHECK_FALSE(ConfigBook().read(files.main).empty());
  files.write("mcr.toml", "[daemon]\nstate = \"/proc/self/no\"\n");
  book = files.read();
  CHECK_THROWS_AS(put(book, rule("a", 1)), OsError);
  CHECK(book.rules() == 0);
}

TEST_CASE("book: limits of all rules together hold for one more") {
  const Files files;
  auto book = files.read();
  std::vector<RuleChange> all;
  for (std::size_t i = 0; i < limits::rules; ++i) {
    const auto name = fmt::format("r{}", i);
    all.push_back({name, rule(name, static_cast<int>(i))});
  }
  REQUIRE(book.change(all, RuleHome::state).errors.empty());
  CHECK(contains(first_error(put(book, rule("more", 20'000))), "more than 10000 rules"));
  auto wide = rule("r0", 0);
  wide["input"]["group"] = "239.200.0.0/20";
  wide["input"]["port"] = "1-16";
  CHECK(contains(first_error(put(book, wide)), "more than 65536 inputs in all"));
  CHECK(put(book, rule("r0", 0)).difference.str() == "+0 -0 ~0 =10000");
}

TEST_CASE("book: a rule is shown as its file has it") {
  const Files files("# first\n" + toml_rule("main", 0));
  files.write("conf.d/x.toml",
              "[[rule]]\ninput = { interface = \"e0\", group = \"239.9.9.9\", port = 7 }\n"
              "outputs = [ { interface = \"e1\" } ]\n");
  auto book = files.read();
  REQUIRE(put(book, rule("a", 1)).errors.empty());
  const auto a = book.find("a");
  REQUIRE(a);
  CHECK(a->home == RuleHome::state);
  CHECK(a->rule == rule("a", 1));
  CHECK(write_rule(a->rule) == files.text("state/rules.d/a.toml"));
  const auto main = book.find("main");
  REQUIRE(main);
  CHECK(main->home == RuleHome::files);
  CHECK(main->file == files.main);
  CHECK(main->rule == rule("main", 0));
  const auto unnamed = book.find("e0/239.9.9.9:7");
  REQUIRE(unnamed);
  CHECK(unnamed->rule["input"]["port"] == 7);
  CHECK_FALSE(book.find("nobody"));
}

TEST_CASE("book: defaults of the main file hold for rules that are added") {
  const Files files("[defaults]\nttl = 3\n");
  auto book = files.read();
  REQUIRE(put(book, rule("a", 1)).errors.empty());
  check_files(files, book);
  CHECK(book.config().rules[0].outputs[0].ttl == Ttl::of(3));
}

TEST_CASE("book: rules of other shards are kept, and left out") {
  const Files files("", "shard = \"1/2\"");
  auto book = files.read();
  for (int i = 0; i < 40; ++i)
    REQUIRE(put(book, rule(fmt::format("r{}", i), i)).errors.empty());
  CHECK(book.rules() == 40);
  CHECK(book.config().rules.size() + book.config().elsewhere == 40);
  CHECK(book.config().elsewhere > 5);
  check_files(files, book);
}

TEST_CASE("book: a text is applied as a whole, and its mistakes have their place") {
  const Files files(toml_rule("main", 0));
  auto book = files.read();
  const auto apply = [&](const std::string& text, const std::string& name = "") {
    return book.apply({.text = text, .file = "f", .name = name}, RuleHome::state);
  };
  CHECK(apply(toml_rule("a", 1) + toml_rule("b", 2)).difference.str() == "+2 -0 ~0 =1");
  CHECK(apply(toml_rule("a", 1) + toml_rule("b", 3)).difference.str() == "+0 -0 ~1 =2");
  check_files(files, book);
  CHECK(book.find("b")->rule == rule("b", 3));
  CHECK(book.find("b")->line == 2);
  CHECK(apply("").difference.str() == "+0 -0 ~0 =3");
  for (const auto& [text, mistake] :
       {std::pair(toml_rule("c", 4) + toml_rule("c", 5),
                  "f:8:8: a rule named \"c\" is already at f:2:8"),
        std::pair(std::string("[daemon]\nworkers = 1\n"),
                  "f:1:2: [daemon] belongs in the main file"),
        std::pair(std::string("rule = 5\n"), "f:1:"),
        std::pair(std::string("[[rule]]\n"), "f:1:1: "), std::pair(std::string("x\n"), "f:1:2: "),
        std::pair("\n\n" + toml_rule("main", 4), "f:4:8: a rule named \"main\" is already at "),
        std::pair("\n" + toml_rule("c", 0), "f:4:9: rule \"main\" takes")}) {
    INFO(text);
    CHECK(contains(first_error(apply(text)), mistake));
  }
  CHECK(files.names() == std::vector<std::string>{"a.toml", "b.toml"});
  CHECK(contains(first_error(put(book, rule("c", 3))), "/state/rules.d/b.toml:2:8"));
}

TEST_CASE("book: many rules in a text are written as the files will be read") {
  const Files files(toml_rule("main", 0));
  auto book = files.read();
  std::string text;
  for (int i = 1; i <= 100; ++i)
    text += toml_rule(fmt::format("r{}", i), i);
  CHECK(book.apply({.text = text, .file = "f"}, RuleHome::state).difference.str() ==
        "+100 -0 ~0 =1");
  check_files(files, book);
  text += toml_rule("twin", 50);
  CHECK(contains(first_error(book.apply({.text = text, .file = "f"}, RuleHome::state)),
                 "takes 239.0.0.51:5 on e0 too"));
  CHECK(book.apply({.text = toml_rule("r7", 7), .file = "f", .prune = true}, RuleHome::state)
            .difference.str() == "+0 -99 ~0 =2");
  check_files(files, book);
}

TEST_CASE("book: a text for one rule has that rule") {
  const Files files;
  auto book = files.read();
  const auto apply = [&](const std::string& text) {
    return book.apply({.text = text, .file = "f", .name = "a"}, RuleHome::state);
  };
  auto unnamed = toml_rule("a", 1);
  unnamed.erase(unnamed.find("name"), 11);
  CHECK(apply(unnamed).difference.str() == "+1 -0 ~0 =0");
  CHECK(book.find("a")->rule == rule("a", 1));
  CHECK(apply(toml_rule("a", 1)).difference.str() == "+0 -0 ~0 =1");
  CHECK(contains(first_error(apply(toml_rule("b", 1))), "f:2:8: the rule's name must be \"a\""));
  CHECK(contains(first_error(apply(toml_rule("a", 1) + toml_rule("b", 2))), "there must be one"));
  CHECK(contains(first_error(apply("")), "there must be one"));
  CHECK(first_error(apply("x")).find("there must be one") == std::string::npos);
}

TEST_CASE("book: a rule survives the way to text and back") {
  const Files files;
  auto book = files.read();
  json odd = rule("o\"d\\d ä", 1);
  odd["expect"] = {{"min_pps", 5}, {"silent_after", "2s"}};
  odd["input"]["local"] = false;
  odd["input"]["sources"] = json::array({"10.0.0.0/24", "!10.0.0.6"});
  odd["comment"] = "'quotes' # and = [all]";
  const auto outcome = book.apply({.text = write_rule(odd), .file = "f"}, RuleHome::state);
  CHECK(first_error(outcome).empty());
  REQUIRE(book.find("o\"d\\d ä"));
  CHECK(book.find("o\"d\\d ä")->rule == odd);
  check_files(files, book);
}
