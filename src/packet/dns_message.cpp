// A name is a row of labels, each behind its length; a length of 0 ends it. The two highest bits of
// a length make it a pointer to where the name goes on. A pointer must lead to before the part that
// it ends, so that each leads further back and none can lead round in a circle.
#include "mcr/packet/dns_message.hpp"

namespace mcr {

namespace {

constexpr std::size_t question_tail = 4;  // type and class
constexpr std::size_t record_tail = 10;   // type, class, time to live, length of the data
constexpr std::size_t ttl_in_tail = 4;
constexpr std::size_t length_in_tail = 8;
constexpr std::uint8_t pointer_bits = 0xC0;
constexpr std::uint16_t response_bit = 0x8000;

char shown(std::byte byte) noexcept {
  const auto c = static_cast<char>(byte);
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c > ' ' && c < 0x7F && c != '.' ? c : '?';
}

}  // namespace

bool DnsName::append(std::span<const std::byte> label, bool as_written) noexcept {
  const std::size_t dot = length_ == 0 ? 0 : 1;
  if (length_ + dot + label.size() > text_.size()) return false;
  if (dot != 0) text_[length_++] = '.';
  for (const auto byte : label)
    text_[length_++] = as_written ? static_cast<char>(byte) : shown(byte);
  return true;
}

std::uint16_t DnsMessage::number_at(std::size_t at) const noexcept {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes_[at]) << 8U |
                                    std::to_integer<unsigned>(bytes_[at + 1]));
}

bool DnsMessage::is_response() const noexcept {
  return (number_at(2) & response_bit) != 0;
}

void DnsMessage::begin() noexcept {
  begun_ = true;
  if (!has_header()) {
    malformed_ = true;
    return;
  }
  at_ = header_bytes;
  questions_ = number_at(4);
  records_ = std::uint32_t{number_at(6)} + number_at(8) + number_at(10);
}

std::optional<DnsName> DnsMessage::next() noexcept {
  if (!begun_) begin();
  if (malformed_) return std::nullopt;
  std::optional<DnsName> found;
  bool good = true;
  is_pointed_to_ = record_end_ != 0;
  if (is_pointed_to_) {
    found = name();
    at_ = record_end_;
    record_end_ = 0;
  } else if (questions_ != 0) {
    --questions_;
    found = name();
    good = skip(question_tail);
  } else if (records_ != 0) {
    --records_;
    found = name();
    good = found && read_record();
  } else {
    return std::nullopt;
  }
  malformed_ = !found || !good;
  return malformed_ ? std::nullopt : found;
}

bool DnsMessage::skip(std::size_t bytes) noexcept {
  if (bytes > bytes_.size() - at_) return false;
  at_ += bytes;
  return true;
}

/// All that follows a record's name.
bool DnsMessage::read_record() noexcept {
  const auto tail = at_;
  if (!skip(record_tail)) return false;
  const auto data = at_;
  if (!skip(number_at(tail + length_in_tail))) return false;
  if (number_at(tail) != type_ptr) return true;
  ttl_s_ = std::uint32_t{number_at(tail + ttl_in_tail)} << 16U | number_at(tail + ttl_in_tail + 2);
  record_end_ = at_;
  at_ = data;
  return true;
}

std::optional<DnsName> DnsMessage::name() noexcept {
  DnsName result;
  std::size_t part = at_;  // where the part of the name begins that is read now
  std::size_t at = at_;
  bool jumped = false;
  while (at < bytes_.size()) {
    const auto length = std::to_integer<std::uint8_t>(bytes_[at]);
    if ((length & pointer_bits) == pointer_bits) {
      if (at + 1 >= bytes_.size()) return std::nullopt;
      const std::size_t to = number_at(at) & 0x3FFFU;
      if (to >= part || to < header_bytes) return std::nullopt;
      if (!jumped) at_ = at + 2;
      jumped = true;
      part = at = to;
      continue;
    }
    ++at;
    if (length == 0) {
      if (!jumped) at_ = at;
      return result;
    }
    if ((length & pointer_bits) != 0 || length > bytes_.size() - at) return std::nullopt;
    if (!result.append(bytes_.subspan(at, length), letters_ == Letters::as_written))
      return std::nullopt;
    at += length;
  }
  return std::nullopt;
}

}  // namespace mcr
