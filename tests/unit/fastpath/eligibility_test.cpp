#include "mcr/fastpath/eligibility.hpp"

#include <net/if_arp.h>

#include <functional>

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;
using fastpath::why_in_part;
using fastpath::why_worker;

namespace {

Interface ethernet(std::string name, unsigned index) {
  auto interface = up(std::move(name), index, {source, ip("2001:db8::1")});
  interface.link_address = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(index)};
  return interface;
}

Rule plain() {
  return rule("plain", ip("239.1.1.1"), 5000);
}

}  // namespace

TEST_CASE("the kernel takes what needs nothing but new headers") {
  const std::vector<std::pair<std::function<void(Rule&)>, std::string>> cases{
      {[](Rule&) {}, ""},
      {[](Rule& r) { r.inputs[0].sources = {*Prefix::parse("10.0.0.0/8")}; }, ""},
      {[](Rule& r) { r.inputs[0].destination = source; }, ""},
      {[](Rule& r) { r.outputs[0].ttl = {Ttl::Mode::preserve}; }, ""},
      {[](Rule& r) { r.outputs[0].ttl = {Ttl::Mode::decrement}; }, ""},
      {[](Rule& r) {
         r.outputs[0].dscp = {true, 0};
       },
       ""},
      {[](Rule& r) { r.outputs[0].source.mode = Source::Mode::preserve; }, ""},
      {[](Rule& r) { r.outputs[0].source_port = 7000; }, ""},
      {[](Rule& r) { r.outputs[0].interface = "gone"; }, ""},
      {[](Rule& r) { r.allow_loop = true; }, ""},
      {[](Rule& r) { r.expect.emplace(); }, ""},
      {[](Rule& r) {
         r.inputs[0].destination = ip("ff15::1");
         r.outputs[0].destination = ip("ff15::2");
       },
       ""},
      {[](Rule& r) { r.inputs[0].local = true; }, "an input takes what this host sends"},
      {[](Rule& r) { r.inputs[0].vlan = 7; }, "an input takes frames with a VLAN tag"},
      {[](Rule& r) { r.inputs[0].interface = "tun"; }, "interface tun is no Ethernet"},
      {[](Rule& r) { r.inputs[0].interface = "port"; }, "interface port is a port of a bridge"},
      {[](Rule& r) { r.inputs[0].interface = "gone"; }, "interface gone does not exist"},
      {[](Rule& r) { r.outputs[0].interface = "tun"; }, "interface tun is no Ethernet"},
      {[](Rule& r) { r.outputs[0].interface = "slow"; },
       "interface slow has a queueing discipline that delays or drops"},
      {[](Rule& r) { r.outputs[0].destination = ip("10.9.9.9"); },
       "output 10.9.9.9:6000 is unicast"},
      {[](Rule& r) { r.outputs[0].destination = ip("ff15::2"); },
       "output [ff15::2]:6000 is of another IP family"},
      {[](Rule& r) { r.outputs[0].limit.pps = 10; }, "output 239.9.9.9:6000 has a rate limit"},
      {[](Rule& r) { r.outputs[0].loopback = true; }, "output 239.9.9.9:6000 has loopback"},
      {[](Rule& r) { r.outputs[0].segmentation = false; },
       "output 239.9.9.9:6000 has segmentation off"},
      {[](Rule& r) { r.outputs[0].ttl = {}; }, "output 239.9.9.9:6000 has the system's TTL"},
      {[](Rule& r) { r.inspect.emplace(); }, "its streams are inspected"},
      {[](Rule& r) { r.capture_before = 4096; }, "what came for it is kept for captures"},
  };
  auto tun = up("tun", 5);
  tun.type = ARPHRD_NONE;
  auto slow = ethernet("slow", 6);
  slow.shaped = true;
  auto port = ethernet("port", 7);
  port.master_kind = MasterKind::bridge;
  const Interfaces host({ethernet("in", 2), ethernet("out", 3), tun, slow, port});
  for (const auto& [change, why] : cases) {
    auto one = plain();
    change(one);
    CHECK(why_worker(one, host) == why);
  }
}

TEST_CASE("one output that only the worker has takes the whole rule along, one input does not") {
  const Interfaces host({ethernet("in", 2), ethernet("out", 3)});
  auto one = plain();
  one.outputs.push_back(one.outputs[0]);
  one.outputs[1].loopback = true;
  CHECK(why_worker(one, host) == "output 239.9.9.9:6000 has loopback");

  auto other = plain();
  other.inputs.push_back(other.inputs[0]);
  CHECK(why_in_part(other, host).empty());
  other.inputs[1].vlan = 7;
  CHECK(why_worker(other, host).empty());
  CHECK(why_in_part(other, host) == "an input takes frames with a VLAN tag");
}
