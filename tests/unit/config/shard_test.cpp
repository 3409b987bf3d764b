#include "mcr/config/shard.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "mcr/config/load.hpp"

namespace {

using mcr::Shard;
using mcr::shard_of;

constexpr int rules = 10'000;

std::string name_of(int rule) {
  return "rule-" + std::to_string(rule);
}

TEST_CASE("shards: each rule has one, and each shard about as many rules") {
  std::vector<int> counts(6);
  for (int i = 0; i < rules; ++i) {
    int takers = 0;
    for (std::uint32_t number = 1; number <= 5; ++number) {
      const bool takes = Shard{number, 5}.takes(name_of(i));
      takers += takes ? 1 : 0;
      counts[number] += takes ? 1 : 0;
    }
    REQUIRE(takers == 1);
  }
  for (std::size_t number = 1; number <= 5; ++number) {
    CHECK(counts[number] > rules / 5 - 200);
    CHECK(counts[number] < rules / 5 + 200);
  }
}

TEST_CASE("shards: one more takes its share of the rules, and no other rule moves") {
  for (std::uint32_t shards = 1; shards < 12; ++shards) {
    int moved = 0;
    for (int i = 0; i < rules; ++i) {
      const auto before = shard_of(name_of(i), shards);
      const auto now = shard_of(name_of(i), shards + 1);
      if (before == now) continue;
      ++moved;
      REQUIRE(now == shards + 1);
    }
    const int share = rules / static_cast<int>(shards + 1);
    CHECK(moved > share - 200);
    CHECK(moved < share + 200);
  }
}

TEST_CASE("shards: the answer never changes") {
  CHECK(shard_of("studio-a", 5) == 5);
  CHECK(shard_of("studio-b", 5) == 3);
  CHECK(shard_of("eth0/239.1.1.1:5000", 5) == 3);
  CHECK(shard_of("", 1) == 1);
}

TEST_CASE("shards: of the files' rules those of other shards are left out, and counted") {
  std::string text = "[daemon]\nshard = \"2/5\"\n";
  for (int i = 0; i < 100; ++i)
    text += "[[rule]]\nname = \"" + name_of(i) +
            "\"\ninput = { interface = \"e\", group = \"239.0.0." + std::to_string(i + 1) +
            "\", port = 5 }\noutputs = [ { interface = \"f\" } ]\n";
  const auto [config, errors] = mcr::parse_config(text, "f");
  REQUIRE(errors.empty());
  CHECK(config.rules.size() + config.elsewhere == 100);
  CHECK(config.rules.size() > 5);
  for (const auto& rule : config.rules)
    CHECK(shard_of(rule.name, 5) == 2);
}

TEST_CASE("shards: what is none is refused") {
  for (const char* text : {"0/5", "6/5", "2", "2/", "/5", "a/b", "1/1025", "2/5 ", "-1/5"}) {
    const auto result = mcr::parse_config("[daemon]\nshard = \"" + std::string(text) + "\"\n", "f");
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors[0].message.find("shard: ") == 0);
  }
}

}  // namespace
