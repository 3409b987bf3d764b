// Events by HTTP, as `mcr events --json` has them. A client costs only its place in the ring: one
// that is slow finds a gap there, and one that takes nothing at all is cut off.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "http_routes.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/control/events.hpp"
#include "mcr/status/event.hpp"

namespace mcr {

namespace {

using http::Request;
using http::Response;
using nlohmann::json;

std::optional<std::uint64_t> read_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  return error == std::errc() && stop == end ? std::optional(id) : std::nullopt;
}

/// A browser may send by itself an id that is none of ours. Throws Failure (usage) where `since`
/// is none.
std::optional<std::uint64_t> since_of(const Request& request) {
  if (const auto last = read_id(request.last_event_id)) return last;
  const auto since = http::query_value(request.query, "since");
  if (!since) return std::nullopt;
  const auto id = read_id(*since);
  if (!id) throw Failure(ExitCode::usage, fmt::format("\"{}\" is no id", printable(*since)));
  return id;
}

/// A browser that is cut off comes again after this time (ms), and says which event it had last.
constexpr std::string_view retry = "retry: 2000\n\n";

}  // namespace

/// Server-sent events, as HTML defines them (9.2). Without `since` those that come.
Response stream_events(const Request& request, std::string_view /*name*/, const HttpApi& api) {
  constexpr std::size_t most_at_once = 64U << 10U;  // bytes
  if (api.events == nullptr) return {http::Status::not_found, "there are no events here\n"};
  const auto more = [ring = api.events,
                     seen = since_of(request).value_or(api.events->last_id())]() mutable {
    std::string text;
    while (text.size() < most_at_once) {
      const auto event = ring->after(seen);
      if (!event) break;
      seen = event->id;
      text += fmt::format("id: {}\nevent: {}\ndata: {}\n", event->id, to_string(event->kind),
                          as_json(status::to_json(*event)).content);
    }
    return text;
  };
  return {.content = std::string(retry), .type = event_stream_type, .stream = more};
}

/// The last events, for clients that read no stream.
Response recent_events(const Request& request, std::string_view /*name*/, const HttpApi& api) {
  constexpr std::uint64_t most = 200;
  if (api.events == nullptr) return {http::Status::not_found, "there are no events here\n"};
  const auto& ring = *api.events;
  const auto last = ring.last_id();
  auto seen =
      since_of(request).value_or(std::max(ring.first_id(), last + 1 - std::min(last, most)) - 1);
  auto events = json::array();
  while (events.size() < most) {
    const auto event = ring.after(seen);
    if (!event) break;
    seen = event->id;
    events.push_back(status::to_json(*event));
  }
  return as_json({{"last", events.empty() ? last : seen}, {"events", std::move(events)}});
}

}  // namespace mcr
