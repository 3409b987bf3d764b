// Rules by HTTP, with a real configuration: what is put is in the files, and conditions hold.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "mcr/config/book.hpp"
#include "mcr/program/http_api.hpp"
#include "mcr/program/rule_requests.hpp"
#include "mcr/status/specimen.hpp"

namespace {

using namespace mcr;
using nlohmann::json;

json rule(const std::string& name, const std::string& group) {
  return {{"name", name},
          {"input", {{"interface", "e0"}, {"group", group}, {"port", 5}}},
          {"outputs", json::array({{{"interface", "e1"}}})}};
}

struct Answer {
  unsigned status = 0;
  std::string tag;
  std::string head;
  std::string content;

  [[nodiscard]] json object() const { return json::parse(content); }
};

/// A configuration of one rule in the main file, "main", and its folders; gone at the end.
struct Relay {
  std::string folder;
  ConfigBook book;
  Status now = status::full_specimen();

  Relay() {
    char name[] = "/tmp/mcr-http.XXXXXX";
    folder = ::mkdtemp(name);
    std::ofstream(folder + "/mcr.toml")
        << "[daemon]\nstate = \"" << folder << "/state\"\nruntime = \"" << folder << "/run\"\n"
        << write_rule(rule("main", "239.0.0.1"));
    REQUIRE(book.read(folder + "/mcr.toml").empty());
  }
  ~Relay() { std::filesystem::remove_all(folder); }

  Answer ask(const std::string& request, const std::string& content = "",
             const std::string& more = "", bool may_write = true) {
    HttpApi api{.status = [this]() -> const Status& { return now; }, .trusted = may_write};
    if (may_write)
      api.rule = [this](const json& wish) { return answer_rule_request(book, wish).document; };
    const auto text =
        answer_http(request + " HTTP/1.1\r\nHost: mcr\r\n" + more +
                        "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content,
                    api)
            ->text;
    const auto end = text.find("\r\n\r\n");
    Answer answer{static_cast<unsigned>(std::stoul(text.substr(9, 3))), "", text.substr(0, end + 2),
                  text.substr(end + 4)};
    if (const auto at = text.find("ETag: "); at < end)
      answer.tag = text.substr(at + 6, text.find("\r\n", at) - at - 6);
    return answer;
  }
  Answer put(const std::string& name, const json& what, const std::string& more = "") {
    return ask("PUT /v1/rules/" + name, what.dump(), more);
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("http rules: a rule is put, read, changed and deleted, with its tag") {
  Relay relay;
  const auto made = relay.put("a", rule("a", "239.0.0.2"));
  CHECK(made.status == 201);
  CHECK(made.object()["difference"] == "+1 -0 ~0 =1");
  CHECK(std::filesystem::exists(relay.folder + "/state/rules.d/a.toml"));
  const auto read = relay.ask("GET /v1/rules/a");
  CHECK(read.status == 200);
  CHECK(read.tag == made.tag);
  CHECK(read.tag.size() == 18);
  const auto definition = read.object()["definition"];
  CHECK(definition["rule"] == rule("a", "239.0.0.2"));
  CHECK(definition["home"] == "state");
  CHECK(relay.put("a", definition["rule"]).status == 200);
  CHECK(relay.put("a", definition["rule"]).tag == made.tag);
  const auto changed = relay.put("a", rule("a", "239.0.0.3"));
  CHECK(changed.status == 200);
  CHECK(changed.object()["difference"] == "+0 -0 ~1 =1");
  CHECK(changed.tag != made.tag);
  const auto gone = relay.ask("DELETE /v1/rules/a");
  CHECK(gone.status == 204);
  CHECK(gone.content.empty());
  CHECK(relay.ask("DELETE /v1/rules/a").status == 404);
  CHECK(relay.ask("GET /v1/rules/a").status == 404);
  CHECK_FALSE(std::filesystem::exists(relay.folder + "/state/rules.d/a.toml"));
}

TEST_CASE("http rules: a rule as TOML, under a name with a slash, for this boot only") {
  Relay relay;
  CHECK(relay.ask("PUT /v1/rules/e0%2F5?runtime=true", write_rule(rule("e0/5", "239.0.0.2")))
            .status == 201);
  CHECK(std::filesystem::exists(relay.folder + "/run/rules.d/e0%2F5.toml"));
  CHECK(relay.ask("GET /v1/rules/e0/5").object()["definition"]["home"] == "runtime");
  CHECK(relay.put("e0/5", rule("e0/5", "239.0.0.3")).status == 200);
  CHECK(relay.ask("DELETE /v1/rules/e0%2F5").status == 204);
}

TEST_CASE("http rules: conditions") {
  Relay relay;
  const auto one = rule("a", "239.0.0.2");
  const auto two = rule("a", "239.0.0.3");
  CHECK(relay.put("a", one, "If-Match: *\r\n").status == 412);
  const auto made = relay.put("a", one, "If-None-Match: *\r\n");
  CHECK(made.status == 201);
  CHECK(relay.put("a", two, "If-None-Match: *\r\n").status == 412);
  CHECK(relay.put("a", two, "If-Match: \"other\"\r\n").status == 412);
  CHECK(relay.put("a", two, "If-Match: W/" + made.tag + "\r\n").status == 412);
  const auto changed = relay.put("a", two, "If-Match: \"other\", " + made.tag + "\r\n");
  CHECK(changed.status == 200);
  const auto stale = relay.ask("DELETE /v1/rules/a", "", "If-Match: " + made.tag + "\r\n");
  CHECK(stale.status == 412);
  CHECK(stale.tag == changed.tag);
  const auto known = relay.ask("GET /v1/rules/a", "", "If-None-Match: " + changed.tag + "\r\n");
  CHECK(known.status == 304);
  CHECK(known.content.empty());
  CHECK(known.tag == changed.tag);
  CHECK(relay.ask("GET /v1/rules/a", "", "If-None-Match: " + made.tag + "\r\n").status == 200);
  CHECK(relay.ask("DELETE /v1/rules/a", "", "If-Match: " + changed.tag + "\r\n").status == 204);
  CHECK(relay.ask("DELETE /v1/rules/a", "", "If-Match: " + changed.tag + "\r\n").status == 412);
}

TEST_CASE("http rules: what is refused says why, and has changed nothing") {
  Relay relay;
  const auto twin = relay.put("a", rule("a", "239.0.0.1"));
  CHECK(twin.status == 422);
  CHECK(contains(twin.object()["errors"][0]["message"], "rule \"main\" takes"));
  const auto text =
      relay.ask("PUT /v1/rules/a?file=mine.toml",
                "\n[[rule]]\ninput = { interface = \"e0\", group = \"239.0.0.5\", port = 5, "
                "prot = 5 }\noutputs = [ { interface = \"e1\" } ]\n");
  CHECK(text.status == 422);
  const auto error = text.object()["errors"][0];
  CHECK(error["file"] == "mine.toml");
  CHECK(error["line"] == 3);
  CHECK(error["column"].get<int>() > 1);
  CHECK(contains(text.content, "did you mean \\\"port\\\"?"));
  CHECK(relay.put("main", rule("main", "239.0.0.5")).status == 409);
  CHECK(relay.ask("DELETE /v1/rules/main").status == 409);
  CHECK(relay.ask("GET /v1/rules/main").object()["definition"]["home"] == "files");
  CHECK(relay.put("a", rule("b", "239.0.0.5")).status == 422);
  CHECK(relay.put("a", {{"input", nullptr}}).status == 422);
  CHECK(relay.put("a", {{"input", 5}}).status == 422);
  CHECK(relay.ask("PUT /v1/rules/a", "{\"name\":").status == 400);
  CHECK(relay.ask("PUT /v1/rules/a", "{" + std::string(60'000, '[')).status == 422);
  CHECK(relay.ask("PUT /v1/rules/a", std::string(60'000, '[')).status == 422);
  CHECK(relay.ask("PUT /v1/rules/a").status == 422);
  CHECK(relay.ask("PUT /v1/rules/a%").status == 400);
  CHECK(relay.ask("DELETE /v1/rules/a%").status == 400);
  REQUIRE(relay.put("a", rule("a", "239.0.0.2")).status == 201);
  CHECK(relay.ask("PUT /v1/rules/a?runtime=true", rule("a", "239.0.0.2").dump()).status == 409);
  CHECK(relay.book.rules() == 2);
}

TEST_CASE("http rules: who may only read writes nothing, and learns no definition") {
  Relay relay;
  REQUIRE(relay.put("a", rule("a", "239.0.0.2")).status == 201);
  for (const std::string method : {"PUT", "DELETE"}) {
    const auto refused =
        relay.ask(method + " /v1/rules/a", rule("a", "239.0.0.3").dump(), "", false);
    CHECK(refused.status == 405);
    CHECK(contains(refused.head, "Allow: GET, HEAD\r\n"));
  }
  const auto allowed = relay.ask("POST /v1/rules/a");
  CHECK(allowed.status == 405);
  CHECK(contains(allowed.head, "Allow: GET, HEAD, PUT, DELETE\r\n"));
  CHECK(relay.ask("PUT /v1/rules/a", "", "Origin: http://evil.example\r\n").status == 403);
  const auto read = relay.ask("GET /v1/rules/rule", "", "", false);
  CHECK(read.status == 200);
  CHECK(read.tag.empty());
  CHECK_FALSE(read.object().contains("definition"));
  CHECK(relay.book.rules() == 2);
}
