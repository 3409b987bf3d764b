#include "mcr/status/json.hpp"

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "mcr/status/digest.hpp"
#include "status_builder.hpp"

using mcr::Status;
using mcr::status::from_json;
using mcr::status::to_json;
using mcr::status::to_text;
using Json = nlohmann::json;

namespace {

/// The answer of a daemon before a Status was a typed value: nine rules of all kinds, one of them
/// refused by the kernel, some traffic.
Json recorded() {
  std::ifstream file(MCR_TOP "/tests/unit/status/recorded.json");
  return Json::parse(file);
}

void erase_key(Json& value, const std::string& key) {
  if (value.is_object()) value.erase(key);
  for (auto& inner : value)
    if (inner.is_structured()) erase_key(inner, key);
}

}  // namespace

TEST_CASE("json: a document of before is the same today, but for new keys") {
  const auto before = recorded();
  REQUIRE(before["rules"].size() == 10);
  auto now = to_json(from_json(before).value());
  for (const auto* key : {"altnames",
                          "cpu_use",
                          "idle",
                          "last_cpu",
                          "capture_missed",
                          "carried",
                          "duplicate",
                          "errno",
                          "excluded",
                          "fast_path",
                          "filtered",
                          "gro_reason",
                          "gro_wait_ns",
                          "late",
                          "receive_ring",
                          "latency",
                          "link_rx_dropped",
                          "loop",
                          "memory_locked",
                          "metrics",
                          "path",
                          "path_reason",
                          "reflectors",
                          "rules_elsewhere",
                          "segmentation",
                          "shard",
                          "standby",
                          "unreachable"})
    erase_key(now, key);
  for (auto& rule : now["rules"]) {
    erase_key(rule["outputs"], "error");
    for (const auto* key :
         {"max_loss_percent", "max_cc_errors", "min_bps", "max_bps", "pids", "within_s"})
      erase_key(rule["expect"], key);
  }
  CHECK(now.dump(2) == before.dump(2));
}

TEST_CASE("json: a Status that was written is read as it was") {
  auto status = mcr::healthy();
  auto& rule = status.rules[0];
  rule.reason = {"join 239.1.1.1 on eth0: No buffer space available", ENOBUFS};
  rule.reflector = "all";
  status.reflectors = {{"all",
                        "mdns",
                        "why",
                        mcr::RuleState::looping,
                        {"it comes back", 0},
                        {"eth0", "eth1"},
                        {{"eth0", "eth1", 7}, {"eth1", "eth0", 0}},
                        1,
                        2,
                        3,
                        {{"eth0", "_ipp._tcp", "Printer", "10.0.0.5", 3, 117}},
                        4}};
  status.process.metrics_refusal = {"listen for metrics at 127.0.0.1:9464: in use", EADDRINUSE};
  status.interfaces[0].alt_names = {"enp1s0", "uplink"};
  status.rules[1].outputs[0].config.segmentation = false;
  rule.expect = mcr::Expectation{.min_pps = 100,
                                 .silent_after = std::chrono::milliseconds(1500),
                                 .max_loss_ppm = 1,
                                 .max_cc_errors = 0,
                                 .min_bps = 1000,
                                 .max_bps = 2000,
                                 .pids = {0, 8190},
                                 .within = std::chrono::milliseconds(2500)};
  rule.latency.emplace();
  rule.latency->counts = {1, 2, 3};
  rule.latency->counts.back() = 4;
  rule.latency->sum_ns = 123'456'789;
  mcr::drops_of(rule.drops, "fragment") = 3;
  rule.drops.others = {{"of_the_future", 2}};
  auto& output = rule.outputs[0];
  output.state = mcr::status::OutputState::waiting;
  output.reason = {"open packet socket on eth1: Too many open files", EMFILE};
  output.config.ttl = {mcr::Ttl::Mode::decrement};
  output.carrier = mcr::status::Carrier{"10.2.0.3:5353", 1.5};
  status.rules[1].outputs[0].carrier = mcr::status::Carrier{"", 2};
  output.config.source = {mcr::Source::Mode::preserve};
  status.memberships[0].state = mcr::MembershipState::failed;
  status.memberships[0].error = {"No buffer space available", ENOBUFS};
  status.memberships[1].group.source = mcr::ip("10.0.0.5");
  status.memberships[0].group.excluded = {mcr::ip("10.0.0.6"), mcr::ip("10.0.0.7")};
  status.rules[1].inputs[0].excluded = {mcr::Prefix(mcr::ip("10.0.0.0"), 30)};
  status.rules[1].outputs[0].error = {"Operation not permitted: netfilter", EPERM};
  CHECK(from_json(to_json(status)) == status);
}

TEST_CASE("json: the text is that of the document, whatever it has") {
  auto status = mcr::healthy();
  SECTION("as it is") {}
  SECTION("without rules") {
    status.rules.clear();
  }
  SECTION("with a digest, in which \"rules\" is a number") {
    status.digest = mcr::status::digest_of(status);
  }
  SECTION("nothing at all") {
    status = {};
  }
  SECTION("with what is no UTF-8, and quotes") {
    status.rules[0].comment = "\xff \"rules\":null";
    status.process.config = "\xc3";
  }
  constexpr auto replace = Json::error_handler_t::replace;
  CHECK(to_text(status) == to_json(status).dump(-1, ' ', false, replace));
}

TEST_CASE("json: what the kernel refused has its errno beside the text") {
  auto status = mcr::healthy();
  status.rules[0].reason = {"join 239.1.1.1 on eth0: No buffer space available", ENOBUFS};
  status.rules[1].outputs[0].reason = {"interface eth1 is down"};
  status.memberships[0].error = {"No such device", ENODEV};
  const auto document = to_json(status);
  CHECK(document["rules"][0]["errno"] == "ENOBUFS");
  CHECK(document["rules"][1]["errno"].is_null());
  CHECK(document["rules"][1]["outputs"][0]["errno"].is_null());
  CHECK(document["membership"]["groups"][0]["error"] == "No such device");
  CHECK(document["membership"]["groups"][0]["errno"] == "ENODEV");
  CHECK(document["membership"]["groups"][1]["errno"].is_null());
}

TEST_CASE("json: what another daemon leaves out or says otherwise is unknown") {
  for (const auto& odd : {Json(), Json(5), Json("x"), Json::array(), Json::object()})
    CHECK_FALSE(from_json(odd));
  auto document = to_json(mcr::healthy());
  auto& rule = document["rules"][0];
  rule["state"] = "of_the_future";
  rule["rx_datagrams"] = "many";
  rule.erase("rx_bytes");
  rule["rate_pps"] = -5;
  rule["inputs"][0]["group"] = "nonsense";
  rule["outputs"][0]["source_port"] = 70000;
  rule["outputs"][0].erase("drops");
  document["interfaces"][0]["mtu"] = nullptr;
  document["interfaces"][0]["gro"] = 7;
  document.erase("totals");
  document["of_the_future"] = 1;
  const auto status = from_json(document).value();
  CHECK_FALSE(status.rules[0].state);
  CHECK_FALSE(status.rules[0].rx_datagrams);
  CHECK_FALSE(status.rules[0].rx_bytes);
  CHECK(status.rules[0].rate_pps == 0.0);
  CHECK_FALSE(status.rules[0].inputs[0].destination);
  CHECK(status.rules[0].outputs[0].config.source_port == 0);
  CHECK(status.rules[0].outputs[0].drops == mcr::status::SentDrops());
  CHECK_FALSE(status.interfaces[0].mtu);
  CHECK_FALSE(status.interfaces[0].gro);
  CHECK_FALSE(status.totals);
  CHECK(status.rules[1] == mcr::healthy().rules[1]);
}

TEST_CASE("json: blocks of groups and ranges of ports") {
  auto document = to_json(mcr::healthy());
  const auto read = [&](const Json& group, const Json& port) {
    auto& input = document["rules"][0]["inputs"][0];
    input["group"] = group;
    input["port"] = port;
    return from_json(document)->rules[0].inputs[0].destinations().str();
  };
  const auto unknown = mcr::Input().destinations().str();
  CHECK(read("239.1.0.0/24", "5000-5010") == "239.1.0.0/24:5000-5010");
  CHECK(read("ff15::/120", 5000) == "[ff15::/120]:5000");
  CHECK(read("239.1.1.1", "5000-5000") == "239.1.1.1:5000");
  for (const auto& odd :
       {Json("5000-"), Json("-5000"), Json("9-5"), Json(70000), Json("1-2-3"), Json(), Json("x")})
    CHECK(read("239.1.1.1", odd) == unknown);
  CHECK(read("ff15::/1", 5000) == "-:5000");  // as of a host without an address
}
