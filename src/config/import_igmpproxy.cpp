// igmpproxy.conf: one upstream interface, and downstream ones whose hosts ask by IGMP for any
// group. MCR relays what its rules name, asked for or not: the groups are those of the whitelist,
// or come from the person who imports.
#include <fmt/format.h>

#include <algorithm>

#include "import_lines.hpp"

namespace mcr {

namespace {

using nlohmann::json;

class Reader {
 public:
  explicit Reader(const ImportOptions& options) : options_(options), groups_(options.groups) {}

  void read(const ImportLine& line) {
    const auto& words = line.words;
    if (words[0] == "phyint")
      interface(line);
    else if (words[0] == "altnet")
      note(line, "altnet: MCR takes any sender; `sources` of an input names some");
    else if (words[0] == "whitelist" && words.size() > 1)
      whitelist(line);
    else
      note(line, fmt::format("{}: MCR answers no IGMP, and has nothing like it", words[0]));
  }

  Imported finish() && {
    if (options_.port.empty())
      note({}, "igmpproxy relays every port: say with --port which one is meant");
    if (groups_.empty())
      note({}, "igmpproxy relays what hosts ask for: say with --group which groups are meant");
    if (upstream_.empty()) note({}, "no phyint is upstream");
    if (downstream_.empty()) note({}, "no phyint is downstream");
    if (options_.port.empty() || upstream_.empty() || downstream_.empty())
      return std::move(imported_);
    for (const auto& group : groups_)
      imported_.rules.push_back({line_, rule_of(group)});
    return std::move(imported_);
  }

 private:
  void note(const ImportLine& line, std::string text) {
    imported_.notes.push_back({line.number, std::move(text)});
  }

  void interface(const ImportLine& line) {
    const auto& words = line.words;
    const std::string role = words.size() > 2 ? words[2] : "";
    if (role == "upstream" && upstream_.empty()) {
      upstream_ = words[1];
      line_ = line.number;
    } else if (role == "upstream") {
      note(line, "a second upstream: write rules for it by hand");
    } else if (role == "downstream") {
      downstream_.push_back(words[1]);
    } else if (role != "disabled") {
      note(line, "phyint is neither upstream, downstream nor disabled");
    }
    for (std::size_t i = 3; i + 1 < words.size(); i += 2) {
      const bool usual = (words[i] == "ratelimit" && words[i + 1] == "0") ||
                         (words[i] == "threshold" && words[i + 1] == "1");
      if (!usual)
        note(line, fmt::format("{} {}: MCR has nothing like it; see max_bps and ttl of outputs",
                               words[i], words[i + 1]));
    }
  }

  void whitelist(const ImportLine& line) {
    if (!options_.groups.empty())
      note(line, "whitelist: the groups of --group are taken instead");
    else if (std::ranges::find(groups_, line.words[1]) == groups_.end())
      groups_.push_back(line.words[1]);
  }

  [[nodiscard]] json rule_of(const std::string& group) const {
    json rule = {
        {"name", fmt::format("{}/{}", upstream_, group)},
        {"input",
         {{"interface", upstream_}, {"group", group}, {"port", port_value(options_.port)}}}};
    for (const auto& to : downstream_)
      rule["outputs"].push_back({{"interface", to}, {"source", "preserve"}, {"ttl", "decrement"}});
    return rule;
  }

  const ImportOptions& options_;
  Imported imported_;
  std::vector<std::string> groups_;
  std::string upstream_;
  std::vector<std::string> downstream_;
  std::uint32_t line_ = 0;  ///< of upstream
};

}  // namespace

Imported import_igmpproxy(std::string_view text, const ImportOptions& options) {
  Reader reader(options);
  for (const auto& line : words_of_lines(text))
    reader.read(line);
  return std::move(reader).finish();
}

}  // namespace mcr
