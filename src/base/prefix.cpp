#include "mcr/base/prefix.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mcr {

namespace {

/// The address with the bits behind the first `bits` all cleared or all set.
IpAddress with_rest(const IpAddress& address, unsigned bits, bool set) noexcept {
  std::array<std::uint8_t, 16> bytes{};
  const auto source = address.bytes();
  for (std::size_t i = 0; i < source.size(); ++i) {
    const auto kept = bits > 8 * i ? std::min<std::size_t>(bits - 8 * i, 8) : 0;
    const auto rest = static_cast<std::uint8_t>(0xFFU >> kept);
    bytes[i] = static_cast<std::uint8_t>(set ? source[i] | rest : source[i] & ~rest);
  }
  if (address.is_v6()) return IpAddress::v6(bytes);
  return address.is_v4() ? IpAddress::v4(std::span(bytes).first<4>()) : IpAddress();
}

}  // namespace

unsigned Prefix::width(Family family) noexcept {
  return family == Family::ipv4 ? 32 : family == Family::ipv6 ? 128 : 0;
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return *address;
  const auto digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const bool whole = fault == std::errc() && end == digits.data() + digits.size();
  if (!whole || bits > width(address->family())) return std::nullopt;
  return Prefix(*address, bits);
}

Prefix::Prefix(const IpAddress& address) noexcept : Prefix(address, width(address.family())) {}

Prefix::Prefix(const IpAddress& address, unsigned bits) noexcept
    : first_(with_rest(address, bits, false)), bits_(static_cast<std::uint8_t>(bits)) {}

IpAddress Prefix::last() const noexcept {
  return with_rest(first_, bits_, true);
}

bool Prefix::contains(const IpAddress& address) const noexcept {
  return address.family() == first_.family() && with_rest(address, bits_, false) == first_;
}

std::string Prefix::str() const {
  return is_single() ? first_.str() : fmt::format("{}/{}", first_, bits_);
}

}  // namespace mcr
