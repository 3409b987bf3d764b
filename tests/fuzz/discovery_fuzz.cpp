// All that discovery reads off the wire: names in mDNS messages, filters, searches.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "mcr/packet/discovery.hpp"
#include "mcr/packet/dns_message.hpp"
#include "mcr/packet/mdns_services.hpp"

using namespace mcr;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  DnsMessage message(bytes);
  std::size_t names = 0;
  while (const auto name = message.next()) {
    if (name->text().size() > DnsName::most_bytes) std::abort();
    // Each takes five bytes at least, or points to what another has.
    if (++names > 2 * size) std::abort();
  }
  MdnsServices services(bytes);
  while (const auto service = services.next()) {
    const auto together = service->instance().size() + 1 + service->type().size();
    if (service->instance().empty() || together > DnsName::most_bytes) std::abort();
    if (--names > 2 * size) std::abort();  // each has a name of its own
  }
  static const MdnsFilter filter{false, {"_ipp._tcp", "_Http._tcp"}};
  (void)passes(filter, bytes);
  (void)is_search(ReflectorKind::ssdp, bytes);
  (void)is_search(ReflectorKind::ws_discovery, bytes);
  for (const auto kind : {ReflectorKind::ssdp, ReflectorKind::ws_discovery}) {
    (void)is_answer(kind, bytes);
    const auto time = answer_time(kind, bytes);
    if (time < std::chrono::seconds(3) || time > std::chrono::seconds(7)) std::abort();
  }
  return 0;
}
