#include "mcr/packet/mdns_services.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "packet/dns_builder.hpp"

using namespace mcr;

namespace {

/// "TYPE INSTANCE TTL" of each.
std::vector<std::string> announced(std::span<const std::byte> message) {
  std::vector<std::string> result;
  MdnsServices services(message);
  while (const auto service = services.next())
    result.push_back(std::string(service->type()) + ' ' + std::string(service->instance()) + ' ' +
                     std::to_string(service->ttl_s()));
  return result;
}

std::vector<std::string> of_pointer(std::string_view name, std::string_view to) {
  return announced(DnsBuilder(true).pointer_answer(name, to).bytes());
}

}  // namespace

TEST_CASE("mdns services: instances of types, as they are written") {
  auto message = DnsBuilder(true);
  message.pointer_answer("_ipp._tcp.local", "Printer in the Hall._ipp._tcp.local")
      .answer("host.local", DnsBuilder::address, "abcd")
      .pointer_answer("_HTTP._tcp.local", "Lamp._http._TCP.local");
  CHECK(announced(message.bytes()) ==
        std::vector<std::string>{"_ipp._tcp Printer in the Hall 120", "_http._TCP Lamp 120"});
}

TEST_CASE("mdns services: a question announces nothing, nor do other names") {
  CHECK(announced(DnsBuilder()
                      .question("_ipp._tcp.local")
                      .pointer_answer("_ipp._tcp.local", "a._ipp._tcp.local")
                      .bytes())
            .empty());
  CHECK(of_pointer("_services._dns-sd._udp.local", "_ipp._tcp.local").empty());
  CHECK(of_pointer("_color._sub._ipp._tcp.local", "a._ipp._tcp.local").empty());
  CHECK(of_pointer("_ipp._tcp.local", "a._http._tcp.local").empty());
  CHECK(of_pointer("_ipp._tcp.local", "_ipp._tcp.local").empty());
  CHECK(of_pointer("_ipp._tcp.local", "local").empty());
  CHECK(of_pointer("4.3.2.1.in-addr.arpa", "host.local").empty());
  CHECK(of_pointer("local", "a.local").empty());
  CHECK(announced(std::as_bytes(std::span("short", 5))).empty());
}

TEST_CASE("mdns services: what comes before the damage counts") {
  auto text = DnsBuilder(true)
                  .pointer_answer("_ipp._tcp.local", "a._ipp._tcp.local")
                  .pointer_answer("_ipp._tcp.local", "b._ipp._tcp.local")
                  .text();
  text.resize(text.size() - 4);
  CHECK(announced(std::as_bytes(std::span(text))) == std::vector<std::string>{"_ipp._tcp a 120"});
}
