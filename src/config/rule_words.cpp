// A reader without look-ahead: each value begins with the character that tells its kind, and the
// key that it stands for tells how a plain one is meant (shape.hpp).
#include "mcr/config/rule_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "mcr/base/error.hpp"
#include "mcr/base/printable.hpp"
#include "reader.hpp"
#include "shape.hpp"

namespace mcr {

namespace {

using nlohmann::json;

Failure wrong(std::string_view words, std::string_view what) {
  return {ExitCode::usage, fmt::format("\"{}\": {}", printable(words), what)};
}

/// Nothing is known of a key that is in no table.
Shape shape_of(std::string_view table, std::string_view key) {
  for (const auto& known : key_tables())
    if (known.name == table)
      for (const auto& [name, shape] : known.keys)
        if (name == key) return shape;
  constexpr std::uint64_t most = INT64_MAX;
  return {.least = 0, .most = most, .boolean = true};
}

/// A value without quotes.
json plain_value(std::string_view word, const Shape& shape) {
  if (shape.boolean && (word == "true" || word == "false")) return word == "true";
  std::uint64_t number = 0;
  const auto* end = word.data() + word.size();
  const auto read = std::from_chars(word.data(), end, number);
  if (shape.least <= shape.most && read.ec == std::errc() && read.ptr == end && number <= INT64_MAX)
    return number;
  return std::string(word);
}

class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  /// Reads the pairs until `end`, which is passed over; '\0' is the end of the text.
  json pairs(std::string_view table, char end) {
    auto object = json::object();
    for (bool more = true; more;) {
      const auto key = this->key();
      if (object.contains(key)) throw wrong(text_, fmt::format("{} stands there twice", key));
      object[key] = value(shape_of(table, key), end == '\0' ? "," : ",}");
      more = peek() == ',';
      if (more) ++at_;
    }
    close(end);
    return object;
  }

  std::string key() {
    const auto equals = text_.find('=', at_);
    const auto key = text_.substr(at_, equals - at_);
    if (equals == std::string_view::npos || key.empty() ||
        key.find_first_of(",{}[]\"") != std::string_view::npos)
      throw wrong(text_,
                  fmt::format("KEY=VALUE is missing at \"{}\"", printable(text_.substr(at_))));
    at_ = equals + 1;
    return std::string(key);
  }

  /// `ends`: the characters that end a plain value.
  json value(const Shape& shape, std::string_view ends) {
    if (shape.most_items != 0 && peek() != '[') return json::array({one(shape, ends)});
    return one(shape, ends);
  }

  void close(char end) {
    if (peek() != end)
      throw wrong(text_, fmt::format("nobody knows what \"{}\" means",
                                     printable(text_.substr(std::min(at_, text_.size())))));
    ++at_;
  }

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  json one(const Shape& shape, std::string_view ends) {
    if (++depth_ > 8) throw wrong(text_, "is nested too deeply");
    auto value = peek() == '[' ? list(shape) : peek() == '{' ? table(shape) : scalar(shape, ends);
    --depth_;
    return value;
  }

  json list(Shape shape) {
    shape.most_items = 0;
    auto elements = json::array();
    ++at_;
    while (peek() != ']') {
      elements.push_back(one(shape, ",]"));
      if (peek() != ',') break;
      ++at_;
    }
    close(']');
    return elements;
  }

  json table(const Shape& shape) {
    ++at_;
    return pairs(shape.table, '}');
  }

  json scalar(const Shape& shape, std::string_view ends) {
    if (peek() == '"') return quoted();
    const auto end = std::min(text_.find_first_of(ends, at_), text_.size());
    const auto word = text_.substr(at_, end - at_);
    at_ = end;
    return plain_value(word, shape);
  }

  json quoted() {
    auto end = at_ + 1;
    while (end < text_.size() && text_[end] != '"')
      end += text_[end] == '\\' ? 2 : 1;
    const auto text =
        json::parse(text_.substr(at_, std::min(end + 1, text_.size()) - at_), nullptr, false);
    if (!text.is_string()) throw wrong(text_, "a quote is not closed, or an escape is wrong");
    at_ = end + 1;
    return text;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

/// The table that a key of `table` holds; "" if it holds none.
std::string_view table_within(std::string_view table, std::string_view key) {
  return shape_of(table, key).table;
}

}  // namespace

json read_words(std::string_view words, std::string_view table) {
  return Words(words).pairs(table, '\0');
}

std::vector<std::string> read_key_path(std::string_view key) {
  std::vector<std::string> path;
  for (std::size_t begin = 0; begin <= key.size();) {
    const auto end = std::min(key.find('.', begin), key.size());
    path.emplace_back(key.substr(begin, end - begin));
    if (path.back().empty()) throw wrong(key, "is no key");
    begin = end + 1;
  }
  return path;
}

Setting read_setting(std::string_view words) {
  Words reader(words);
  Setting setting{read_key_path(reader.key()), {}};
  std::string_view table = "rule";
  for (std::size_t i = 0; i + 1 < setting.path.size(); ++i)
    table = table_within(table, setting.path[i]);
  setting.value = reader.value(shape_of(table, setting.path.back()), "");
  reader.close('\0');
  return setting;
}

}  // namespace mcr
