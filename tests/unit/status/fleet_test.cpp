// Several relays in one view, from what their overviews say.
#include "mcr/status/fleet.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "mcr/status/overview.hpp"
#include "mcr/status/specimen.hpp"

namespace {

using namespace mcr;
using namespace mcr::status;
using nlohmann::json;

Status relay_with(const std::vector<RuleState>& states) {
  Status status;
  status.process.version = "1.2";
  status.process.uptime_s = 3600;
  for (const auto state : states) {
    auto& rule = status.rules.emplace_back();
    rule.name = std::string("r-") + std::string(to_string(state));
    rule.state = state;
    rule.rate_pps = 10;
    rule.rate_bps = 1000;
    rule.last_seen_s = 0.1;
    if (state != RuleState::active && state != RuleState::disabled) rule.reason = {"why not", 0};
  }
  return status;
}

FleetRelay fleet_relay(const std::string& host, const std::vector<RuleState>& states) {
  return read_overview(host, overview(relay_with(states), std::nullopt));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("fleet: a relay is read from its overview") {
  const auto relay = fleet_relay("one", {RuleState::active, RuleState::waiting, RuleState::active,
                                         RuleState::disabled, RuleState::failed});
  CHECK(relay.error.empty());
  CHECK(relay.version == "1.2");
  CHECK(relay.rules == 5);
  CHECK(relay.states.at("active") == 2);
  CHECK(relay.rate_pps == 50);
  CHECK(relay.rate_bps == 5000);
  REQUIRE(relay.troubled.size() == 2);
  CHECK(relay.troubled[1].rule == "r-failed");
  CHECK(relay.troubled[1].note == "why not");
  CHECK(to_json({relay})["troubled"][0]["rule"] == "r-failed");
  CHECK_FALSE(relay.healthy());
  CHECK(fleet_relay("two", {RuleState::active, RuleState::disabled}).healthy());
  CHECK(fleet_relay("two", {}).healthy());
  CHECK_FALSE(read_overview("full", overview(full_specimen(), std::nullopt)).healthy());
}

TEST_CASE("fleet: what is no overview is an error") {
  for (const auto* text : {"null", "5", "[]", "{}", R"({"rules":[]})", R"({"rules":{"name":5}})"}) {
    const auto relay = read_overview("x", json::parse(text));
    CHECK_FALSE(relay.error.empty());
    CHECK_FALSE(relay.healthy());
  }
  for (const auto* text :
       {R"({"rules":{"name":["a"]}})", R"({"rules":{"name":[5],"state":[7]},"states":["x"]})",
        R"({"rules":{"name":["a"],"state":[-1],"rate_pps":["x"]},"states":["active"]})"}) {
    const auto relay = read_overview("x", json::parse(text));
    CHECK(relay.rules == 1);
    CHECK_FALSE(relay.healthy());
  }
}

TEST_CASE("fleet: relays first, then the troubled rules of all") {
  const std::vector<FleetRelay> relays{
      fleet_relay("relay1:9464", {RuleState::active, RuleState::failed}),
      {.host = "relay2", .error = "Connection refused"},
      fleet_relay("relay3", {RuleState::active, RuleState::active})};
  const auto text = render_fleet(relays, 100);
  CHECK(contains(text, "relay1:9464"));
  CHECK(contains(text, "1 failed, 1 active"));
  CHECK(contains(text, "no answer"));
  CHECK(contains(text, "Connection refused"));
  CHECK(contains(text, "2 active"));
  CHECK(text.find("r-failed") > text.find("relay3"));
  CHECK_FALSE(contains(render_fleet({relays[2]}, 100), "STATE"));
  const auto document = to_json(relays);
  CHECK(document["healthy"] == false);
  CHECK(document["relays"].size() == 3);
  CHECK(document["relays"][1]["error"] == "Connection refused");
  CHECK(document["relays"][0]["states"]["failed"] == 1);
  CHECK(document["troubled"] == json::array({{{"host", "relay1:9464"},
                                              {"rule", "r-failed"},
                                              {"state", "failed"},
                                              {"reason", "why not"}}}));
  CHECK(to_json({relays[2]})["healthy"] == true);
}

TEST_CASE("fleet: many troubled rules are counted, and no control bytes reach the terminal") {
  auto relay = fleet_relay("x", std::vector<RuleState>(60, RuleState::waiting));
  CHECK(contains(render_fleet({relay}, 100), "and 20 more\n"));
  relay.troubled = {{"a\x1b[2J", "waiting\n", "b\x07"}};
  relay.error = "";
  const auto text = render_fleet({relay, {.host = "y\x1b", .error = "z\x1b"}}, 100);
  for (const char byte : {'\x1b', '\x07'})
    CHECK(text.find(byte) == std::string::npos);
}
