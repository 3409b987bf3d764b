// Doctor's word on workers that share a CPU with the kernel's part of receiving.
#include <fmt/format.h>

#include <algorithm>

#include "catch.hpp"
#include "mcr/config/config.hpp"
#include "mcr/status/doctor.hpp"
#include "rule_builder.hpp"

using namespace mcr;

namespace {

const std::string irq = "/proc/irq/38/smp_affinity_list";
const std::string rps = "/sys/class/net/in/queues/rx-0/rps_cpus";

struct Case {
  std::vector<unsigned> cpus;  ///< [daemon] cpus; empty: none
  std::optional<unsigned> workers;
  std::vector<ReceiveWork> work;  ///< of `in`
  std::string text;               ///< what it begins with; "": it is silent
  std::string remedy;
  Severity severity = Severity::warning;
};

Interface ethernet(std::string name, unsigned index) {
  auto interface = up(std::move(name), index, {source});
  interface.link_address = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(index)};
  return interface;
}

Config config_of(const Case& one) {
  Config config;
  config.daemon.cpus = one.cpus;
  config.daemon.workers = one.workers;
  config.rules = {rule("r", ip("239.1.1.1"), 5000)};
  return config;
}

std::vector<Finding> findings_of(const Config& config, const Case& one) {
  HostFacts host;
  host.interfaces = Interfaces({ethernet("in", 2), ethernet("out", 3)});
  host.allowed_cpus = {0, 1, 2, 3};
  host.details["in"].receive_work = one.work;
  host.details["out"].receive_work = {{"/proc/irq/90/smp_affinity_list", {0, 1, 2, 3}}};
  auto all = diagnose(config, host);
  std::erase_if(all, [](const Finding& each) {
    return each.text.find("the kernel receives its frames") == std::string::npos;
  });
  return all;
}

}  // namespace

TEST_CASE("doctor: a worker shall not share the CPU that receives for its input") {
  const std::vector<Case> cases{
      // It does: by the user's word, by default, by steering.
      {{1},
       {},
       {{irq, {1}}},
       "the kernel receives its frames on CPU 1,",
       "cpus = [0] in [daemon]; or another CPU in " + irq},
      {{},
       2,
       {{irq, {1}}},
       "the kernel receives its frames on CPU 1,",
       "cpus = [0, 2] in [daemon]; or another CPU in " + irq},
      {{2, 3},
       {},
       {{irq, {0}}, {rps, {2, 3}}},
       "the kernel receives its frames on CPUs 2, 3,",
       "workers = 1, cpus = [1] in [daemon]; or another CPU in " + rps,
       Severity::note},
      // By default there is a worker on each CPU.
      {{},
       {},
       {{irq, {1}}},
       "the kernel receives its frames on CPU 1,",
       "workers = 3, cpus = [0, 2, 3] in [daemon]; or another CPU in " + irq,
       Severity::note},
      // It does not, or nobody knows, or there is no better place.
      {{0}, {}, {{irq, {1}}}, "", ""},
      {{1}, {}, {}, "", ""},
      {{}, {}, {{irq, {0}}, {irq, {1}}, {irq, {2}}, {irq, {3}}}, "", ""},
      {{}, 6, {{irq, {1}}}, "", ""},
  };
  for (const auto& one : cases) {
    const auto findings = findings_of(config_of(one), one);
    INFO(fmt::format("{} {}", one.text, one.remedy));
    REQUIRE(findings.size() == (one.text.empty() ? 0 : 1));
    if (findings.empty()) continue;
    CHECK(findings[0].subject == "interface in");
    CHECK(findings[0].text.starts_with(one.text));
    CHECK(findings[0].remedy == one.remedy);
    CHECK(findings[0].severity == one.severity);
  }
}

TEST_CASE("doctor: only what comes to a worker is judged by its place") {
  const Case one{{1}, {}, {{irq, {1}}}, "", ""};
  auto config = config_of(one);
  CHECK(findings_of(config, one).size() == 1);
  SECTION("not this host's own frames") {
    config.rules[0].inputs[0].local = true;
  }
  SECTION("not a disabled rule's") {
    config.rules[0].enabled = false;
  }
  SECTION("not what goes the kernel's way") {
    config.daemon.fast_path = FastPathMode::automatic;
  }
  CHECK(findings_of(config, one).empty());
}
