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

/// A name as text: "printer._ipp._tcp.local", in lower case, without the root's dot. A dot or a
/// byte that is not printable ASCII within a label is a '?'.
class DnsName {
 public:
  static constexpr std::size_t most_bytes = 255;  ///< RFC 1035, section 3.1

  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), length_}; }

 private:
  friend class DnsMessage;
  [[nodiscard]] bool append(std::span<const std::byte> label) noexcept;

  std::array<char, most_bytes> text_{};
  std::size_t length_ = 0;
};

/// Reads a message from its begin to its end.
class DnsMessage {
 public:
  /// Borrows the bytes.
  explicit DnsMessage(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  /// False: shorter than a header. Nothing else may be asked then.
  [[nodiscard]] bool has_header() const noexcept { return bytes_.size() >= header_bytes; }
  /// It answers or announces; else it asks (the bit QR).
  [[nodiscard]] bool is_response() const noexcept;

  /// The next name: of a question, of a record, or what a PTR record points to. Nothing: there are
  /// no more, or the message is malformed from here on.
  [[nodiscard]] std::optional<DnsName> next() noexcept;
  [[nodiscard]] bool malformed() const noexcept { return malformed_; }

 private:
  static constexpr std::size_t header_bytes = 12;
  static constexpr std::uint16_t type_ptr = 12;

  [[nodiscard]] std::uint16_t number_at(std::size_t at) const noexcept;
  [[nodiscard]] std::optional<DnsName> name() noexcept;
  [[nodiscard]] bool skip(std::size_t bytes) noexcept;
  [[nodiscard]] bool read_record() noexcept;
  void begin() noexcept;

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool begun_ = false;
  bool malformed_ = false;
  std::uint32_t questions_ = 0;  ///< still to be read
  std::uint32_t records_ = 0;    ///< likewise
  std::size_t record_end_ = 0;   ///< not 0: the data of a PTR record comes next, and ends there
};

}  // namespace mcr
