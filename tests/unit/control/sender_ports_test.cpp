#include "mcr/control/sender_ports.hpp"

#include "catch.hpp"
#include "rule_builder.hpp"

using mcr::SenderPorts;
using mcr::TxKey;
using Answer = SenderPorts::Answer;

namespace {

constexpr SenderPorts::Clock::time_point start{};
constexpr std::chrono::seconds second{1};

TxKey sender(std::uint16_t port, unsigned interface_index = 3) {
  return {.interface_index = interface_index, .source_port = port, .any_source = true};
}

}  // namespace

TEST_CASE("a sender's port is kept while it is used, and forgotten when it is silent") {
  SenderPorts ports;
  CHECK(ports.add(sender(5000), start) == Answer::added);
  CHECK(ports.add(sender(5000), start) == Answer::known);
  CHECK(ports.add(sender(5001), start) == Answer::added);
  CHECK(ports.keys() == std::vector{sender(5000), sender(5001)});
  CHECK_FALSE(ports.forget(start + SenderPorts::patience - second));
  ports.used(sender(5000), start + SenderPorts::patience - second);
  CHECK(ports.forget(start + SenderPorts::patience));
  CHECK(ports.keys() == std::vector{sender(5000)});
  CHECK(ports.forget(start + 2 * SenderPorts::patience));
  CHECK(ports.keys().empty());
}

TEST_CASE("a port that cannot be had is not asked for again soon") {
  SenderPorts ports;
  CHECK(ports.add(sender(5000), start) == Answer::added);
  ports.refuse(sender(5000), start);
  CHECK(ports.keys().empty());
  ports.used(sender(5000), start + second);
  CHECK(ports.add(sender(5000), start + second) == Answer::known);
  CHECK_FALSE(ports.forget(start + SenderPorts::patience));
  CHECK(ports.add(sender(5000), start + SenderPorts::patience) == Answer::added);
}

TEST_CASE("senders' ports are bounded, of one kind of egress and in all") {
  SenderPorts ports;
  for (std::uint16_t n = 1; n <= SenderPorts::most_of_kind; ++n)
    REQUIRE(ports.add(sender(n), start) == Answer::added);
  CHECK(ports.add(sender(9000), start) == Answer::full);
  CHECK(ports.add(sender(1), start) == Answer::known);
  auto count = SenderPorts::most_of_kind;
  for (unsigned interface_index = 4; count < SenderPorts::most; ++interface_index)
    for (std::uint16_t n = 1; n <= 100 && count < SenderPorts::most; ++n, ++count)
      REQUIRE(ports.add(sender(n, interface_index), start) == Answer::added);
  CHECK(ports.add(sender(9000, 99), start) == Answer::full);
  CHECK(ports.keys().size() == SenderPorts::most);
}

TEST_CASE("senders leave their ports to the inputs that need them") {
  std::vector<mcr::Rule> rules = {mcr::rule("a", mcr::ip("10.7.0.1"), 5000)};
  rules[0].inputs[0].ports = 2;
  SenderPorts ports;
  for (std::uint16_t port = 4999; port < 5003; ++port)
    ports.add(sender(port), start);
  ports.leave_to_inputs(rules, start);
  CHECK(ports.keys() == std::vector{sender(4999), sender(5002)});
  rules = {mcr::rule("a", mcr::ip("239.1.1.1"), 5002)};
  ports.leave_to_inputs(rules, start);
  CHECK(ports.keys() == std::vector{sender(4999), sender(5002)});
}
