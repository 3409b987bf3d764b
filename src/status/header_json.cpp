#include "header_json.hpp"

#include "json_values.hpp"
#include "text_values.hpp"

namespace mcr::status {

json write_ttl(const Ttl& ttl) {
  switch (ttl.mode) {
    case Ttl::Mode::fixed:
      return ttl.value;
    case Ttl::Mode::preserve:
      return "preserve";
    case Ttl::Mode::decrement:
      return "decrement";
    case Ttl::Mode::system:
      break;
  }
  return {};
}
Ttl read_ttl(const json& value) {
  if (const auto fixed = read_small<std::uint8_t>(value)) return Ttl::of(*fixed);
  if (value == "preserve") return {Ttl::Mode::preserve};
  if (value == "decrement") return {Ttl::Mode::decrement};
  return {};
}

json write_dscp(const Dscp& dscp) {
  return dscp.preserve ? json("preserve") : json(dscp.value);
}
Dscp read_dscp(const json& value) {
  return {value == "preserve", read_small<std::uint8_t>(value).value_or(0)};
}

json write_source(const Source& source) {
  return source_text(source);
}
Source read_source(const json& value) {
  if (value == "preserve") return {Source::Mode::preserve};
  if (const auto address = IpAddress::parse(read_text(value)))
    return {Source::Mode::address, *address};
  return {};
}

}  // namespace mcr::status
