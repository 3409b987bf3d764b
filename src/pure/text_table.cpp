#include "text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>

namespace mcr {
namespace {

constexpr std::size_t narrowest = 8;  // a shrinking column keeps this much
constexpr std::size_t gap = 2;        // between columns

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;  // 0: not valid UTF-8
};

constexpr bool continues(char byte) {
  return (static_cast<std::uint8_t>(byte) & 0xC0U) == 0x80U;
}

/// The code point at the front (RFC 3629: shortest form, no surrogates).
CodePoint front(std::string_view text) {
  auto lead = static_cast<std::uint8_t>(text.front());
  if (lead < 0x80U) return {lead, 1};
  std::size_t size = lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
  if (lead < 0xC2U || lead > 0xF4U || text.size() < size) return {};
  char32_t value = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (!continues(text[i])) return {};
    value = value << 6U | (static_cast<std::uint8_t>(text[i]) & 0x3FU);
  }
  bool overlong = (size == 3 && value < 0x800U) || (size == 4 && value < 0x10000U);
  bool surrogate = value >= 0xD800U && value <= 0xDFFFU;
  if (overlong || surrogate || value > 0x10FFFFU) return {};
  return {value, size};
}

/// C0, DEL, C1; line separators; marks that turn the direction of what follows.
constexpr bool is_hidden(char32_t c) {
  return c < 0x20U || (c >= 0x7FU && c < 0xA0U) || (c >= 0x200BU && c <= 0x200FU) ||
         (c >= 0x2028U && c <= 0x202EU) || (c >= 0x2060U && c <= 0x206FU) || c == 0xFEFFU;
}

/// At most `width` code points, the end given up for "..".
std::string shortened(const std::string& text, std::size_t width) {
  if (text_width(text) <= width) return text;
  std::size_t end = 0;
  for (std::size_t kept = 0; kept + 2 < width && end < text.size(); ++kept) {
    do
      ++end;
    while (end < text.size() && continues(text[end]));
  }
  return text.substr(0, end) + "..";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    auto [value, bytes] = front(text);
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

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string wrapped(std::string_view first, std::string_view text, std::size_t columns) {
  auto indent = text_width(first);
  std::string result(first);
  auto used = indent;
  while (!text.empty()) {
    auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    bool starts_line = used == indent;
    if (!starts_line && used + 1 + text_width(word) > columns) {
      result += '\n' + std::string(indent, ' ');
      used = indent;
      starts_line = true;
    }
    if (!starts_line) result += ' ';
    result += word;
    used += text_width(word) + (starts_line ? 0 : 1);
  }
  return result + '\n';
}

std::vector<std::size_t> TextTable::widths(std::size_t columns) const {
  std::vector<std::size_t> result;
  for (const auto& column : columns_)
    result.push_back(text_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < result.size(); ++i) {
      result[i] = std::max(result[i], text_width(row.cells.at(i)));
    }
  }
  auto total = std::accumulate(result.begin(), result.end(), gap * (result.size() - 1));
  for (; total > columns; --total) {  // the widest of those that can gives way
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < result.size(); ++i) {
      bool can = columns_[i].shrinks && result[i] > narrowest;
      if (can && (widest == nullptr || result[i] > *widest)) widest = &result[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  return result;
}

std::string TextTable::line(const std::vector<std::string>& cells,
                            const std::vector<std::size_t>& widths) const {
  std::string result;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    auto cell = shortened(cells[i], widths[i]);
    std::string padding(widths[i] - text_width(cell), ' ');
    if (i > 0) result.append(gap, ' ');
    result += columns_[i].right ? padding + cell : cell + padding;
  }
  result.erase(result.find_last_not_of(' ') + 1);
  return result + '\n';
}

std::string TextTable::str(std::size_t columns) const {
  auto fitted = widths(columns);
  std::vector<std::string> titles;
  for (const auto& column : columns_)
    titles.push_back(column.title);
  auto result = line(titles, fitted);
  for (const auto& row : rows_) {
    result += line(row.cells, fitted);
    for (const auto& note : row.notes)
      result += wrapped("  ! ", note, columns);
  }
  return result;
}

}  // namespace mcr
