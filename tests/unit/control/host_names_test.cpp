#include "mcr/control/host_names.hpp"

#include <thread>

#include "catch.hpp"
#include "mcr/config/limits.hpp"
#include "rule_builder.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::microseconds every = 30s;

using Names = std::vector<std::string>;

std::vector<Rule> rules_to(const Names& hosts) {
  std::vector<Rule> rules;
  for (const auto& host : hosts) {
    rules.push_back(rule("to " + host, ip("239.1.1.1"), 5000));
    rules.back().outputs[0].host.name = host;
  }
  return rules;
}

NameLookup::Answer found(std::string name, std::vector<IpAddress> addresses) {
  return {std::move(name), std::move(addresses), "", true};
}
NameLookup::Answer not_known(std::string name) {
  return {std::move(name), {}, "Name or service not known", true};
}
NameLookup::Answer no_answer(std::string name) {
  return {std::move(name), {}, "Temporary failure in name resolution", false};
}

struct Times {
  HostNames names;
  HostNames::Clock::time_point now{};

  Names due_after(std::chrono::seconds time) {
    now += time;
    return names.due(now);
  }
};

}  // namespace

TEST_CASE("a host is looked up at once, then again and again, and never twice at a time") {
  Times times;
  times.names.want(rules_to({"b", "a", "b"}), times.now);
  CHECK(times.due_after(0s) == Names{"a", "b"});
  CHECK(times.due_after(3600s).empty());
  CHECK(times.names.take(found("a", {ip("10.0.0.1")}), every, times.now));
  CHECK(times.due_after(29s).empty());
  CHECK(times.due_after(1s) == Names{"a"});
  times.names.want(rules_to({"a", "b", "c"}), times.now);
  CHECK(times.due_after(0s) == Names{"c"});
}

TEST_CASE("a host without addresses is looked up sooner") {
  Times times;
  times.names.want(rules_to({"a"}), times.now);
  CHECK(times.due_after(0s) == Names{"a"});
  CHECK(times.names.take(not_known("a"), every, times.now));
  CHECK(times.due_after(4s).empty());
  CHECK(times.due_after(1s) == Names{"a"});
  CHECK_FALSE(times.names.take(not_known("a"), 1s, times.now));
  CHECK(times.due_after(1s) == Names{"a"});
}

TEST_CASE("addresses are kept in order, each once, and not too many") {
  Times times;
  times.names.want(rules_to({"a"}), times.now);
  CHECK(times.names.take(
      found("a", {ip("2001:db8::1"), ip("10.0.0.2"), ip("10.0.0.1"), ip("10.0.0.2")}), every,
      times.now));
  const auto& host = times.names.book().at("a");
  CHECK(host.addresses == std::vector{ip("10.0.0.1"), ip("10.0.0.2"), ip("2001:db8::1")});
  CHECK_FALSE(times.names.take(found("a", {ip("10.0.0.2"), ip("2001:db8::1"), ip("10.0.0.1")}),
                               every, times.now));
  std::vector<IpAddress> many;
  for (std::uint32_t i = 0; i < 1000; ++i)
    many.push_back(IpAddress::v4(0x0A'00'00'00U + i));
  CHECK(times.names.take(found("a", many), every, times.now));
  CHECK(host.addresses.size() == limits::addresses_per_host);
}

TEST_CASE("a resolver that cannot tell takes no address away, one that knows does") {
  Times times;
  times.names.want(rules_to({"a", "b"}), times.now);
  CHECK(times.names.take(found("a", {ip("10.0.0.1")}), every, times.now));
  CHECK_FALSE(times.names.take(no_answer("a"), every, times.now));
  CHECK(times.names.book().at("a") == HostAddresses{{ip("10.0.0.1")}, ""});
  CHECK(times.names.take(not_known("a"), every, times.now));
  CHECK(times.names.book().at("a") == HostAddresses{{}, "Name or service not known"});
  CHECK(times.names.take(no_answer("b"), every, times.now));
  CHECK(times.names.book().at("b").trouble == "Temporary failure in name resolution");
}

TEST_CASE("hosts that no enabled rule has are forgotten, late answers with them") {
  Times times;
  auto rules = rules_to({"a", "b"});
  times.names.want(rules, times.now);
  CHECK(times.due_after(0s) == Names{"a", "b"});
  CHECK(times.names.take(found("a", {ip("10.0.0.1")}), every, times.now));
  rules[1].enabled = false;
  times.names.keep(rules);
  CHECK_FALSE(times.names.take(found("b", {ip("10.0.0.1")}), every, times.now));
  CHECK(times.names.book().size() == 1);
  CHECK(times.names.book().at("a").addresses.size() == 1);
}

TEST_CASE("names are looked up by threads of their own, as this host does") {
  NameLookup lookup;
  // A bare root has no /etc/hosts, and knows no "localhost".
  const Names names{"127.0.0.1", "no.such.host.invalid."};
  for (const auto& name : names)
    lookup.ask(name);
  std::vector<NameLookup::Answer> answers;
  for (int i = 0; i < 3000 && answers.size() < names.size(); ++i) {
    for (auto& answer : lookup.take())
      answers.push_back(std::move(answer));
    std::this_thread::sleep_for(10ms);
  }
  REQUIRE(answers.size() == 2);
  for (const auto& answer : answers) {
    CHECK(answer.addresses.empty() == !answer.trouble.empty());
    if (answer.name != names[0]) continue;
    REQUIRE(!answer.addresses.empty());
    CHECK(answer.addresses.front().is_loopback());
  }
}
