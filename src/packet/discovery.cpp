#include "mcr/packet/discovery.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "mcr/packet/dns_message.hpp"

namespace mcr {

namespace {

/// Actions of WS-Discovery end so: ".../discovery/Probe</wsa:Action>".
constexpr std::string_view search_actions[] = {"/discovery/Probe<", "/discovery/Resolve<",
                                               "/2009/01/Probe<", "/2009/01/Resolve<"};

/// The question for all services of a link (RFC 6763, section 9) is of none of them.
bool names_a_service(std::string_view name) {
  if (name == "_services._dns-sd._udp.local") return false;
  for (const std::string_view protocol : {"._tcp.local", "._udp.local"})
    if (name.ends_with(protocol)) return true;
  return false;
}

/// "_ipp._tcp" is the service of "printer._ipp._tcp.local", "_color._sub._ipp._tcp.local" and
/// "_ipp._tcp.local".
/// Names are in lower case; services may be in any.
bool is_of(std::string_view name, std::string_view service) {
  constexpr std::string_view domain = ".local";
  if (!name.ends_with(domain)) return false;
  name.remove_suffix(domain.size());
  if (name.size() < service.size()) return false;
  const auto tail = name.substr(name.size() - service.size());
  const auto same = [](char a, char b) {
    return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
  };
  return std::ranges::equal(tail, service, same) &&
         (name.size() == service.size() || name[name.size() - service.size() - 1] == '.');
}

std::string_view text_of(std::span<const std::byte> payload) {
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

/// The value of the header "MX: 3", in any case (RFC 2616); 3 without one.
unsigned mx_of(std::string_view search) {
  constexpr unsigned by_default = 3;
  for (auto line = search.find('\n'); line != std::string_view::npos; line = search.find('\n')) {
    search.remove_prefix(line + 1);
    if (search.size() < 3 || (search[0] | 0x20) != 'm' || (search[1] | 0x20) != 'x' ||
        search[2] != ':')
      continue;
    auto value = search.substr(3);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    unsigned mx = by_default;
    std::from_chars(value.data(), value.data() + value.size(), mx);
    return mx;
  }
  return by_default;
}

}  // namespace

bool is_search(ReflectorKind kind, std::span<const std::byte> payload) noexcept {
  const auto text = text_of(payload);
  if (kind == ReflectorKind::ssdp) return text.starts_with("M-SEARCH ");
  return kind == ReflectorKind::ws_discovery &&
         std::ranges::any_of(search_actions, [&](std::string_view action) {
           return text.find(action) != std::string_view::npos;
         });
}

std::chrono::seconds answer_time(ReflectorKind kind, std::span<const std::byte> search) noexcept {
  constexpr unsigned most = 5;  // UPnP Device Architecture 2.0, 1.3.2
  constexpr std::chrono::seconds more{2};
  const auto mx = kind == ReflectorKind::ssdp ? mx_of(text_of(search)) : 3;
  return std::chrono::seconds(std::clamp(mx, 1U, most)) + more;
}

bool is_answer(ReflectorKind kind, std::span<const std::byte> payload) noexcept {
  const auto text = text_of(payload);
  if (kind == ReflectorKind::ssdp) return text.starts_with("HTTP/1.1 200");
  return text.find("ProbeMatches<") != std::string_view::npos ||
         text.find("ResolveMatches<") != std::string_view::npos;
}

bool passes(const MdnsFilter& filter, std::span<const std::byte> payload) noexcept {
  DnsMessage message(payload);
  if (!message.has_header() || (!filter.questions && !message.is_response())) return false;
  if (filter.services.empty()) return true;
  bool others = false;
  while (const auto name = message.next()) {
    if (!names_a_service(name->text())) continue;
    others = true;
    for (const auto& service : filter.services)
      if (is_of(name->text(), service)) return true;
  }
  return !others && !message.malformed();
}

}  // namespace mcr
