// A block of addresses, "10.1.0.0/24" (RFC 4632, RFC 4291), or a single one.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mcr/base/address.hpp"

namespace mcr {

class Prefix {
 public:
  Prefix() noexcept = default;
  /// A single address. Implicit, as a single address is valid wherever a block is.
  Prefix(const IpAddress& address) noexcept;  // NOLINT(google-explicit-constructor)
  /// The block of `bits` (at most all) leading bits that has this address in it.
  Prefix(const IpAddress& address, unsigned bits) noexcept;

  /// Reads "10.1.0.0/24" or a single address; what is set behind the length is cleared.
  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);

  [[nodiscard]] const IpAddress& first() const noexcept { return first_; }
  [[nodiscard]] IpAddress last() const noexcept;
  [[nodiscard]] unsigned bits() const noexcept { return bits_; }
  [[nodiscard]] bool is_single() const noexcept { return bits_ == width(first_.family()); }
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;

  /// "10.1.0.0/24", a single address without its length.
  [[nodiscard]] std::string str() const;

  /// The bits of an address: 32, 128, 0 of none.
  [[nodiscard]] static unsigned width(Family family) noexcept;

  friend bool operator==(const Prefix&, const Prefix&) noexcept = default;
  friend std::strong_ordering operator<=>(const Prefix&, const Prefix&) noexcept = default;

 private:
  IpAddress first_;
  std::uint8_t bits_ = 0;
};

}  // namespace mcr
