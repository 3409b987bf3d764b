#include "digest_json.hpp"

#include "json_values.hpp"

namespace mcr::status {

namespace {

RuleGroup read_rule_group(const json& object) {
  RuleGroup group;
  group.state = read_state(at(object, "state"), rule_states);
  group.note = read_text(at(object, "note"));
  group.attention = read_bool(at(object, "attention"));
  group.rules = read_count(at(object, "rules")).value_or(0);
  group.names = read_texts(object, "names");
  group.rate_pps = read_number(at(object, "rate_pps")).value_or(0);
  group.rate_bps = read_number(at(object, "rate_bps")).value_or(0);
  return group;
}

}  // namespace

json write_digest(const Digest& digest) {
  json groups = json::array();
  for (const auto& group : digest.groups)
    groups.push_back({{"state", write_state(group.state)},
                      {"note", group.note},
                      {"attention", group.attention},
                      {"rules", group.rules},
                      {"names", group.names},
                      {"rate_pps", group.rate_pps},
                      {"rate_bps", group.rate_bps}});
  return {{"rules", digest.rules},
          {"troubled", digest.troubled},
          {"silent", digest.silent},
          {"dropping", digest.dropping},
          {"memberships", digest.memberships},
          {"unjoined", digest.unjoined},
          {"membership_notes", digest.membership_notes},
          {"groups", std::move(groups)}};
}
std::optional<Digest> read_digest(const json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto count = [&](const char* key) { return read_count(at(object, key)).value_or(0); };
  Digest digest{count("rules"),
                count("troubled"),
                count("silent"),
                count("dropping"),
                count("memberships"),
                count("unjoined"),
                read_texts(object, "membership_notes"),
                {}};
  for (const auto& group : list(object, "groups"))
    digest.groups.push_back(read_rule_group(group));
  return digest;
}

}  // namespace mcr::status
