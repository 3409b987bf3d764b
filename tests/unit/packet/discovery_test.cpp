#include "mcr/packet/discovery.hpp"

#include <string_view>

#include "catch.hpp"
#include "packet/dns_builder.hpp"

using namespace mcr;

TEST_CASE("discovery: a way without questions lets answers pass") {
  const MdnsFilter filter{false, {}};
  CHECK_FALSE(passes(filter, DnsBuilder().question("_ipp._tcp.local").bytes()));
  CHECK(passes(filter, DnsBuilder(true).pointer_answer("_ipp._tcp.local", "a.local").bytes()));
  CHECK_FALSE(passes(filter, std::as_bytes(std::span("garbage", 7))));
}

TEST_CASE("discovery: only messages about the services pass, and those that name none") {
  const MdnsFilter filter{true, {"_ipp._tcp", "_Http._tcp"}};
  const auto asks = [&](std::string_view name) {
    return passes(filter, DnsBuilder().question(name).bytes());
  };
  CHECK(asks("_ipp._tcp.local"));
  CHECK(asks("_http._TCP.local"));
  CHECK(asks("printer._ipp._tcp.local"));
  CHECK(asks("_color._sub._ipp._tcp.local"));
  CHECK(asks("host.local"));
  CHECK(asks("_services._dns-sd._udp.local"));
  CHECK_FALSE(asks("_ssh._tcp.local"));
  CHECK_FALSE(asks("x_ipp._tcp.local"));
  CHECK_FALSE(asks("_ipp._tcp._ssh._tcp.local"));
  CHECK_FALSE(asks("_ipp._udp.local"));
  CHECK(passes(
      filter,
      DnsBuilder(true).pointer_answer("_services._dns-sd._udp.local", "_ipp._tcp.local").bytes()));
  CHECK_FALSE(passes(
      filter,
      DnsBuilder(true).pointer_answer("_services._dns-sd._udp.local", "_ssh._tcp.local").bytes()));
  CHECK_FALSE(passes(filter, std::as_bytes(std::span("short", 5))));
  auto cut = DnsBuilder().question("host.local").text();
  cut.resize(cut.size() - 3);
  CHECK_FALSE(passes(filter, std::as_bytes(std::span(cut))));
}

TEST_CASE("discovery: answers, and how long they may take") {
  const auto seconds = [](std::string_view headers) {
    const auto text = "M-SEARCH * HTTP/1.1\r\n" + std::string(headers) + "\r\n";
    return answer_time(ReflectorKind::ssdp, std::as_bytes(std::span(text))).count();
  };
  CHECK(seconds("MX: 2\r\n") == 4);
  CHECK(seconds("HOST: x\r\nmx:1") == 3);
  CHECK(seconds("") == 5);
  CHECK(seconds("MX: 0\r\n") == 3);
  CHECK(seconds("MX: 99\r\n") == 7);
  CHECK(seconds("MX: 99999999999999\r\n") == 5);
  CHECK(seconds("MX:\r\n") == 5);
  CHECK(seconds("MX") == 5);
  const auto answers = [](ReflectorKind kind, std::string_view text) {
    return is_answer(kind, std::as_bytes(std::span(text)));
  };
  CHECK(answers(ReflectorKind::ssdp, "HTTP/1.1 200 OK\r\n"));
  CHECK_FALSE(answers(ReflectorKind::ssdp, "NOTIFY * HTTP/1.1\r\n"));
  CHECK(answers(ReflectorKind::ws_discovery, "<a>.../ProbeMatches</a>"));
  CHECK_FALSE(answers(ReflectorKind::ws_discovery, "<a>.../Probe</a>"));
}

TEST_CASE("discovery: searches") {
  const auto search = [](ReflectorKind kind, std::string_view text) {
    return is_search(kind, std::as_bytes(std::span(text)));
  };
  CHECK(search(ReflectorKind::ssdp, "M-SEARCH * HTTP/1.1\r\n\r\n"));
  CHECK_FALSE(search(ReflectorKind::ssdp, "NOTIFY * HTTP/1.1\r\n\r\n"));
  CHECK_FALSE(search(ReflectorKind::udp, "M-SEARCH * HTTP/1.1\r\n\r\n"));
  const auto action = [&](std::string_view name) {
    const auto text = "<wsa:Action>" + std::string(name) + "</wsa:Action>";
    return search(ReflectorKind::ws_discovery, text);
  };
  CHECK(action("http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"));
  CHECK(action("http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01/Resolve"));
  CHECK_FALSE(action("http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches"));
  CHECK_FALSE(action("http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello"));
}
