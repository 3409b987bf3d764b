// toml++ 3.3 builds and frees its tree by recursion. It limits nested values to 256 levels, but not
// a dotted key (`a.a.a = 1`), and the stack overflows at some ten thousand levels. So a small
// scanner reads the text first, and refuses any that is deeper than a configuration can be.
//
// The scanner also refuses characters beyond ASCII outside of quotes and comments. No valid TOML
// has them there, and toml++ runs into code that it calls unreachable. (As compiled this is
// harmless. A few malformed values still lead there, so UBSan's "unreachable" is off in the
// fuzzer.)
//
// The scanner need only agree with the parser on text that is valid so far, because the parser
// stops at the first mistake of syntax.
#include "toml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>

namespace mcr {
namespace {

constexpr std::size_t deepest = 32;  // brackets in brackets, and dots of one key

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Finds the first byte that toml++ must not see; false if there is none.
  bool find_fault() {
    while (at_ < text_.size() && fault_.empty())
      step();
    return !fault_.empty();
  }
  [[nodiscard]] std::size_t offset() const { return at_; }
  /// The offset where the statement with that byte begins. The text before it is complete.
  [[nodiscard]] std::size_t statement() const { return statement_; }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  void step() {
    const char byte = text_[at_];
    if (byte == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (byte == '"' || byte == '\'') {
      skip_string(byte);
    } else {
      count(byte);
      if (dots_ > deepest || brackets_ > deepest)
        fault_ = fmt::format("nested too deeply: more than {} levels", deepest);
      else if ((static_cast<unsigned char>(byte) & 0x80U) != 0)
        fault_ = "a character that is not ASCII stands outside of quotes and comments";
      else
        ++at_;
    }
  }

  void count(char byte) {
    if (byte == '\n' && brackets_ == 0) statement_ = at_ + 1;
    if (byte == '[' || byte == '{') ++brackets_;
    if ((byte == ']' || byte == '}') && brackets_ > 0) --brackets_;
    if (byte == '.') ++dots_;
    if (std::string_view("[{\n=,").find(byte) != std::string_view::npos) dots_ = 0;
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool long_form = text_.substr(at_, 3) == triple;
    at_ += long_form ? 3 : 1;
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        at_ += 2;
      } else if (long_form && text_.substr(at_, 3) == triple) {
        at_ += 3;
        // In """a""""" the first two of the last quotes belong to the text.
        for (int extra = 0; extra < 2 && at_ < text_.size() && text_[at_] == quote; ++extra)
          ++at_;
        return;
      } else if (!long_form && (text_[at_] == quote || text_[at_] == '\n')) {
        ++at_;
        return;
      } else {
        ++at_;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t statement_ = 0;
  std::size_t dots_ = 0;
  std::size_t brackets_ = 0;
  std::string fault_;
};

Position position_at(std::string_view text, std::size_t offset, Position file) {
  const std::string_view before = text.substr(0, offset);
  const std::string_view line = before.substr(before.rfind('\n') + 1);
  file.line = 1 + static_cast<std::uint32_t>(std::ranges::count(before, '\n'));
  file.column = 1 + static_cast<std::uint32_t>(std::ranges::count_if(line, [](char byte) {
                  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
                }));
  return file;
}

}  // namespace

Position position_of(const toml::source_region& region, Position file) {
  return {.file = file.file, .line = region.begin.line, .column = region.begin.column};
}

std::optional<toml::table> parse_toml(std::string_view text, Position file,
                                      Diagnostics& diagnostics) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  Scanner scanner(text);
  const bool faulty = scanner.find_fault();
  try {
    // The text before the fault may have a mistake, which then comes first.
    auto root = toml::parse(faulty ? text.substr(0, scanner.statement()) : text);
    if (!faulty) return root;
    diagnostics.add(position_at(text, scanner.offset(), file), scanner.fault());
  } catch (const toml::parse_error& error) {
    diagnostics.add(position_of(error.source(), file), printable_excerpt(error.description()));
  }
  return std::nullopt;
}

}  // namespace mcr
