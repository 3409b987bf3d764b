#include "mcr/rules/stream_inspection.hpp"

#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "mcr/config/rule.hpp"

namespace {

using namespace mcr;

Rule rule() {
  Rule rule;
  rule.name = "a";
  rule.inspect = Inspection{Inspection::Kind::rtp};
  rule.inputs.resize(2);
  rule.inputs[0].interface = "e0";
  rule.inputs[1].interface = "e1";
  return rule;
}

}  // namespace

TEST_CASE("an input keeps its inspection for as long as something holds it") {
  StreamInspections inspections;
  inspections.set_workers(3);
  auto rule = ::rule();
  const auto first = inspections.get(rule, rule.inputs[0]);
  REQUIRE(first);
  CHECK(first->workers() == 3);
  CHECK(inspections.get(rule, rule.inputs[0]) == first);
  CHECK(inspections.find(rule, rule.inputs[0]) == first);
  CHECK(inspections.get(rule, rule.inputs[1]) != first);

  SECTION("another wish is another inspection") {
    rule.inspect->kind = Inspection::Kind::ts;
    CHECK(inspections.get(rule, rule.inputs[0]) != first);
  }
  SECTION("no wish is none") {
    rule.inspect.reset();
    CHECK_FALSE(inspections.get(rule, rule.inputs[0]));
  }
}

TEST_CASE("what nothing holds is forgotten") {
  StreamInspections inspections;
  const auto rule = ::rule();
  static_cast<void>(inspections.get(rule, rule.inputs[0]));
  CHECK_FALSE(inspections.find(rule, rule.inputs[0]));
}

TEST_CASE("inspections one after the other begin on cache lines of their own") {
  StreamInspections inspections;
  auto rule = ::rule();
  std::set<std::uintptr_t> places;
  std::vector<std::shared_ptr<const StreamInspection>> held;
  for (int i = 0; i < 64; ++i) {
    rule.name = std::to_string(i);
    held.push_back(inspections.get(rule, rule.inputs[0]));
    const auto place = reinterpret_cast<std::uintptr_t>(&held.back()->inspector(0));
    CHECK(place % 64 == 0);
    places.insert(place % 4096);
  }
  CHECK(places.size() == 64);
}

TEST_CASE("the wish becomes the format that workers look for") {
  auto rule = ::rule();
  rule.inspect = Inspection{Inspection::Kind::sequence, {0, 2, false, 0, 0}};
  StreamInspections inspections;
  const auto inspection = inspections.get(rule, rule.inputs[0]);
  for (const unsigned number : {1U, 2U, 4U}) {
    const std::array payload{std::byte{0}, static_cast<std::byte>(number)};
    inspection->inspectors().inspect(0, {{IpAddress::v4(0x0A000001U), 5}, payload, 2, 1, 1000});
  }
  const auto& source = inspection->inspector(0).sources()[0];
  CHECK(source.received.get() == 3);
  CHECK(source.sequence.lost() == 1);
}
