#include "mcr/control/heard_services.hpp"

#include <string>

#include "catch.hpp"
#include "packet/dns_builder.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

const auto lamp = *IpAddress::parse("10.0.0.5");

/// A listener, and a clock.
struct Ear {
  HeardServices services;
  HeardServices::Time now{1h};

  void hear(const std::string& instance, std::uint32_t ttl = 120,
            const std::string& interface = "lan") {
    auto text =
        DnsBuilder(true).pointer_answer("_x._tcp.local", instance + "._x._tcp.local").text();
    // Behind the header, the owner, type and class.
    const auto at = 12 + DnsBuilder::name_of("_x._tcp.local").size() + 4;
    for (unsigned n = 0; n < 4; ++n)
      text[at + n] = static_cast<char>(ttl >> (24U - 8U * n) & 0xFFU);
    services.hear("r", interface, lamp, std::as_bytes(std::span(text)), now);
  }
  [[nodiscard]] std::string names() const {
    std::string names;
    for (const auto& each : services.of("r", now))
      names += each.interface + ':' + each.instance + ' ';
    return names;
  }
};

}  // namespace

TEST_CASE("heard services: by interface and name, with their sender and times") {
  Ear ear;
  ear.hear("b");
  ear.hear("a");
  ear.hear("a", 120, "iot");
  ear.now += 20s;
  CHECK(ear.names() == "iot:a lan:a lan:b ");
  const auto first = ear.services.of("r", ear.now).front();
  CHECK(first.type == "_x._tcp");
  CHECK(first.from == lamp);
  CHECK(first.age == 20s);
  CHECK(first.lives == 100s);
  CHECK(ear.services.of("other", ear.now).empty());
}

TEST_CASE("heard services: a goodbye and the end of its time end one") {
  Ear ear;
  ear.hear("a");
  ear.hear("b", 4'000'000'000U);
  ear.hear("c", 30);
  ear.hear("a", 0);
  CHECK(ear.names() == "lan:b lan:c ");
  ear.now += 30s;
  CHECK(ear.names() == "lan:b ");
  ear.now += HeardServices::longest;
  ear.services.tick(ear.now);
  CHECK(ear.names().empty());
}

TEST_CASE("heard services: bounded, the oldest goes, and it is told") {
  Ear ear;
  for (std::size_t n = 0; n < HeardServices::most + 10; ++n) {
    ear.now += 1ms;
    ear.hear("name " + std::to_string(n));
  }
  CHECK(ear.services.of("r", ear.now).size() == HeardServices::most);
  CHECK(ear.names().find(":name 9 ") == std::string::npos);
  CHECK(ear.names().find(":name 10 ") != std::string::npos);
  CHECK(ear.services.forgotten("r") == 10);
}

TEST_CASE("heard services: what strangers write is printable") {
  Ear ear;
  ear.hear("\x1b[31m\xff");
  CHECK(ear.names() == "lan:\\x1b[31m\\xff ");
}
