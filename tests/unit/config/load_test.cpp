// The files of a configuration: their syntax, the order in which they are read, and how two
// configurations differ.
#include <sys/stat.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "config_text.hpp"
#include "mcr/config/config_difference.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {

TEST_CASE("config: mistakes of syntax") {
  std::string garbage(4096, '\0');
  std::minstd_rand random(1);
  for (char& byte : garbage)
    byte = static_cast<char>(random());
  const std::string texts[] = {
      "[daemon",
      "[daemon]\n[daemon]",
      "a = ",
      std::string("a = \"x\0y\"", 9),
      "a = \"\xff\"",
      garbage,
      "a = " + std::string(100'000, '['),
      "a = " + std::string(100'000, '{'),
  };
  for (const auto& text : texts) {
    const auto result = parse_config(text, "f");
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors.front().line > 0);
  }
}

TEST_CASE("config: dotted keys of any depth do not exhaust the stack") {
  std::string deep = "a";
  for (int i = 0; i < 1'000'000; ++i)
    deep += ".a";
  for (const auto& text : {"\n" + deep + " = 1", "\n[" + deep + "]", "\nx = {" + deep + " = 1}"}) {
    const auto result = parse_config(text, "f");
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors.front().line == 2);
    CHECK(result.errors.front().message == "nested too deeply: more than 32 levels");
  }
  // A mistake before the deep key is reported first. Dots in comments and strings do not count.
  CHECK(parse_config("a = = 1\n" + deep + " = 1", "f").errors.front().line == 1);
  const std::string dots(100, '.');
  good("# " + dots + "\n" + rule("a" + dots.substr(0, 50), fine_input, fine_output));
  const auto texts =
      parse_config("a = \"\"\"\\\"\"\"" + dots + "\"\"\"\"\nb = '" + dots + "'", "f");
  CHECK(all(texts).find("deep") == std::string::npos);
}

TEST_CASE("config: characters beyond ASCII only in quotes and comments") {
  check_each({
      {"\n[d\u00e4mon]", "2:3", "not ASCII stands outside of quotes"},
      {"[[rule]]\ninput = {a=1, \u00e9=2}", "2:15", "not ASCII stands outside of quotes"},
      {"[[rule]]\nname = [\n\"\u00e9\", \u00e9]", "3:6", "not ASCII stands outside of quotes"},
      {"a = \"\"\"x\ny\"\"\" \u00e9", "2:6", "not ASCII stands outside of quotes"},
      {"= 1\n\u00a0= 1", "1:1", "expected"},
      {"a\u00a0= 1", "1:2", "not ASCII stands outside of quotes"},
  });
  const auto text = "\xEF\xBB\xBF# \u00e4\n" + rule("\u00e4 \u4e16", fine_input, fine_output);
  CHECK(good(text).rules.at(0).name == "\u00e4 \u4e16");
}

TEST_CASE("config: conf.d is read in name order, with the defaults of the main file") {
  const Folder folder;
  const std::string main = folder / "mcr.toml";
  folder.write("mcr.toml", "[defaults]\nttl = 5\n" + hop("main", 1, 2));
  CHECK(load_config(main).config.rules.size() == 1);  // no conf.d yet

  folder.write("conf.d/20-b.toml", hop("b", 5, 6));
  folder.write("conf.d/10-a.toml", hop("a", 3, 4));
  folder.write("conf.d/.hidden.toml", "garbage");
  folder.write("conf.d/README", "garbage");
  const auto result = load_config(main);
  INFO(all(result));
  REQUIRE(result.errors.empty());
  std::string names;
  for (const auto& each : result.config.rules) {
    names += each.name + " ";
    CHECK(each.outputs.at(0).ttl == Ttl::of(5));
  }
  CHECK(names == "main a b ");
}

TEST_CASE("config: mistakes of all files are reported together, the main file's first") {
  const Folder folder;
  const std::string main = folder / "mcr.toml";
  const std::string a = folder / "conf.d/a.toml";
  const std::string b = folder / "conf.d/b.toml";
  const std::string c = folder / "conf.d/c.toml";
  folder.write("mcr.toml", "[daemon]\nworkers = 0\n" + hop("x", 1, 2));
  folder.write("conf.d/a.toml", "[daemon]\nworkers = 0\n[defaults]\n[interface.e]\n[unknown]\n");
  folder.write("conf.d/b.toml", "= syntax\n= and more");
  folder.write("conf.d/c.toml", hop("x", 2, 1));
  const auto result = load_config(main);
  const std::vector<std::string> expected = {
      main + ":2:11: workers: 0 is not from 1 to 64",
      a + ":1:2: [daemon] belongs in the main file, " + main,
      a + ":3:2: [defaults] belongs in the main file, " + main,
      a + ":4:2: [interface] belongs in the main file, " + main,
      a + ":5:2: unknown key \"unknown\" in the file; known here: daemon, defaults, interface, "
          "rule",
      b + ":1:1: ",
      c + ":2:8: a rule named \"x\" is already at " + main + ":4:8",
  };
  INFO(all(result));
  REQUIRE(result.errors.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(result.errors[i].str().starts_with(expected[i]));
}

TEST_CASE("config: files that cannot be read") {
  const Folder folder;
  const auto only = [](const std::string& path) {
    const auto result = load_config(path);
    INFO(all(result));
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors[0].line == 0);
    return result.errors[0].str();
  };
  const std::string missing = folder / "missing.toml";
  CHECK(only(missing) == missing + ": cannot read: No such file or directory");
  CHECK(only(folder / "").find("is a directory") != std::string::npos);
  CHECK(only("/dev/zero").find("is a device") != std::string::npos);
  const std::string fifo = folder / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(only(fifo).find("is a FIFO") != std::string::npos);

  folder.write("big.toml", "");
  std::filesystem::resize_file(folder / "big.toml", limits::config_bytes + 1);
  CHECK(only(folder / "big.toml").find("more than the 16 MiB") != std::string::npos);

  folder.write("mcr.toml", "");
  std::filesystem::create_directories(folder / "conf.d/x.toml");
  CHECK(only(folder / "mcr.toml").find("conf.d/x.toml: cannot read: is a directory") !=
        std::string::npos);
  std::filesystem::remove_all(folder / "conf.d");
  folder.write("conf.d", "a file");
  CHECK(only(folder / "mcr.toml").find("conf.d: cannot read: Not a directory") !=
        std::string::npos);
}

TEST_CASE("config: two configurations are compared rule by rule") {
  const Config before = good(hop("a", 1, 2) + hop("b", 3, 4) + hop("c", 5, 6));
  CHECK(compare_configs(before, before) == ConfigDifference{0, 0, 0, 3});
  CHECK(compare_configs(before, good(hop("c", 5, 6) + hop("a", 1, 2) + hop("b", 3, 4))).unchanged ==
        3);
  const Config after = good(hop("a", 1, 2) + hop("b", 3, 9) + hop("d", 5, 6) + hop("e", 7, 8));
  CHECK(compare_configs(before, after).str() == "+2 -1 ~1 =1");
  CHECK(compare_configs(Config{}, before).str() == "+3 -0 ~0 =0");
  CHECK(compare_configs(before, Config{}).str() == "+0 -3 ~0 =0");
}

}  // namespace mcr
