// The JSON5 of the multicast relay "mcr" that is written in Rust: { rules: [ { name, input: {
// interface, group, port, protocol }, outputs: [ { interface, group, port, ttl } ] } ], pinning,
// multicast_ttl, ... }. There a group may also be the address of a host, a null is a key that is
// not there, and an output's TTL is 1 unless the file says otherwise.
//
// JSON5 (spec.json5.org) is read as JSON, after all that JSON does not know is rewritten; lines
// stay lines, so that what is noted has its line. A number that JSON cannot say, such as Infinity,
// becomes text: the check of the rules tells whose value that cannot be.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "import_lines.hpp"
#include "mcr/base/address.hpp"

namespace mcr {

namespace {

using nlohmann::json;

constexpr std::string_view json_spaces = " \t\r\n";

/// How many bytes of white space the text begins with that JSON does not know.
std::size_t other_space(std::string_view text) {
  constexpr std::array<std::string_view, 10> spaces{
      "\v",           "\f",           "\xc2\xa0",     "\xef\xbb\xbf", "\xe2\x80\xa8",
      "\xe2\x80\xa9", "\xe1\x9a\x80", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
  for (const auto& space : spaces)
    if (text.starts_with(space)) return space.size();
  const bool quad = text.starts_with("\xe2\x80") && text.size() > 2 &&  // U+2000 to U+200A
                    static_cast<unsigned char>(text[2]) >= 0x80 &&
                    static_cast<unsigned char>(text[2]) <= 0x8a;
  return quad ? 3 : 0;
}

/// How many bytes the end of a line takes there; 0: none is there.
std::size_t line_end(std::string_view text) {
  if (text.starts_with("\r\n")) return 2;
  if (text.starts_with('\n') || text.starts_with('\r')) return 1;
  return text.starts_with("\xe2\x80\xa8") || text.starts_with("\xe2\x80\xa9") ? 3 : 0;
}

/// JSON for a number of JSON5 without its sign.
std::string number_of(std::string_view sign, std::string_view text) {
  const auto as_text = fmt::format("\"{}{}\"", sign, text);
  if (text == "Infinity" || text == "NaN") return as_text;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    if (error == std::errc::result_out_of_range) return as_text;
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole ? fmt::format("{}{}", sign, value) : std::string(text);
  }
  if (text.find_first_of("0123456789") == std::string_view::npos)
    return fmt::format("{}{}", sign.empty() ? "+" : sign, text);  // none in JSON, either
  std::string decimal(text);
  if (decimal.starts_with('.')) decimal.insert(0, 1, '0');
  const auto dot = decimal.find('.');
  if (dot != std::string::npos && decimal.find_first_of("0123456789", dot) != dot + 1)
    decimal.erase(dot, 1);
  if (std::isinf(std::strtod(decimal.c_str(), nullptr))) return as_text;
  return std::string(sign) + decimal;
}

class Rewriter {
 public:
  explicit Rewriter(std::string_view text) : text_(text) {}

  std::string rewrite() {
    while (at_ < text_.size())
      step();
    return std::move(json_);
  }

 private:
  [[nodiscard]] static bool is_word(char byte) {
    const auto value = static_cast<unsigned char>(byte);
    return std::isalnum(value) != 0 || byte == '_' || byte == '$' || byte == '\\' || value >= 0x80;
  }

  [[nodiscard]] std::string_view rest() const { return text_.substr(std::min(at_, text_.size())); }

  void step() {
    const char byte = text_[at_];
    if (const auto space = other_space(rest()); space != 0) {
      json_ += ' ';
      at_ += space;
    } else if (rest().starts_with("//")) {
      skip_to(text_.find('\n', at_));
    } else if (rest().starts_with("/*")) {
      const auto end = text_.find("*/", at_ + 2);
      skip_to(end == std::string_view::npos ? end : end + 2);
    } else if (byte == '"' || byte == '\'') {
      quoted(byte);
    } else if (std::isdigit(static_cast<unsigned char>(byte)) != 0 || byte == '+' || byte == '-' ||
               byte == '.') {
      number();
    } else if (is_word(byte)) {
      word();
    } else {
      sign(byte);
    }
  }

  void skip_to(std::size_t end) {
    for (end = std::min(end, text_.size()); at_ < end; ++at_)
      if (text_[at_] == '\n') json_ += '\n';
  }

  /// Lines that a string goes on over follow it.
  void quoted(char quote) {
    std::size_t lines = 0;
    json_ += '"';
    for (++at_; at_ < text_.size() && text_[at_] != quote;)
      if (text_[at_] == '\\')
        lines += escape();
      else
        byte_of_text(text_[at_++]);
    if (at_++ < text_.size()) json_ += '"';
    json_.append(lines, '\n');
  }

  /// Returns how many lines it goes over.
  std::size_t escape() {
    ++at_;
    if (const auto end = line_end(rest()); end != 0) {
      at_ += end;
      return 1;
    }
    if (at_ == text_.size()) return 0;
    const char byte = text_[at_++];
    if (byte == 'x') {
      json_ += "\\u00";
    } else if (byte == 'v' || byte == '0') {
      json_ += byte == 'v' ? "\\u000b" : "\\u0000";
    } else if (std::string_view("bfnrtu\\").find(byte) != std::string_view::npos) {
      json_ += '\\';
      json_ += byte;
    } else {
      byte_of_text(byte);
    }
    return 0;
  }

  void byte_of_text(char byte) {
    if (byte == '"')
      json_ += "\\\"";
    else if (static_cast<unsigned char>(byte) < ' ' && byte != '\n' && byte != '\r')
      json_ += fmt::format("\\u{:04x}", byte);
    else
      json_ += byte;
  }

  void number() {
    const auto sign = text_.substr(at_, text_[at_] == '-' ? 1 : 0);
    if (text_[at_] == '-' || text_[at_] == '+') ++at_;
    const auto begin = at_;
    const bool hexadecimal = rest().starts_with("0x") || rest().starts_with("0X");
    while (at_ < text_.size()) {
      const char byte = text_[at_];
      const bool of_exponent = (byte == '+' || byte == '-') && !hexadecimal && at_ > begin &&
                               (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
      if (std::isalnum(static_cast<unsigned char>(byte)) == 0 && byte != '.' && !of_exponent) break;
      ++at_;
    }
    json_ += number_of(sign, text_.substr(begin, at_ - begin));
  }

  /// The last byte that counts, of what is written.
  [[nodiscard]] char last() const {
    const auto at = json_.find_last_not_of(json_spaces);
    return at == std::string::npos ? ' ' : json_[at];
  }

  void word() {
    const auto begin = at_;
    while (at_ < text_.size() && is_word(text_[at_]) && other_space(rest()) == 0)
      ++at_;
    const auto word = text_.substr(begin, at_ - begin);
    const bool key = last() == '{' || (last() == ',' && open_.ends_with('{'));
    json_ += key || word == "Infinity" || word == "NaN" ? fmt::format("\"{}\"", word)
                                                        : std::string(word);
  }

  /// Takes back a comma that only a bracket follows.
  void sign(char byte) {
    if (byte == '[' || byte == '{') open_ += byte;
    if (byte == ']' || byte == '}') {
      if (last() == ',') json_[json_.find_last_not_of(json_spaces)] = ' ';
      if (!open_.empty()) open_.pop_back();
    }
    json_ += byte;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string open_;  ///< the brackets that we are in
  std::string json_;
};

std::uint32_t line_at(std::string_view text, std::size_t offset) {
  return 1 + static_cast<std::uint32_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

/// Lines of keys, each found behind the one before.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  std::uint32_t of(const std::string& key) const {
    const auto at = text_.find('"' + key + '"');
    return at == std::string_view::npos ? 0 : line_at(text_, at);
  }
  std::uint32_t next_of(const std::string& quoted) {
    const auto at = text_.find(quoted, from_);
    if (at == std::string_view::npos) return 0;
    from_ = at + 1;
    return line_at(text_, at);
  }

 private:
  std::string_view text_;
  std::size_t from_ = 0;
};

/// The value of the key; null: there is none, or it is null.
const json* find(const json& table, const char* key) {
  const auto found = table.find(key);
  return found == table.end() || found->is_null() ? nullptr : &*found;
}

class Reader {
 public:
  explicit Reader(const std::string& text) : lines_(text), text_(text) {}

  Imported read() {
    try {
      file(json::parse(text_));
    } catch (const json::parse_error& error) {
      note(line_at(text_, error.byte), "the text is no JSON5");
    }
    return std::move(imported_);
  }

 private:
  void note(std::uint32_t line, std::string text) {
    imported_.notes.push_back({line, std::move(text)});
  }

  void file(const json& file) {
    if (!file.is_object()) return note(1, "the text is no table of rules");
    for (const auto& [key, value] : file.items())
      if (key == "pinning" && !value.empty())
        note(lines_.of(key), "pinning: `workers` and `cpus` of [daemon] are for all interfaces");
      else if (key != "rules" && key != "pinning" && key != "multicast_ttl" && !value.is_null())
        note(lines_.of(key), fmt::format("{}: MCR has nothing like it", key));
    if (const auto* ttl = find(file, "multicast_ttl")) ttl_ = *ttl;
    std::uint32_t line = 0;
    for (const auto& given : file.value("rules", json::array())) {
      if (given.is_object() && given.contains("input")) line = lines_.next_of("\"input\"");
      try {
        rule(line, given);
      } catch (const json::exception&) {
        note(line, "a rule without input or outputs");
      }
    }
  }

  /// Throws json::exception for what is none.
  void rule(std::uint32_t line, const json& given) {
    const auto& input = given.at("input");
    if (const auto* protocol = find(input, "protocol"); protocol != nullptr && *protocol != "udp")
      return note(line, fmt::format("a rule for {}: MCR relays UDP", protocol->dump()));
    json rule = {{"input", end_of(line, input, {"interface", "group", "port", "protocol"})}};
    rule["input"].erase("protocol");
    const auto* const name = find(given, "name");
    rule["name"] = name != nullptr ? name->get<std::string>()
                                   : fmt::format("{}/{}", input.value("interface", ""),
                                                 input.value("group", ""));
    for (const auto& output : given.at("outputs"))
      rule["outputs"].push_back(output_of(line, output));
    for (const auto& [key, value] : given.items())
      if (key != "name" && key != "input" && key != "outputs" && !value.is_null())
        note(line, fmt::format("{} of a rule: MCR has nothing like it", key));
    imported_.rules.push_back({line, std::move(rule)});
  }

  json output_of(std::uint32_t line, const json& given) {
    auto output = end_of(line, given, {"interface", "group", "port", "ttl"});
    if (output.contains("group") && !output.contains("ttl")) output["ttl"] = ttl_;
    return output;
  }

  /// An input or output with these keys of it.
  json end_of(std::uint32_t line, const json& given, const std::vector<std::string_view>& known) {
    auto end = json::object();
    for (const auto& [key, value] : given.get_ref<const json::object_t&>()) {
      const auto address = key == "group" && value.is_string()
                               ? IpAddress::parse(value.get<std::string>())
                               : std::nullopt;
      if (value.is_null()) continue;
      if (std::ranges::find(known, key) == known.end())
        note(line, fmt::format("{} of an input or output: MCR has nothing like it", key));
      else
        end[address && !address->is_multicast() ? "address" : key] = value;
    }
    return end;
  }

  Lines lines_;
  const std::string& text_;
  json ttl_ = 1;  ///< of outputs to groups that say none
  Imported imported_;
};

}  // namespace

Imported import_json5(std::string_view text, const ImportOptions& /*options*/) {
  const auto rewritten = Rewriter(text).rewrite();
  return Reader(rewritten).read();
}

}  // namespace mcr
