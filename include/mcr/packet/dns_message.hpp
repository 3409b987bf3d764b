// The names in a DNS message (RFC 1035), as mDNS sends it (RFC 6762). Bounds-checked: the bytes
// come off the wire. Allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mcr {

/// A name as text: "printer._ipp._tcp.local", without the root's dot.
class DnsName {
 public:
  static constexpr std::size_t most_bytes = 255;  ///< RFC 1035, section 3.1

  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), length_}; }

 private:
  friend class DnsMessage;
  [[nodiscard]] bool append(std::span<const std::byte> label, bool as_written) noexcept;

  std::array<char, most_bytes> text_{};
  std::size_t length_ = 0;
};

/// Reads a message from its begin to its end.
class DnsMessage {
 public:
  /// The text of names: to compare, where it is in lower case and a dot or a byte that is not
  /// printable ASCII within a label is a '?'; or byte for byte.
  enum class Letters : std::uint8_t { to_compare, as_written };

  /// Borrows the bytes.
  explicit DnsMessage(std::span<const std::byte> bytes,
                      Letters letters = Letters::to_compare) noexcept
      : bytes_(bytes), letters_(letters) {}

  /// False: shorter than a header. Nothing else may be asked then.
  [[nodiscard]] bool has_header() const noexcept { return bytes_.size() >= header_bytes; }
  /// It answers or announces; else it asks (the bit QR).
  [[nodiscard]] bool is_response() const noexcept;

  /// The next name: of a question, of a record, or what a PTR record points to. Nothing: there are
  /// no more, or the message is malformed from here on.
  [[nodiscard]] std::optional<DnsName> next() noexcept;
  [[nodiscard]] bool malformed() const noexcept { return malformed_; }
  /// A PTR record points to the last name. The name before it is the record's.
  [[nodiscard]] bool is_pointed_to() const noexcept { return is_pointed_to_; }
  /// Then: for how long the record may be believed, in seconds.
  [[nodiscard]] std::uint32_t ttl_s() const noexcept { return ttl_s_; }

 private:
  static constexpr std::size_t header_bytes = 12;
  static constexpr std::uint16_t type_ptr = 12;

  [[nodiscard]] std::uint16_t number_at(std::size_t at) const noexcept;
  [[nodiscard]] std::optional<DnsName> name() noexcept;
  [[nodiscard]] bool skip(std::size_t bytes) noexcept;
  [[nodiscard]] bool read_record() noexcept;
  void begin() noexcept;

  std::span<const std::byte> bytes_;
  Letters letters_;
  std::size_t at_ = 0;
  bool begun_ = false;
  bool malformed_ = false;
  bool is_pointed_to_ = false;
  std::uint32_t ttl_s_ = 0;
  std::uint32_t questions_ = 0;  ///< still to be read
  std::uint32_t records_ = 0;    ///< likewise
  std::size_t record_end_ = 0;   ///< not 0: the data of a PTR record comes next, and ends there
};

}  // namespace mcr
