#include "mcr/rules/rule_state.hpp"

#include <cerrno>

#include "catch.hpp"
#include "rule_builder.hpp"

using namespace mcr;

TEST_CASE("a rule's status says what it waits for") {
  const auto one = rule("a", ip("239.1.1.1"), 5000);
  CHECK(rule_status(one, two_interfaces(), never_refused).state == RuleState::active);

  const auto no_input = rule_status(one, Interfaces({up("out", 3, {source})}), never_refused);
  CHECK(no_input.state == RuleState::waiting);
  CHECK(no_input.reason == "interface in does not exist");

  auto down = up("in", 2);
  down.up = false;
  CHECK(rule_status(one, Interfaces({down, up("out", 3, {source})}), never_refused).reason ==
        "interface in is down");

  const auto no_address = rule_status(one, Interfaces({up("in", 2), up("out", 3)}), never_refused);
  CHECK(no_address.state == RuleState::waiting);
  CHECK(no_address.reason == "no output can be used: interface out has no usable source address");

  const auto refuse = [](const Input&) { return Reason("join: no", ENOBUFS); };
  const auto refused = rule_status(one, two_interfaces(), refuse);
  CHECK(refused.state == RuleState::failed);
  CHECK(refused.reason == Reason("join: no", ENOBUFS));

  auto two_inputs = one;
  two_inputs.inputs.insert(two_inputs.inputs.begin(), one.inputs.front());
  two_inputs.inputs.front().interface = "gone";
  CHECK(rule_status(two_inputs, two_interfaces(), refuse).reason == Reason("join: no", ENOBUFS));
  const auto refuse_one = [](const Input& input) {
    return input.port == 5000 ? Reason() : Reason("join: no", ENOBUFS);
  };
  two_inputs.inputs.front() = one.inputs.front();
  two_inputs.inputs.front().port = 5001;
  CHECK(rule_status(two_inputs, two_interfaces(), refuse_one).reason ==
        Reason("in part: join: no", ENOBUFS));
}

TEST_CASE("a unicast input waits for its address") {
  auto one = rule("a", ip("10.7.0.1"), 5000);
  CHECK(rule_status(one, two_interfaces(), never_refused).state == RuleState::waiting);
  CHECK(rule_status(one, two_interfaces(), never_refused).reason ==
        "10.7.0.1 is no address of this host");
  const Interfaces elsewhere({up("in", 2), up("out", 3, {source, ip("10.7.0.1")})});
  CHECK(rule_status(one, elsewhere, never_refused).state == RuleState::active);
  one.inputs[0].local = true;
  CHECK(rule_status(one, two_interfaces(), never_refused).state == RuleState::active);
}

TEST_CASE("an input waits for a link that it can read") {
  const auto one = rule("a", ip("239.1.1.1"), 5000);
  auto odd = up("in", 2);
  odd.type = ARPHRD_IEEE80211_RADIOTAP;
  CHECK(rule_status(one, Interfaces({odd, up("out", 3, {source})}), never_refused).reason ==
        "interface in is of a type that cannot be an input (ARPHRD 803)");
  auto slave = up("in", 2);
  slave.master_kind = MasterKind::bond;
  CHECK(rule_status(one, Interfaces({slave, up("out", 3, {source})}), never_refused).reason ==
        "interface in is part of a bond: name the bond instead of in");
  slave.master = 4;
  CHECK(rule_status(one, Interfaces({slave, up("out", 3, {source}), up("bond0", 4)}), never_refused)
            .reason == "interface in is part of bond0: name bond0 instead of in");
  auto port = up("in", 2);
  port.master_kind = MasterKind::bridge;
  CHECK(rule_status(one, Interfaces({port, up("out", 3, {source})}), never_refused).state ==
        RuleState::active);
}

TEST_CASE("a part of a reflector that only listens has no output to wait for") {
  auto one = rule("a", ip("239.1.1.1"), 5000);
  one.reflector = "r";
  one.outputs.clear();
  CHECK(rule_status(one, two_interfaces(), never_refused).state == RuleState::active);
  CHECK(rule_status(one, Interfaces({up("out", 3, {source})}), never_refused).state ==
        RuleState::waiting);
}

TEST_CASE("an output waits for a source address that it cannot have") {
  auto one = rule("a", ip("239.1.1.1"), 5000);
  auto& sent_from = one.outputs[0].source;
  sent_from = {Source::Mode::address, ip("10.1.0.7")};
  CHECK(rule_status(one, two_interfaces(), never_refused).reason ==
        "no output can be used: source 10.1.0.7 is no address of this host");
  const Interfaces elsewhere({up("in", 2, {ip("10.1.0.7")}), up("out", 3)});
  CHECK(rule_status(one, elsewhere, never_refused).state == RuleState::active);

  sent_from = {Source::Mode::preserve, {}};
  const Interfaces without_addresses({up("in", 2), up("out", 3)});
  CHECK(rule_status(one, without_addresses, never_refused).state == RuleState::active);
}

TEST_CASE("an output is not its own input by another name of the interface") {
  auto one = rule("a", ip("239.1.1.1"), 5000);
  one.outputs[0].interface = "uplink";
  one.outputs[0].destination = ip("239.1.1.1");
  one.outputs[0].port = 5000;
  auto in = up("in", 2, {source});
  in.alt_names = {"uplink"};
  const Interfaces interfaces({in});
  CHECK(rule_status(one, interfaces, never_refused).reason ==
        "no output can be used: it is the rule's own input: in and uplink are one interface");
  one.outputs[0].port = 5001;
  CHECK(rule_status(one, interfaces, never_refused).state == RuleState::active);
  one.outputs[0].port = 5000;
  one.allow_loop = true;
  CHECK(rule_status(one, interfaces, never_refused).state == RuleState::active);
}

TEST_CASE("what the traffic says of a rule stands behind what keeps it from running") {
  const auto shown = [](RuleState state, const RuleFindings& findings) {
    RuleStatus status;
    status.state = state;
    if (state != RuleState::active) status.reason = {"why"};
    return with_findings(status, findings);
  };
  const RuleFindings both{"no datagram", "lossy", ""};
  for (const auto state : {RuleState::waiting, RuleState::failed, RuleState::disabled}) {
    CHECK(shown(state, both).state == state);
    CHECK(shown(state, both).reason == "why");
  }
  CHECK(shown(RuleState::active, both).state == RuleState::silent);
  CHECK(shown(RuleState::active, both).reason == "no datagram");
  CHECK(shown(RuleState::active, {"", "lossy", ""}).state == RuleState::degraded);
  CHECK(shown(RuleState::active, {"", "lossy", ""}).reason == "lossy");
  CHECK(shown(RuleState::active, {"no datagram", "lossy", "echoes"}).state == RuleState::silent);
  CHECK(shown(RuleState::active, {"", "lossy", "echoes"}).state == RuleState::looping);
  CHECK(shown(RuleState::active, {"", "lossy", "echoes"}).reason == "echoes");
  CHECK(shown(RuleState::active, {}).state == RuleState::active);
  RuleStatus in_part;
  in_part.reason = {"in part: x"};
  CHECK(with_findings(in_part, {"", "lossy", ""}).reason == "lossy; in part: x");
}
