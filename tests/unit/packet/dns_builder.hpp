// Builds DNS messages by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mcr {

class DnsBuilder {
 public:
  static constexpr std::uint16_t ptr = 12, srv = 33, address = 1;

  explicit DnsBuilder(bool response = false) {
    bytes_ = std::string(12, '\0'), bytes_[2] = response ? '\x84' : '\0';
  }

  DnsBuilder& question(std::string_view name, std::uint16_t type = ptr) {
    ++bytes_[5];
    add_name(name);
    add(type);
    return add(1);
  }
  DnsBuilder& answer(std::string_view name, std::uint16_t type, const std::string& data) {
    ++bytes_[7];
    add_name(name);
    add(type), add(1), add(0), add(120);
    add(static_cast<std::uint16_t>(data.size()));
    bytes_ += data;
    return *this;
  }
  DnsBuilder& pointer_answer(std::string_view name, std::string_view to) {
    return answer(name, ptr, name_of(to));
  }
  DnsBuilder& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }

  static std::string name_of(std::string_view name) {
    std::string result;
    while (!name.empty()) {
      const auto label = name.substr(0, name.find('.'));
      result += static_cast<char>(label.size());
      result += label;
      name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    return result + '\0';
  }

  [[nodiscard]] const std::string& text() const { return bytes_; }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return std::as_bytes(std::span(bytes_));
  }

 private:
  DnsBuilder& add(std::uint16_t number) {
    bytes_ += static_cast<char>(number >> 8U);
    bytes_ += static_cast<char>(number & 0xFFU);
    return *this;
  }
  void add_name(std::string_view name) { bytes_ += name_of(name); }

  std::string bytes_;
};

}  // namespace mcr
