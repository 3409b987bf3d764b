// Text in columns for a terminal. Widths are columns of the terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/printable.hpp"

namespace mcr {

/// `text` in lines of at most `columns`, broken at spaces (a longer word stands alone); the first
/// line begins with `first`, the others with as many spaces.
[[nodiscard]] std::string wrapped(std::string_view first, std::string_view text,
                                  std::size_t columns);

/// The colour of a cell (ECMA-48, SGR).
enum class Paint : std::uint8_t { none, red, yellow, dim };

/// The text in that colour; as it is without one.
[[nodiscard]] std::string painted(std::string text, Paint paint);

/// Rows of cells, with notes under a row where there is something to say.
class TextTable {
 public:
  struct Column {
    std::string title;
    bool right = false;    ///< aligned to the right (numbers)
    bool shrinks = false;  ///< gives way when lines get too long
  };
  struct Row {
    std::vector<std::string> cells;  ///< one a column
    std::vector<std::string> notes;
    std::vector<Paint> paints{};         ///< of the first cells
    std::vector<std::string> remarks{};  ///< like notes, and no trouble
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(Row row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string str(std::size_t columns) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t columns) const;
  [[nodiscard]] std::string line(const Row& row, const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace mcr
