#include "text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <utility>

namespace mcr {
namespace {

constexpr std::size_t narrowest = 8;  // a shrinking column keeps this much
constexpr std::size_t gap = 2;        // between columns

/// At most `width` columns: the end gives way to "..", with the word that it would break.
std::string shortened(const std::string& text, std::size_t width) {
  if (text_width(text) <= width) return text;
  constexpr std::string_view dots = "..";
  const auto kept = width > dots.size() ? width - dots.size() : 0;
  std::string front(front_within(text, kept));
  if (const auto space = front.rfind(' '); space != std::string::npos) front.resize(space + 1);
  return front.append(dots);
}

}  // namespace

std::string painted(std::string text, Paint paint) {
  constexpr std::array codes{"", "\x1b[31m", "\x1b[33m", "\x1b[2m"};
  if (paint == Paint::none || text.empty()) return text;
  return codes[static_cast<std::size_t>(paint)] + text + "\x1b[0m";
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

std::string TextTable::line(const Row& row, const std::vector<std::size_t>& widths) const {
  std::string result;
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    auto cell = shortened(row.cells[i], widths[i]);
    std::string padding(widths[i] - text_width(cell), ' ');
    if (i < row.paints.size()) cell = painted(std::move(cell), row.paints[i]);
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
  auto result = line({std::move(titles), {}}, fitted);
  for (const auto& row : rows_) {
    result += line(row, fitted);
    for (const auto& note : row.notes)
      result += wrapped("  ! ", note, columns);
    for (const auto& remark : row.remarks)
      result += wrapped("    ", remark, columns);
  }
  return result;
}

}  // namespace mcr
