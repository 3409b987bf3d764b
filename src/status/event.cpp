#include "mcr/status/event.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "json_values.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/printable.hpp"

namespace mcr::status {

namespace {

std::string time_text(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(time - seconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), rest.count());
}

std::string word(const json& event, const char* key) {
  const auto& value = at(event, key);
  return value.is_string() ? printable(value.get<std::string>()) : "";
}

/// " LEAD VALUE", nothing without a value.
std::string with(const char* lead, const std::string& value) {
  return value.empty() ? "" : fmt::format("{}{}", lead, value);
}

std::string subject_of(const json& event, const std::string& kind) {
  if (kind == "gap") {
    const auto missed = read_count(at(event, "missed"));
    return missed ? fmt::format(" of {}", counted(*missed, "event")) : " of an earlier run";
  }
  return with(" ", word(event, "rule")) + with(" ", word(event, "group")) +
         with(" ", word(event, "host")) + with(" ", word(event, "where")) +
         with(" ", word(event, "input")) + with(" on ", word(event, "interface"));
}

const char* subject_key(EventKind kind) {
  switch (kind) {
    case EventKind::join:
      return "group";
    case EventKind::host:
      return "host";
    case EventKind::failover:
    case EventKind::merge:
      return "input";
    default:
      return "where";
  }
}

}  // namespace

json to_json(const Event& event) {
  json object = {
      {"id", event.id}, {"time", time_text(event.time)}, {"event", to_string(event.kind)}};
  const auto add = [&](const char* key, const auto& value) {
    if (value != std::decay_t<decltype(value)>{}) object[key] = value;
  };
  add("rule", event.rule);
  add("interface", event.interface);
  add(subject_key(event.kind), event.subject);
  add("state", event.state);
  add("before", event.before);
  add("reason", event.reason);
  add("errno", std::string(errno_name(event.error)));
  add("count", event.count);
  add("missed", event.missed);
  return object;
}

std::string render_event(const json& event) {
  const auto kind = word(event, "event");
  const auto before = word(event, "before");
  const auto state = word(event, "state");
  auto line = fmt::format("{} {}{}", word(event, "time"), kind, subject_of(event, kind));
  if (!state.empty()) line += fmt::format(": {}{}", before.empty() ? "" : before + " -> ", state);
  if (const auto count = read_count(at(event, "count"))) line += fmt::format(", {} lost", *count);
  return line + with(": ", word(event, "reason")) + '\n';
}

}  // namespace mcr::status
