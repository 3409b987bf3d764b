// The JSON5 of the multicast relay "mcr" that is written in Rust: { rules: [ { name, input: {
// interface, group, port }, outputs: [ ... ] } ], pinning, ... }. There a group may also be the
// address of a host.
//
// JSON5 is read as JSON, after its comments are blanked out, and bare keys, single quotes and
// trailing commas rewritten; lines stay lines, so that what is noted has its line.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "import_lines.hpp"
#include "mcr/base/address.hpp"

namespace mcr {

namespace {

using nlohmann::json;

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
    return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '_' || byte == '$';
  }

  void step() {
    const char byte = text_[at_];
    if (text_.substr(at_, 2) == "//")
      skip_to(text_.find('\n', at_));
    else if (text_.substr(at_, 2) == "/*")
      skip_to(text_.find("*/", at_ + 2) == std::string_view::npos ? std::string_view::npos
                                                                  : text_.find("*/", at_ + 2) + 2);
    else if (byte == '"' || byte == '\'')
      quoted(byte);
    else if (std::isalpha(static_cast<unsigned char>(byte)) != 0 || byte == '_' || byte == '$')
      word();
    else
      sign(byte);
  }

  void skip_to(std::size_t end) {
    for (end = std::min(end, text_.size()); at_ < end; ++at_)
      if (text_[at_] == '\n') json_ += '\n';
  }

  void quoted(char quote) {
    json_ += '"';
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      const bool escape = text_[at_] == '\\' && at_ + 1 < text_.size();
      if (escape && text_[at_ + 1] == '\'')
        ++at_;  // JSON knows no \'
      else if (escape)
        json_ += text_[at_++];
      else if (text_[at_] == '"')
        json_ += '\\';
      json_ += text_[at_];
    }
    json_ += '"';
    ++at_;
  }

  void word() {
    const auto begin = at_;
    while (at_ < text_.size() && is_word(text_[at_]))
      ++at_;
    const auto word = text_.substr(begin, at_ - begin);
    const auto next = text_.find_first_not_of(" \t\r\n", at_);
    const bool key = next != std::string_view::npos && text_[next] == ':';
    json_ += key ? fmt::format("\"{}\"", word) : std::string(word);
  }

  /// Takes back a comma that only a bracket follows.
  void sign(char byte) {
    if (byte == ']' || byte == '}')
      if (const auto last = json_.find_last_not_of(" \t\r\n");
          last != std::string::npos && json_[last] == ',')
        json_[last] = ' ';
    json_ += byte;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
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

/// Their `group` may be a host's address.
json destination_of(json keys) {
  const auto group = keys.find("group");
  if (group == keys.end() || !group->is_string()) return keys;
  const auto address = IpAddress::parse(group->get<std::string>());
  if (!address || address->is_multicast()) return keys;
  keys["address"] = *group;
  keys.erase("group");
  return keys;
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
      else if (key != "rules" && key != "pinning")
        note(lines_.of(key), fmt::format("{}: MCR has nothing like it", key));
    for (const auto& given : file.value("rules", json::array())) {
      const auto line = lines_.next_of("\"input\"");
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
    json rule = {{"input", destination_of(input)},
                 {"name", given.value("name", fmt::format("{}/{}", input.value("interface", ""),
                                                          input.value("group", "")))}};
    for (const auto& output : given.at("outputs"))
      rule["outputs"].push_back(destination_of(output));
    for (const auto& [key, value] : given.items())
      if (key != "name" && key != "input" && key != "outputs")
        note(line, fmt::format("{} of a rule: MCR has nothing like it", key));
    imported_.rules.push_back({line, std::move(rule)});
  }

  Lines lines_;
  const std::string& text_;
  Imported imported_;
};

}  // namespace

Imported import_json5(std::string_view text, const ImportOptions& /*options*/) {
  const auto rewritten = Rewriter(text).rewrite();
  return Reader(rewritten).read();
}

}  // namespace mcr
