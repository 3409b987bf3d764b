#include "mcr/config/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "import_lines.hpp"
#include "mcr/base/error.hpp"
#include "mcr/config/load.hpp"
#include "rule_text.hpp"

namespace mcr {

namespace {

/// Names must differ, and the other program may not have had any.
void name_apart(std::vector<Imported::Rule>& rules) {
  std::set<std::string> names;
  for (auto& rule : rules) {
    const auto wanted = rule.keys.value("name", "");
    auto name = wanted;
    for (int n = 2; !names.insert(name).second; ++n)
      name = fmt::format("{}-{}", wanted, n);
    rule.keys["name"] = name;
  }
}

/// Why a rule with these keys is refused, whatever the others are.
std::vector<std::string> refusals_of(const nlohmann::json& keys) try {
  std::vector<std::string> refusals;
  for (const auto& error : parse_config(rule_text(keys), "").errors)
    refusals.push_back(error.message);
  return refusals;
} catch (const Failure& failure) {  // a value that TOML cannot say
  return {failure.what()};
}

/// They are noted with the lines that they come from.
void leave_out_refused(Imported& imported) {
  std::erase_if(imported.rules, [&](const Imported::Rule& rule) {
    const auto refusals = refusals_of(rule.keys);
    for (const auto& refusal : refusals)
      imported.notes.push_back({rule.line, refusal});
    return !refusals.empty();
  });
}

/// Without control characters, which would end a comment.
std::string in_comment(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char byte) { return byte < ' ' || byte == 0x7f; }, ' ');
  return text;
}

}  // namespace

std::vector<ImportLine> words_of_lines(std::string_view text) {
  std::vector<ImportLine> lines;
  std::istringstream stream{std::string(text)};
  std::string line;
  for (std::uint32_t number = 1; std::getline(stream, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    ImportLine one{number, {}};
    for (std::string word; words >> word;)
      one.words.push_back(word);
    if (!one.words.empty()) lines.push_back(std::move(one));
  }
  return lines;
}

nlohmann::json port_value(const std::string& port) {
  const bool number =
      port.size() <= 5 && !port.empty() &&
      std::ranges::all_of(port, [](char digit) { return digit >= '0' && digit <= '9'; });
  return number ? nlohmann::json(std::stoul(port)) : nlohmann::json(port);
}

std::optional<ImportFormat> recognise_import(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // UTF-8, as some editors say
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::nullopt;
  if (text.substr(first).starts_with("v=0")) return ImportFormat::sdp;
  if (text[first] == '{' || text.substr(first, 2) == "//" || text.substr(first, 2) == "/*")
    return ImportFormat::json5;
  for (const auto& [number, words] : words_of_lines(text)) {
    if (words[0] == "mroute" || words[0] == "mgroup" || words[0] == "ssmgroup")
      return ImportFormat::smcroute;
    if (words[0] == "quickleave" || words[0] == "altnet" || words[0] == "whitelist" ||
        (words[0] == "phyint" && words.size() > 2 &&
         (words[2] == "upstream" || words[2] == "downstream" || words[2] == "disabled")))
      return ImportFormat::igmpproxy;
  }
  return std::nullopt;
}

Imported import_rules(ImportFormat format, std::string_view text, const ImportOptions& options) {
  constexpr decltype(&import_sdp) readers[] = {import_smcroute, import_igmpproxy, import_sdp,
                                               import_json5};
  auto imported = readers[static_cast<std::size_t>(format)](text, options);
  name_apart(imported.rules);
  leave_out_refused(imported);
  std::ranges::stable_sort(imported.notes, {}, &Imported::Note::line);
  return imported;
}

std::string write_imported(const Imported& imported, const std::string& file) {
  std::string text;
  for (const auto& [line, keys, comment] : imported.rules) {
    text += fmt::format("{}# {}:{}\n", text.empty() ? "" : "\n", in_comment(file), line);
    if (!comment.empty()) text += fmt::format("# {}\n", in_comment(comment));
    text += rule_text(keys);
  }
  return text;
}

}  // namespace mcr
