// The services that an mDNS message announces (RFC 6763). Bounds-checked: the bytes come off the
// wire. Allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "mcr/packet/dns_message.hpp"

namespace mcr {

/// One instance of a service, from the PTR record of its type.
class MdnsService {
 public:
  /// The instance's name as it came, any bytes: "Printer in the hall".
  [[nodiscard]] std::string_view instance() const noexcept {
    return name_.text().substr(0, instance_);
  }
  /// "_ipp._tcp", in any case.
  [[nodiscard]] std::string_view type() const noexcept {
    return name_.text().substr(instance_ + 1, type_);
  }
  /// The seconds for which the record is valid; 0: the service is gone.
  [[nodiscard]] std::uint32_t ttl_s() const noexcept { return ttl_s_; }

 private:
  friend class MdnsServices;

  DnsName name_;
  std::size_t instance_ = 0;  ///< bytes of name_
  std::size_t type_ = 0;
  std::uint32_t ttl_s_ = 0;
};

/// Reads a message from its begin to its end. One that asks announces nothing.
class MdnsServices {
 public:
  /// Borrows the bytes.
  explicit MdnsServices(std::span<const std::byte> bytes) noexcept
      : message_(bytes, DnsMessage::Letters::as_written) {}

  /// The next service; nothing: there are no more, or the message is malformed from here on.
  [[nodiscard]] std::optional<MdnsService> next() noexcept;

 private:
  DnsMessage message_;
};

}  // namespace mcr
