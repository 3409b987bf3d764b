// smcroute.conf(5): routes of the kernel's multicast forwarding. The kernel forwards every protocol
// and port, keeps the sender's address, and takes 1 from the TTL; so do the rules, for one port.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "import_lines.hpp"

namespace mcr {

namespace {

using nlohmann::json;

/// mgroup and mroute: from IF [source ADDRESS] group GROUP [to IF ...]
struct Route {
  std::string from;
  std::string source;
  std::string group;
  std::vector<std::string> to;
};

/// Nothing if a word is not known, or one of the needed parts is missing.
std::optional<Route> read_route(const std::vector<std::string>& words) {
  Route route;
  for (std::size_t i = 1; i < words.size(); i += 2) {
    if (words[i] == "to") {
      route.to.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (i + 1 == words.size()) return std::nullopt;
    const auto& value = words[i + 1];
    if (words[i] == "from")
      route.from = value;
    else if (words[i] == "source")
      route.source = value;
    else if (words[i] == "group")
      route.group = value;
    else
      return std::nullopt;
  }
  return route.from.empty() || route.group.empty() ? std::nullopt : std::optional(route);
}

json rule_of(const Route& route, const std::string& port) {
  json rule = {
      {"name", fmt::format("{}/{}", route.from, route.group)},
      {"input", {{"interface", route.from}, {"group", route.group}, {"port", port_value(port)}}}};
  if (!route.source.empty()) rule["input"]["sources"] = json::array({route.source});
  for (const auto& to : route.to)
    rule["outputs"].push_back({{"interface", to}, {"source", "preserve"}, {"ttl", "decrement"}});
  return rule;
}

class Reader {
 public:
  explicit Reader(const ImportOptions& options) : options_(options) {}

  void read(const ImportLine& line) {
    const auto& word = line.words[0];
    if (word == "mroute" || word == "mgroup" || word == "ssmgroup")
      route(line, word == "mroute");
    else if (word == "phyint")
      interface(line);
    else if (word == "include")
      note(line, "include: import that file, too");
    else
      note(line, fmt::format("nobody knows what {} means", word));
  }

  Imported finish() && {
    for (const auto& [line, joined] : joins_)
      if (!routed_.contains(joined))
        imported_.notes.push_back(
            {line, "mgroup without an mroute from there: MCR joins only what its rules relay"});
    return std::move(imported_);
  }

 private:
  void note(const ImportLine& line, std::string text) {
    imported_.notes.push_back({line.number, std::move(text)});
  }

  void route(const ImportLine& line, bool is_route) {
    const auto route = read_route(line.words);
    if (!route) return note(line, fmt::format("{}: from or group is missing", line.words[0]));
    if (!is_route) return void(joins_.push_back({line.number, {route->from, route->group}}));
    if (route->to.empty())
      return note(line, "mroute without `to` only stops traffic: MCR has no such rule");
    if (options_.port.empty())
      return note(line, "mroute relays every port: say with --port which one is meant");
    routed_.insert({route->from, route->group});
    imported_.rules.push_back({line.number, rule_of(*route, options_.port)});
  }

  /// MCR uses the interfaces that its rules name.
  void interface(const ImportLine& line) {
    for (std::size_t i = 2; i < line.words.size(); ++i) {
      const auto& word = line.words[i];
      if (word == "enable" || word == "disable") continue;
      if (word == "ttl-threshold" || word == "threshold") {
        note(line,
             fmt::format("{}: MCR has no threshold; `ttl` of an output sets what leaves", word));
        ++i;
      } else {
        note(line, fmt::format("{}: MCR has nothing like it", word));
      }
    }
  }

  const ImportOptions& options_;
  Imported imported_;
  std::vector<std::pair<std::uint32_t, std::pair<std::string, std::string>>> joins_;
  std::set<std::pair<std::string, std::string>> routed_;
};

}  // namespace

Imported import_smcroute(std::string_view text, const ImportOptions& options) {
  Reader reader(options);
  for (const auto& line : words_of_lines(text))
    reader.read(line);
  return std::move(reader).finish();
}

}  // namespace mcr
