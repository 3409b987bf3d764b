// A service is announced so (RFC 6763, section 4.1):
//
//   _ipp._tcp.local  PTR  Printer in the hall._ipp._tcp.local
//
// PTR records of subtypes (_color._sub._ipp._tcp.local) lead to the same instances, and those of
// _services._dns-sd._udp.local to types; both are left out.
#include "mcr/packet/mdns_services.hpp"

#include <algorithm>

namespace mcr {

namespace {

constexpr std::string_view domain = ".local";

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// "_ipp._tcp.local": two labels that begin with '_', and the domain.
bool is_type(std::string_view name) {
  if (name.size() <= domain.size() || !same(name.substr(name.size() - domain.size()), domain))
    return false;
  name.remove_suffix(domain.size());
  const auto dot = name.find('.');
  return dot != std::string_view::npos && name.front() == '_' &&
         (same(name.substr(dot), "._tcp") || same(name.substr(dot), "._udp"));
}

}  // namespace

std::optional<MdnsService> MdnsServices::next() noexcept {
  if (!message_.has_header() || !message_.is_response()) return std::nullopt;
  std::optional<DnsName> owner;
  while (auto name = message_.next()) {
    if (!message_.is_pointed_to()) {
      owner = name;
      continue;
    }
    const auto type = owner->text();
    const auto target = name->text();
    if (!is_type(type) || target.size() < type.size() + 2) continue;
    const auto instance = target.size() - type.size() - 1;
    if (target[instance] != '.' || !same(target.substr(instance + 1), type)) continue;
    MdnsService service;
    service.name_ = *name;
    service.instance_ = instance;
    service.type_ = type.size() - domain.size();
    service.ttl_s_ = message_.ttl_s();
    return service;
  }
  return std::nullopt;
}

}  // namespace mcr
