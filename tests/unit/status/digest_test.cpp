#include "mcr/status/digest.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "mcr/status/json.hpp"
#include "mcr/status/text.hpp"
#include "status_builder.hpp"

using namespace mcr::status;
using mcr::flat;
using mcr::RuleState;
using mcr::Status;
using nlohmann::json;

namespace {

/// 96 rules that run, three that wait for one interface, one that drops.
Status hundred_rules() {
  auto status = mcr::healthy();
  status.rules.clear();
  for (int i = 0; i < 100; ++i)
    status.rules.push_back(mcr::healthy_rule("r" + std::to_string(i), "239.1.1.1"));
  for (const auto i : {10U, 20U, 30U}) {
    status.rules[i].state = RuleState::waiting;
    status.rules[i].reason = {"interface eth7 does not exist"};
  }
  mcr::drops_of(status.rules[40].outputs[0].drops, "egress_full") = 5;
  return status;
}

}  // namespace

TEST_CASE("digest: equal reasons are one group, troubled ones first") {
  const auto digest = digest_of(hundred_rules());
  CHECK(digest.rules == 100);
  CHECK(digest.troubled == 3);
  CHECK(digest.dropping == 1);
  REQUIRE(digest.groups.size() == 3);
  CHECK(digest.groups[0].state == RuleState::waiting);
  CHECK(digest.groups[0].note == "interface eth7 does not exist");
  CHECK(digest.groups[0].rules == 3);
  CHECK(digest.groups[0].names == std::vector<std::string>{"r10", "r20", "r30"});
  CHECK(digest.groups[1].note == "has dropped egress_full");
  CHECK_FALSE(digest.groups[2].attention);
  CHECK(digest.groups[2].rules == 96);
}

TEST_CASE("digest: the page of many rules is short, and says the same of few") {
  auto status = hundred_rules();
  const auto page = render_status(status, 80);
  INFO(page);
  CHECK(page.starts_with("ATTENTION 100 rules: 97 active, 3 waiting\n"));
  const auto text = flat(page);
  CHECK(text.find("! 3 waiting: interface eth7 does not exist: r10, r20, r30 ! 1 active: has "
                  "dropped egress_full: r40 96 active") != std::string::npos);
  CHECK(text.find("r0, r1, r2 and 93 more") != std::string::npos);
  CHECK(std::ranges::count(page, '\n') < 40);

  const auto answer = json::parse(answer_request(status, write_request({{}, true})));
  CHECK(answer["rules"].empty());
  CHECK(answer.dump().size() < 20'000);
  CHECK(render_status(from_json(answer).value(), 80) == page);

  status.rules.resize(40);
  CHECK(json::parse(answer_request(status, write_request({{}, true})))["rules"].size() == 40);
  CHECK(render_status(status, 80).find("\nr39 ") != std::string::npos);
}

TEST_CASE("digest: interfaces keep the names that rules use") {
  auto status = hundred_rules();
  status.interfaces[0].alt_names = {"enp1s0", "uplink"};
  status.rules[7].inputs[0].interface = "uplink";
  const auto page = render_status(status, 80);
  CHECK(page.find("\neth0 = uplink ") != std::string::npos);
  const auto answer = json::parse(answer_request(status, write_request({{}, true})));
  CHECK(render_status(from_json(answer).value(), 80) == page);
}

TEST_CASE("digest: an older client gets everything") {
  const auto answer = json::parse(answer_request(hundred_rules(), {{"command", "status"}}));
  CHECK(answer["rules"].size() == 100);
  CHECK_FALSE(answer.contains("digest"));
}

TEST_CASE("digest: rules by state and by name") {
  const auto names = [](const Selection& selection) {
    const auto status =
        from_json(json::parse(answer_request(hundred_rules(), write_request({selection, false}))))
            .value();
    std::vector<std::string> result;
    for (const auto& rule : status.rules)
      result.push_back(rule.name);
    return result;
  };
  using Names = std::vector<std::string>;
  CHECK(names({RuleState::waiting, ""}) == Names{"r10", "r20", "r30"});
  CHECK(names({{}, "r?0"}) == Names{"r10", "r20", "r30", "r40", "r50", "r60", "r70", "r80", "r90"});
  CHECK(names({RuleState::waiting, "r[12]*"}) == Names{"r10", "r20"});
  CHECK(names({RuleState::failed, ""}).empty());
  auto status = hundred_rules();
  select_rules(status, {RuleState::waiting, ""});
  CHECK(render_rules(status, 80).starts_with("3 rules: 3 waiting\n"));
  select_rules(status, {RuleState::failed, ""});
  CHECK(render_rules(status, 80) == "no rule matches\n");
}

TEST_CASE("digest: many different reasons are limited, and none is lost") {
  auto status = hundred_rules();
  for (std::size_t i = 0; i < 100; ++i) {
    status.rules[i].state = RuleState::waiting;
    status.rules[i].reason = {"interface eth" + std::to_string(i) + " does not exist"};
  }
  const auto digest = digest_of(status);
  CHECK(digest.groups.size() == 31);
  std::uint64_t sum = 0;
  for (const auto& group : digest.groups)
    sum += group.rules;
  CHECK(sum == 100);
  CHECK(digest.groups.back().note == "other reasons");
}

TEST_CASE("digest: memberships that are not joined are counted, folded") {
  auto status = hundred_rules();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    auto failed = mcr::joined("239.9.0.0");
    failed.group.group = failed.group.group.plus(i);
    failed.state = mcr::MembershipState::failed;
    status.memberships.push_back(failed);
  }
  const auto page = render_status(status, 80);
  const auto answer = json::parse(answer_request(status, write_request({{}, true})));
  CHECK(answer["membership"]["groups"].size() == most_listed_memberships);
  CHECK(render_status(from_json(answer).value(), 80) == page);
  CHECK(flat(page).find("1,000 memberships not joined") != std::string::npos);
}
