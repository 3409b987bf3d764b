#include "mcr/base/printable.hpp"

#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

#include <cstdint>
#include <iterator>

#include "mcr/base/utf8.hpp"

namespace mcr {
namespace {

/// C0, DEL, C1; line separators; marks that turn the direction of what follows.
constexpr bool is_hidden(char32_t c) {
  return c < 0x20U || (c >= 0x7FU && c < 0xA0U) || (c >= 0x200BU && c <= 0x200FU) ||
         (c >= 0x2028U && c <= 0x202EU) || (c >= 0x2060U && c <= 0x206FU) || c == 0xFEFFU;
}

/// While it lives, wcwidth() on this thread is that of UTF-8, whatever the environment says.
/// "C.UTF-8" is part of glibc 2.35 and, before that, of Debian's.
class Utf8Locale {
 public:
  Utf8Locale() noexcept : before_(::uselocale(utf8())) {}
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() { ::uselocale(before_); }

 private:
  /// Null where there is none: uselocale() then changes nothing.
  static locale_t utf8() noexcept {
    static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
  }

  locale_t before_;
};

std::size_t columns_of(char32_t c) noexcept {
  const int columns = ::wcwidth(static_cast<wchar_t>(c));
  return columns < 0 ? 1 : static_cast<std::size_t>(columns);
}

/// Calls `step(bytes, columns)` for each code point until it returns false.
void walk(std::string_view text, auto&& step) {
  const Utf8Locale locale;
  while (!text.empty()) {
    const auto [value, bytes] = front_code_point(text);
    const auto taken = bytes == 0 ? 1 : bytes;
    if (!step(taken, bytes == 0 ? 1 : columns_of(value))) return;
    text.remove_prefix(taken);
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    auto [value, bytes] = front_code_point(text);
    if (bytes == 0) {
      fmt::format_to(std::back_inserter(result), "\\x{:02x}",
                     static_cast<std::uint8_t>(text.front()));
      bytes = 1;
    } else if (is_hidden(value)) {
      auto number = static_cast<std::uint32_t>(value);
      result +=
          number < 0x80U ? fmt::format("\\x{:02x}", number) : fmt::format("\\u{{{:x}}}", number);
    } else {
      result += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return result;
}

std::string counted(std::uint64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::size_t text_width(std::string_view text) {
  std::size_t width = 0;
  walk(text, [&](std::size_t, std::size_t columns) {
    width += columns;
    return true;
  });
  return width;
}

std::string_view front_within(std::string_view text, std::size_t columns) {
  std::size_t length = 0;
  std::size_t width = 0;
  walk(text, [&](std::size_t bytes, std::size_t more) {
    if (width + more > columns) return false;
    length += bytes;
    width += more;
    return true;
  });
  return text.substr(0, length);
}

}  // namespace mcr
