#include "mcr/control/send_refusals.hpp"

#include <cerrno>

#include "catch.hpp"
#include "mcr/base/mapping.hpp"
#include "rule_builder.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

const SendRefusals::Clock::time_point start = SendRefusals::Clock::time_point{} + 1h;

/// One worker and one output.
struct Relayed {
  Mapping<CounterBlock> counters{1};
  SlotAllocator<OutputKey> outputs{slots::outputs};
  SendRefusals refusals;
  std::uint32_t slot = *outputs.add({"studio a", "eth1", {ip("10.2.0.9"), 6000}});

  void refuse(std::uint64_t code, std::uint64_t datagrams) {
    auto& output = counters->outputs[slot];
    output.last_refusal.set(code);
    output.refused.add(datagrams);
    counters->worker.refused.add(datagrams);
  }
  std::vector<std::string> report(std::chrono::seconds after) {
    const std::array<const CounterBlock*, 1> workers{&*counters};
    return refusals.report(outputs, workers, start + after);
  }
};

}  // namespace

TEST_CASE("a refusal is told once a minute, with its reason, actor and remedy") {
  Relayed relayed;
  CHECK(relayed.report(0s).empty());
  relayed.refuse(EPERM, 5);
  const auto lines = relayed.report(1s);
  REQUIRE(lines.size() == 1);
  for (const auto* part :
       {"sends refused: rule=\"studio a\" interface=eth1 destination=10.2.0.9:6000 datagrams=5 "
        "by=netfilter error=\"Operation not permitted: ",
        "do=\"let UDP to 10.2.0.9 pass"})
    CHECK(lines[0].find(part) != std::string::npos);
  relayed.refuse(EPERM, 7);
  CHECK(relayed.report(30s).empty());
  relayed.refuse(EPERM, 1);
  REQUIRE(relayed.report(61s).size() == 1);
  CHECK(relayed.report(200s).empty());
}

TEST_CASE("a refusal for another reason is told at once") {
  Relayed relayed;
  relayed.refuse(EPERM, 5);
  CHECK(relayed.report(1s).size() == 1);
  relayed.refuse(ECONNREFUSED, 2);
  const auto lines = relayed.report(2s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("datagrams=2 by=receiver") != std::string::npos);
}
