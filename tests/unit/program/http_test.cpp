// Requests and what is none, by RFC 9112; and which names of this host a browser may use.
#include "mcr/program/http.hpp"

#include <array>
#include <vector>

#include "catch.hpp"

using namespace mcr::http;

namespace {

std::optional<Request> request(std::string_view text) {
  const auto parsed = parse(text);
  const auto* found = std::get_if<Request>(&parsed);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

/// The status of the refusal; 0: it is none.
unsigned refusal(std::string_view text) {
  const auto parsed = parse(text);
  const auto* found = std::get_if<Response>(&parsed);
  return found == nullptr ? 0 : static_cast<unsigned>(found->status);
}

}  // namespace

TEST_CASE("http: a request is taken apart") {
  const auto found = request(
      "GET /v1/rules/a%20b?x=1&y=%2F HTTP/1.1\r\nhost:\t relay1:9464 \r\nOrigin: "
      "http://other\r\n\r\n");
  REQUIRE(found);
  CHECK(found->method == "GET");
  CHECK(found->path == "/v1/rules/a%20b");
  CHECK(found->query == "x=1&y=%2F");
  CHECK(found->host == "relay1:9464");
  CHECK(found->origin == "http://other");
  CHECK(found->content.empty());
  CHECK_FALSE(request("GET / HTTP/1.0\r\n\r\n")->origin);
}

TEST_CASE("http: a target in absolute form tells the host") {
  const auto found = request("GET http://relay1:9464/metrics?a HTTP/1.1\r\nHost: other\r\n\r\n");
  REQUIRE(found);
  CHECK(found->path == "/metrics");
  CHECK(found->query == "a");
  CHECK(found->host == "relay1:9464");
}

TEST_CASE("http: content has the length that the head tells") {
  constexpr std::string_view head = "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  CHECK_FALSE(request(std::string(head) + "ab"));
  CHECK(refusal(std::string(head) + "ab") == 0);
  CHECK(request(std::string(head) + "abc")->content == "abc");
  CHECK(request(std::string(head) + "abcd")->content == "abc");
}

TEST_CASE("http: what is not complete is waited for") {
  for (const auto* text :
       {"", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\n\r"}) {
    CHECK_FALSE(request(text));
    CHECK(refusal(text) == 0);
  }
}

TEST_CASE("http: what is no request is refused") {
  for (const auto* text :
       {"\r\n\r\n", " \r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"})
    CHECK(refusal(text) == 400);
  CHECK(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(refusal("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n") == 413);
  CHECK(refusal("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") == 501);
}

TEST_CASE("http: an answer says its length, and forbids the browser what it does not need") {
  const Response response{.content = "x 1\n", .more = "X: y\r\n"};
  const auto text = to_text(response, true);
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"));
  CHECK(text.ends_with("\r\nX: y\r\n\r\nx 1\n"));
  for (const auto* line :
       {"X-Content-Type-Options: nosniff\r\n", "Cache-Control: no-store\r\n",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"})
    CHECK(text.find(line) != std::string::npos);
  CHECK(to_text(response, false) == text.substr(0, text.size() - 4));
}

TEST_CASE("http: escapes and the query") {
  CHECK(unescape("eth0%2F239.1.1.1%3a5000") == "eth0/239.1.1.1:5000");
  for (const auto* broken : {"%", "a%2", "%zz", "%2"})
    CHECK_FALSE(unescape(broken));
  CHECK(query_value("a=1&bc=x%20y&a=2", "a") == "1");
  CHECK(query_value("a=1&bc=x%20y&a=2", "bc") == "x y");
  CHECK(query_value("known", "known") == "");
  CHECK_FALSE(query_value("a=1", "b"));
  CHECK_FALSE(query_value("a=%", "a"));
}

TEST_CASE("http: an address or a local name is right, a public one only if it is ours") {
  const std::array ours{std::string("relay1.example.com")};
  for (const auto* host :
       {"127.0.0.1:9464", "[::1]:9464", "[fe80::1]", "10.0.0.1", "localhost:9464", "relay7", "",
        "relay1.local", "Relay1.LAN:9464", "relay.home.arpa.", "RELAY1.example.com:80"})
    CHECK(is_trusted_host(host, ours));
  for (const auto* host : {"evil.example:9464", "relay1.example.com.evil.example", "xlocal.com",
                           "127.0.0.1.evil.example", "999.0.0.1"})
    CHECK_FALSE(is_trusted_host(host, ours));
}

TEST_CASE("http: the conditions of a request, and where a stream goes on") {
  const auto found = request(
      "PUT /x HTTP/1.1\r\nHost: a\r\nIf-Match: \"1\"\r\nif-none-match: *\r\n"
      "Last-Event-ID: 77\r\n\r\n");
  REQUIRE(found);
  CHECK(found->if_match == "\"1\"");
  CHECK(found->if_none_match == "*");
  CHECK(found->last_event_id == "77");
  for (const auto* line : {"If-Match: \"1\"\r\n", "If-None-Match: *\r\n", "Origin: null\r\n"})
    CHECK(refusal(std::string("PUT /x HTTP/1.1\r\nHost: a\r\n") + line + line + "\r\n") == 400);
}

TEST_CASE("http: entity tags, strongly and weakly compared") {
  const std::string tag = "\"a,b\"";
  for (const auto* list : {"\"a,b\"", "*", " * ", "\"x\", \"a,b\"", "W/\"x\",, \"a,b\" "})
    CHECK(has_tag(list, tag, false));
  for (const auto* list : {"", "\"a\"", "a,b", "\"a,b", "W/\"a,b\"", "\"x\" * \"a,b\"", "W/"})
    CHECK_FALSE(has_tag(list, tag, false));
  CHECK(has_tag("W/\"a,b\"", tag, true));
  CHECK_FALSE(has_tag("*", "", true));
}

TEST_CASE("http: a head has an end, and content comes without being asked for") {
  const std::string long_head = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(longest_head, 'x');
  CHECK(refusal(long_head) == 431);
  CHECK(refusal(long_head + "\r\n\r\n") == 431);
  const std::string expects =
      "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  CHECK(refusal(expects) == 417);
  CHECK(request(expects + "abc"));
}

TEST_CASE("http: what has no content, and what has no end, tells no length") {
  for (const auto status : {Status::no_content, Status::not_modified}) {
    const auto text = to_text({.status = status, .content = ""}, true);
    CHECK(text.find("\r\nContent-") == text.find("\r\nContent-Security-Policy"));
    CHECK(text.ends_with("\r\n\r\n"));
  }
  const auto stream = to_text(
      {.content = "a\n", .type = "text/event-stream", .stream = [] { return std::string(); }},
      true);
  CHECK(stream.find("Content-Length") == std::string::npos);
  CHECK(stream.find("Content-Type: text/event-stream\r\n") != std::string::npos);
  CHECK(stream.ends_with("\r\n\r\na\n"));
}

TEST_CASE("http: the answer of a server is whole, or none") {
  const auto status = [](std::string_view text) {
    const auto answer = parse_answer(text);
    return answer ? answer->status : 0;
  };
  const auto answer = parse_answer("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd");
  REQUIRE(answer);
  CHECK(answer->content == "abc");
  CHECK(parse_answer("HTTP/1.0 404\r\n\r\nall of it")->content == "all of it");
  CHECK(status(to_text({.status = Status::forbidden, .content = "no\n"}, true)) == 403);
  for (const auto* text :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "{\"ok\":false}\n"})
    CHECK(status(text) == 0);
}
