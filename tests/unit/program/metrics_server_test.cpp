#include "mcr/program/metrics_server.hpp"

#include "catch.hpp"

namespace {

std::string answer(std::string_view request) {
  return mcr::answer_http(request, [] { return std::string("x 1\n"); }).value_or("more");
}

}  // namespace

TEST_CASE("metrics server: a good request is answered") {
  for (const auto* request :
       {"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /metrics?x=1 HTTP/1.0\r\n\r\n"}) {
    const auto text = answer(request);
    CHECK(text.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"));
    CHECK(text.ends_with("\r\n\r\nx 1\n"));
    CHECK(text.find("text/plain; version=0.0.4") != std::string::npos);
  }
}

TEST_CASE("metrics server: HEAD is answered as GET, without the body") {
  for (const std::string target : {"/metrics", "/", "/nothing"}) {
    const auto get = answer("GET " + target + " HTTP/1.1\r\n\r\n");
    const auto end_of_head = get.find("\r\n\r\n") + 4;
    CHECK(get.size() > end_of_head);
    CHECK(answer("HEAD " + target + " HTTP/1.1\r\n\r\n") == get.substr(0, end_of_head));
  }
}

TEST_CASE("metrics server: the start page links to the metrics") {
  const auto text = answer("GET / HTTP/1.1\r\n\r\n");
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(text.find("Content-Type: text/html") != std::string::npos);
  CHECK(text.find("href=\"/metrics\"") != std::string::npos);
  CHECK(text.find("x 1") == std::string::npos);
}

TEST_CASE("metrics server: a head that is not complete is waited for") {
  for (const auto* request :
       {"", "G", "GET /metrics HTTP/1.1", "GET /metrics HTTP/1.1\r\nHost: a\r\n"})
    CHECK(answer(request) == "more");
}

TEST_CASE("metrics server: anything else is refused") {
  CHECK(answer("GET /favicon.ico HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(answer("GET /metricsx HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(answer("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  for (const auto* request : {"\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n",
                              "GET /metrics HTTP/2\r\n\r\n", " \r\n\r\n"})
    CHECK(answer(request).starts_with("HTTP/1.1 400 "));
}
