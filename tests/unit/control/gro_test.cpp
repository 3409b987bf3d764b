#include "mcr/control/gro.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "mcr/base/error.hpp"
#include "rule_builder.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

constexpr GroSetting off{false, false};
constexpr GroSetting merging{true, false};
constexpr GroSetting on{true, true};

/// A folder of its own, gone with this.
struct Folder {
  std::string path =
      std::filesystem::temp_directory_path() / ("mcr-gro." + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a wish changes of an interface's setting what it is about") {
  struct Row {
    Gro wish;
    GroSetting original;
    GroSetting expected;
    GroSetting undescribed;  // where the kernel cannot tell sizes
  };
  const std::vector<Row> rows{
      {Gro::automatic, off, {false, true}, off},
      {Gro::automatic, merging, on, merging},
      {Gro::on, off, on, off},
      {Gro::on, on, on, merging},
      {Gro::off, on, merging, merging},
      {Gro::off, off, off, off},
      {Gro::leave, on, on, on},
      {Gro::leave, off, off, off},
  };
  for (const auto& row : rows) {
    CHECK(gro_setting({row.wish}, row.original, true) == row.expected);
    CHECK(gro_setting({row.wish}, row.original, false) == row.undescribed);
  }
}

TEST_CASE("a wait that is wished for, or else the one that was before, if it was ever changed") {
  const GroSetting known{true, true, 7us};
  CHECK(gro_setting({Gro::automatic, 20us}, on, true).wait == 20us);
  CHECK(gro_setting({Gro::automatic, 0us}, known, true).wait == 0us);
  CHECK(gro_setting({Gro::on}, known, true).wait == 7us);
  CHECK(gro_setting({Gro::leave, 20us}, known, true) == known);
  CHECK_FALSE(gro_setting({Gro::on}, on, true).wait);
}

TEST_CASE("a configuration is about the GRO of its inputs' interfaces, by index") {
  InterfaceTunings tunings;
  std::vector<Rule> rules = {rule("a", ip("239.1.1.1"), 5000)};
  CHECK(gro_wishes(rules, tunings, two_interfaces()) ==
        std::map<unsigned, GroWish>{{2, {Gro::automatic}}});
  CHECK(gro_wishes(rules, tunings, Interfaces({up("renamed", 2)})).empty());
  tunings["in"].gro = Gro::on;
  tunings["in"].gro_wait = 20us;
  CHECK(gro_wishes(rules, tunings, two_interfaces()) ==
        std::map<unsigned, GroWish>{{2, {Gro::on, 20us}}});
  tunings["in"].gro = Gro::leave;
  CHECK(gro_wishes(rules, tunings, two_interfaces()).empty());
  tunings.clear();
  rules[0].inputs[0].local = true;
  CHECK(gro_wishes(rules, tunings, two_interfaces()).empty());
  rules[0].inputs[0].local = false;
  rules[0].enabled = false;
  CHECK(gro_wishes(rules, tunings, two_interfaces()).empty());
}

TEST_CASE("the first user of a record writes it, the last one may remove it") {
  const Folder folder;
  const auto path = folder.path + "/record";
  auto first = std::optional(GroRecord::share(path, merging));
  auto second = GroRecord::share(path, on);  // as the first user has changed it
  CHECK(first->original() == merging);
  CHECK(second.original() == merging);
  CHECK_FALSE(first->claim());
  CHECK_FALSE(GroRecord::left_behind(path));
  first.reset();
  CHECK(second.claim());
  second.remove();
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a record that nobody shares was left behind") {
  const Folder folder;
  const auto path = folder.path + "/record";
  { const auto killed = GroRecord::share(path, merging); }
  {
    const auto heir = GroRecord::share(path, on);
    CHECK(heir.original() == merging);
  }
  auto left = GroRecord::left_behind(path);
  REQUIRE(left);
  CHECK(left->original() == merging);
  left->remove();
  CHECK_FALSE(GroRecord::left_behind(path));
}

TEST_CASE("a record keeps the wait that was before the first change") {
  const Folder folder;
  const auto path = folder.path + "/record";
  auto first = GroRecord::share(path, {true, false, 5us});
  CHECK_FALSE(first.original().wait);  // nobody has changed it
  auto second = GroRecord::share(path, merging);
  first.keep_wait(5us);
  second.keep_wait(20us);  // as the first user has changed it
  CHECK(first.original() == GroSetting{true, false, 5us});
  CHECK(second.original() == first.original());
  std::string text;
  std::getline(std::ifstream(path), text);
  CHECK(text == "10 5000");
}

TEST_CASE("a file that is no record is left alone, and one without text is written") {
  const Folder folder;
  const auto path = folder.path + "/record";
  std::ofstream(path).close();  // its writer was killed before the text
  CHECK_FALSE(GroRecord::left_behind(path));
  CHECK(GroRecord::share(path, on).original() == on);
  CHECK_THROWS_AS(GroRecord::share(folder.path + "/none/record", on), OsError);
}
