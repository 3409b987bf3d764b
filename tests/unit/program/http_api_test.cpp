#include "mcr/program/http_api.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "mcr/status/event.hpp"
#include "mcr/status/json.hpp"
#include "mcr/status/specimen.hpp"

namespace {

using nlohmann::json;

const mcr::Status& specimen() {
  static const auto status = mcr::status::full_specimen();
  return status;
}

std::string answer(std::string_view request, bool trusted = false) {
  static const std::array names{std::string("relay.example")};
  static const auto events = mcr::status::specimen_events();
  const mcr::HttpApi api{.status = []() -> const mcr::Status& { return specimen(); },
                         .metrics = [] { return std::string("x 1\n"); },
                         .events = &events,
                         .host_names = names,
                         .trusted = trusted};
  auto reply = answer_http(request, api);
  if (!reply) return "more";
  return reply->text + (reply->more ? reply->more() + reply->beat : "");
}

std::string get(const std::string& target, const std::string& more = "") {
  return answer("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n" + more + "\r\n");
}

std::string content_of(const std::string& text) {
  return text.substr(text.find("\r\n\r\n") + 4);
}

json get_json(const std::string& target) {
  const auto text = get(target);
  INFO(text.substr(0, text.find("\r\n\r\n")));
  REQUIRE(text.starts_with("HTTP/1.1 200 OK\r\n"));
  REQUIRE(text.find("Content-Type: application/json\r\n") != std::string::npos);
  return json::parse(content_of(text));
}

/// Every key of `value` is in `schema`, and every type.
void check_described(const json& value, const json& schema, const std::string& place) {
  INFO(place);
  if (value.is_object())
    for (const auto& [key, each] : value.items()) {
      INFO(key);
      REQUIRE(schema["properties"].contains(key));
      check_described(each, schema["properties"][key], place + "/" + key);
    }
  if (value.is_array())
    for (const auto& each : value)
      check_described(each, schema["items"], place + "[]");
}

}  // namespace

TEST_CASE("http api: the metrics, by whatever name they are asked for") {
  for (const auto* request :
       {"GET /metrics HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET /metrics?x=1 HTTP/1.0\r\n\r\n"}) {
    const auto text = answer(request);
    CHECK(text.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"));
    CHECK(content_of(text) == "x 1\n");
    CHECK(text.find("text/plain; version=0.0.4") != std::string::npos);
  }
}

TEST_CASE("http api: HEAD is answered as GET, without the content") {
  for (const std::string target : {"/metrics", "/", "/v1/status", "/nothing"}) {
    const auto whole = get(target);
    const auto head = answer("HEAD " + target + " HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n");
    CHECK(head == whole.substr(0, whole.find("\r\n\r\n") + 4));
  }
}

TEST_CASE("http api: the page names the hashes of its own style and script") {
  const auto text = get("/");
  CHECK(text.find("Content-Type: text/html") != std::string::npos);
  CHECK(text.find("default-src 'none'; script-src 'sha256-") != std::string::npos);
  CHECK(text.find("href=\"/metrics\"") != std::string::npos);
  const auto named = text.find("EVENT_KINDS = [");  // the browser hears only of these
  REQUIRE(named != std::string::npos);
  const auto kinds = text.substr(named, text.find(']', named) - named);
  for (const auto kind : mcr::event_kind_names) {
    INFO(kind);
    CHECK(kinds.find('"' + std::string(kind) + '"') != std::string::npos);
  }
  for (const auto* outside : {"http://", "https://", "src=\"", "@import", "url("}) {
    auto page = content_of(text);
    const std::string icon = "xmlns='http://www.w3.org/2000/svg'";
    page.erase(page.find(icon), icon.size());
    INFO(outside);
    CHECK(page.find(outside) == std::string::npos);
  }
}

TEST_CASE("http api: the status, all of it, some rules, a digest") {
  CHECK(get_json("/v1/status")["rules"].size() == specimen().rules.size());
  CHECK(get_json("/v1/status?state=failed")["rules"].size() == 1);
  const auto wrong = get("/v1/status?state=faild");
  CHECK(wrong.starts_with("HTTP/1.1 400 "));
  CHECK(content_of(wrong) == "no rule can be in a state \"faild\"\n");
  CHECK(get_json("/v1/status?pattern=x*")["rules"].empty());
}

TEST_CASE("http api: an overview, with texts for who does not have them") {
  const auto all = get_json("/v1/overview");
  const auto rules = specimen().rules.size();
  for (const auto* column : {"name", "input", "output", "state", "path", "note", "attention",
                             "rate_pps", "rate_bps", "tx_datagrams", "drops", "last_seen_s"})
    CHECK(all["rules"][column].size() == rules);
  CHECK(all["membership"]["count"] == specimen().memberships.size());
  CHECK(all["membership"]["groups"].size() == all["membership"]["unjoined"]);
  CHECK(get_json("/v1/overview?known=9")["rules"].contains("name"));
  CHECK_FALSE(get_json("/v1/overview?known=1")["rules"].contains("name"));
  CHECK(all["states"][all["rules"]["state"][1].get<std::size_t>()] == "waiting");
}

TEST_CASE("http api: one rule, with advice; none of that name") {
  const auto rule = get_json("/v1/rules/r%75le");
  CHECK(rule["name"] == "rule");
  CHECK(rule.contains("advice"));
  CHECK(rule.contains("notes"));
  CHECK(get("/v1/rules/other").starts_with("HTTP/1.1 404 "));
  CHECK(get("/v1/rules/").starts_with("HTTP/1.1 404 "));
  CHECK(get("/v1/rules/a%").starts_with("HTTP/1.1 400 "));
}

TEST_CASE("http api: what drop reasons mean") {
  const auto reasons = get_json("/v1/drop-reasons");
  CHECK(reasons["input"].size() == mcr::input_drop_names.size());
  CHECK_FALSE(reasons["output"]["egress_full"]["remedy"].get<std::string>().empty());
}

TEST_CASE("http api: events as they come, each with its id, its kind and its data") {
  const auto first = mcr::status::first_specimen_event;
  const auto all = get("/v1/events?since=0");
  CHECK(all.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
  CHECK(content_of(all).starts_with(
      "retry: 2000\n\nid: 1001\nevent: gap\ndata: {\"event\":\"gap\",\"id\":1001,"));
  CHECK(all.find("\n\nid: 1002\nevent: start\ndata: {") != std::string::npos);
  CHECK(all.ends_with("\n\n:\n\n"));
  const auto last = get_json("/v1/recent-events")["last"].get<std::uint64_t>();
  const auto one_left = get("/v1/events?since=" + std::to_string(last - 1));
  CHECK(one_left.find("id: " + std::to_string(last)) != std::string::npos);
  CHECK(get("/v1/events", "Last-Event-ID: " + std::to_string(last - 1) + "\r\n") == one_left);
  CHECK(get("/v1/events?since=0", "Last-Event-ID: " + std::to_string(last - 1) + "\r\n") ==
        one_left);
  for (const auto& nothing : {std::string(), "?since=" + std::to_string(last)})
    CHECK(content_of(get("/v1/events" + nothing)) == "retry: 2000\n\n:\n\n");
  for (const std::string wrong : {"/v1/events?since=x", "/v1/events?since=-1",
                                  "/v1/recent-events?since=99999999999999999999"})
    CHECK(get(wrong).starts_with("HTTP/1.1 400 "));
  CHECK(get("/v1/events", "Last-Event-ID: x\r\n").starts_with("HTTP/1.1 200 "));
  CHECK(answer("HEAD /v1/events HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("\r\n\r\n"));
  CHECK(get_json("/v1/recent-events")["events"][0]["id"] == first + 2);
  CHECK(get_json("/v1/recent-events?since=1000")["events"][0]["missed"] == 1);
  const auto none = get_json("/v1/recent-events?since=" + std::to_string(last));
  CHECK(none["events"].empty());
  CHECK(none["last"] == last);
}

TEST_CASE("http api: of many events the last ones, or those behind the last one seen") {
  mcr::EventRing ring(5, 1000);
  mcr::HttpApi api{.events = &ring};
  const auto recent = [&](const std::string& query) {
    const auto text =
        answer_http("GET /v1/recent-events" + query + " HTTP/1.1\r\nHost: a\r\n\r\n", api)->text;
    return json::parse(content_of(text));
  };
  CHECK(recent("") == json({{"last", 4}, {"events", json::array()}}));
  for (int i = 0; i < 500; ++i)
    ring.add({.kind = mcr::EventKind::reload});
  CHECK(recent("")["events"].size() == 200);
  CHECK(recent("")["last"] == 504);
  CHECK(recent("?since=10")["events"][0]["id"] == 11);
  CHECK(recent("?since=10")["last"] == 210);
  CHECK(recent("?since=500")["events"].size() == 4);
}

TEST_CASE("http api: every answer is as the description says") {
  const auto paths = get_json("/v1/openapi.json")["paths"];
  const auto schema_at = [&](const char* path) {
    return paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
  };
  CHECK(paths.size() == 9);
  check_described(get_json("/v1/status"), schema_at("/v1/status"), "status");
  check_described(get_json("/v1/overview"), schema_at("/v1/overview"), "overview");
  check_described(get_json("/v1/rules/rule"), schema_at("/v1/rules/{name}"), "rule");
  check_described(get_json("/v1/recent-events"), schema_at("/v1/recent-events"), "events");
  check_described(get_json("/v1/recent-events?since=1000"), schema_at("/v1/recent-events"), "gap");
  const auto event = schema_at("/v1/recent-events")["properties"]["events"]["items"];
  for (std::size_t kind = 0; kind < mcr::event_kind_names.size(); ++kind)
    check_described(mcr::status::to_json(mcr::Event{.kind = mcr::EventKind(kind), .subject = "x"}),
                    event, "an event");
  for (const auto* state : {"resolved", "unresolved", "joined", "failed", "removed", "begun"})
    CHECK(std::ranges::count(event["properties"]["state"]["enum"], state) == 1);
  CHECK(paths["/v1/rules/{name}"].size() == 3);
  for (const auto* status : {"200", "201", "403", "409", "412", "422"})
    CHECK(paths["/v1/rules/{name}"]["put"]["responses"].contains(status));
  CHECK(schema_at("/v1/rules/{name}")["properties"].contains("definition"));
  const auto rule = schema_at("/v1/status")["properties"]["rules"]["items"];
  CHECK(rule["properties"]["state"]["enum"].size() == mcr::status::rule_states.size() + 1);
  CHECK(rule["properties"]["rx_datagrams"]["type"] == json{"integer", "null"});
  CHECK(rule["properties"]["rate_pps"]["type"] == json{"null", "number"});
}

TEST_CASE("http api: pages of other sites are not answered") {
  CHECK(get("/v1/status", "Origin: http://evil.example\r\n").starts_with("HTTP/1.1 403 "));
  CHECK(get("/metrics", "Origin: null\r\n").starts_with("HTTP/1.1 403 "));
  CHECK(get("/v1/status", "Origin: http://127.0.0.1:9464\r\n").starts_with("HTTP/1.1 200 "));
  const std::string evil = " HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n";
  for (const auto* path : {"/", "/v1/status", "/v1/overview", "/v1/rules/rule"})
    CHECK(answer("GET " + std::string(path) + evil).starts_with("HTTP/1.1 421 "));
  CHECK(answer("GET /v1/status HTTP/1.1\r\nHost: relay.example:9464\r\n\r\n")
            .starts_with("HTTP/1.1 200 "));
  CHECK(answer("GET /v1/status" + evil, true).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("http api: nothing is written, and nothing else is here") {
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const auto text = answer(method + " /v1/rules/rule HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(text.starts_with("HTTP/1.1 405 "));
    CHECK(text.find("Allow: GET, HEAD\r\n") != std::string::npos);
  }
  for (const auto* path : {"/favicon.ico", "/metricsx", "/v1", "/v1/rules", "/v1/status/"})
    CHECK(get(path).starts_with("HTTP/1.1 404 "));
  CHECK(answer("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(answer("GET / HTTP/1.1\r\n") == "more");
}

TEST_CASE("http api: a request of HTTP is told from one of the control socket") {
  for (const auto* text : {"GET /", "HEAD / HTTP/1.1\r\n", "PUT ", "DELETE /x"})
    CHECK(mcr::is_http(text));
  for (const auto* text :
       {"", "GET", "{\"command\":\"status\"}\n", "GETX ", "get / HTTP/1.1", "rubbish\n"})
    CHECK_FALSE(mcr::is_http(text));
}
