#include "mcr/status/event.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>

#include "catch.hpp"

namespace {

using mcr::Event;
using mcr::EventKind;
using mcr::status::render_event;
using mcr::status::to_json;
using namespace std::chrono_literals;

const std::chrono::system_clock::time_point when{1'764'137'239'007ms};

TEST_CASE("an event as JSON has what there is to say") {
  const auto rule = to_json({.id = 17,
                             .time = when,
                             .kind = EventKind::rule,
                             .rule = "studio-a",
                             .state = "silent",
                             .before = "active",
                             .reason = "silent for 2 s"});
  CHECK(rule.dump() ==
        R"({"before":"active","event":"rule","id":17,"reason":"silent for 2 s","rule":"studio-a",)"
        R"("state":"silent","time":"2025-11-26T06:07:19.007Z"})");
  const auto join = to_json({.id = 1,
                             .time = when,
                             .kind = EventKind::join,
                             .interface = "eth0",
                             .subject = "239.1.1.1",
                             .state = "failed",
                             .error = ENOBUFS});
  CHECK(join["group"] == "239.1.1.1");
  CHECK(join["errno"] == "ENOBUFS");
  CHECK(to_json({.kind = EventKind::loss, .subject = "socket", .count = 3})["where"] == "socket");
}

TEST_CASE("an event as a line") {
  const auto line = [](Event event) {
    event.time = when;
    return render_event(to_json(event)).substr(25);
  };
  CHECK(line({.kind = EventKind::rule,
              .rule = "studio-a",
              .state = "silent",
              .before = "active",
              .reason = "silent for 2 s"}) == "rule studio-a: active -> silent: silent for 2 s\n");
  CHECK(line({.kind = EventKind::rule, .rule = "b", .state = "active"}) == "rule b: active\n");
  CHECK(line({.kind = EventKind::reload, .state = "done", .reason = "+1 -0 ~0 =3"}) ==
        "reload: done: +1 -0 ~0 =3\n");
  CHECK(line({.kind = EventKind::loss,
              .interface = "eth0",
              .subject = "socket",
              .state = "begun",
              .count = 2}) == "loss socket on eth0: begun, 2 lost\n");
  CHECK(line({.kind = EventKind::gap, .missed = 1}) == "gap of 1 event\n");
  CHECK(line({.kind = EventKind::gap}) == "gap of an earlier run\n");
}

TEST_CASE("what another daemon says harms nobody") {
  CHECK(render_event({{"event", "ne\nw"}, {"rule", 7}, {"count", "x"}}) == " ne\\x0aw\n");
  CHECK(render_event(nlohmann::json::array()) == " \n");
}

}  // namespace
