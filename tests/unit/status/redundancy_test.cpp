#include "mcr/status/redundancy.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "mcr/status/leg_views.hpp"

using namespace mcr;
using namespace mcr::status;
using namespace std::chrono_literals;

namespace {

/// A merged rule of two legs, of which the second lost every tenth.
LegWatch::Watched merged(WatchTime now) {
  LegWatch::Watched watched;
  watched.rule.merge.emplace(Merge{Merge::By::sequence, {0, 4, false, 0, 0}});
  watched.rule.inputs.resize(2);
  watched.legs = std::make_shared<redundancy::Legs>(watched.rule.merge);
  watched.numbers = {0, 1};
  const auto ns =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(now.time_since_epoch()).count());
  for (unsigned n = 1; n <= 100; ++n)
    for (std::size_t leg = 0; leg < 2; ++leg) {
      const std::array datagram{std::byte{0}, std::byte{0}, std::byte{0},
                                static_cast<std::byte>(n)};
      if ((leg == 1 && n % 10 == 0) || (leg == 0 && n % 20 == 0) || n == 50) continue;
      static_cast<void>(watched.legs->judge(leg, datagram, ns));
    }
  return watched;
}

}  // namespace

TEST_CASE("a merged rule: what was lost, and what the second path was good for") {
  const WatchTime now{1'000s};
  const auto watched = merged(now);
  const auto merge = make_merge(watched, now);
  CHECK(merge.by == "sequence");
  CHECK(merge.lost == 6U - 1U);  // 20, 40, 50, 60, 80; and 100 would be the last one
  CHECK(merge.recovered == 0U);
  const auto leg = make_leg(watched, 1, now, 0);
  CHECK(leg.missing == 9U);
  CHECK(leg.received == 90);
  CHECK(leg.up);
  CHECK_FALSE(make_leg(watched, 1, now + 3s, 0).up);
  CHECK(merge_from_json(to_json(merge)) == merge);
  CHECK(leg_from_json(to_json(leg)) == leg);
  CHECK(leg_line(leg).find("9 missing") != std::string::npos);
  CHECK(merge_line(merge).find("5 lost") != std::string::npos);
  CHECK(merge.order == "first");
  CHECK(merge_line(merge).find("wait") == std::string::npos);
}

TEST_CASE("a rule that is merged in sequence: how many wait, and what for") {
  MergeView merge;
  merge.by = "rtp";
  merge.order = "sequence";
  merge.window_s = 0.05;
  merge.waiting = 3;
  merge.waiting_most = 16'384;
  merge.early = 1;
  CHECK(merge_from_json(to_json(merge)) == merge);
  CHECK(merge_line(merge).find("in sequence, waits for at most 50.0 ms: 3 of at most 16,384 "
                               "datagrams wait, 1 went early") != std::string::npos);
  merge.pace = true;
  CHECK(merge_line(merge).find("in sequence, all wait for 50.0 ms") != std::string::npos);
}

TEST_CASE("classes of path differences, SMPTE ST 2022-7") {
  CHECK(path_class(0, 1e6) == "D");
  CHECK(path_class(150, 1e6) == "D");
  CHECK(path_class(151, 1e6) == "A");
  CHECK(path_class(10'000, 1e6) == "A");
  CHECK(path_class(10'001, 1e6) == "B");
  CHECK(path_class(50'000, 1e6) == "B");
  CHECK(path_class(50'001, 1e6) == "C");
  CHECK(path_class(450'000, 1e6) == "C");
  CHECK(path_class(450'001, 1e6) == "none");
  CHECK(path_class(150'000, 270e6) == "C");
  CHECK(path_class(150'001, 270e6) == "none");
}

TEST_CASE("a stream of high bitrate has a smaller class C") {
  LegWatch::Watched watched;
  const WatchTime now{1'000s};
  const auto after = [&](std::chrono::milliseconds late) {
    const auto time = now - 1s + late;
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(time.time_since_epoch()).count());
  };
  const auto late = GENERATE(149ms, 151ms);
  watched.rule.merge.emplace(Merge{Merge::By::sequence, {0, 1, false, 0, 0}});
  watched.legs = std::make_shared<redundancy::Legs>(watched.rule.merge);
  watched.numbers = {0, 1, 2};  // nothing is heard of the third one
  const std::array datagram{std::byte{1}};
  static_cast<void>(watched.legs->judge(0, datagram, after(0ms)));
  static_cast<void>(watched.legs->judge(1, datagram, after(late)));
  const auto class_at = [&](double rule_bps) {
    return make_leg(watched, 1, now, stream_bps(watched, rule_bps, now)).path_class;
  };
  CHECK(class_at(539e6) == "C");
  CHECK(class_at(540e6) == (late == 149ms ? "C" : "none"));
}

TEST_CASE("failover as JSON, and back") {
  FailoverView view{2, true, true, 12.5, 3, FailoverView::Last{1, 2, "failed", 0.5}};
  CHECK(failover_from_json(to_json(view)) == view);
  view.last.reset();
  view.by_hand_left_s.reset();
  CHECK(failover_from_json(to_json(view)) == view);
  CHECK(failover_line(view).find("input 2 is on air by hand") == 0);
  for (const bool joined : {true, false}) {
    const FailoverInput input{7, true, joined, false, "silent for 0.3 s"};
    nlohmann::json object;
    write_failover_input(object, input);
    CHECK(failover_input_from_json(object) == input);
    object.erase("joined");  // as before 0.2
    CHECK(failover_input_from_json(object)->joined);
  }
  CHECK(failover_line({2, false, false, false, "not joined: warm = false"}) ==
        "priority 2, not joined: warm = false");
  CHECK_FALSE(failover_input_from_json(nlohmann::json::object()));
}

TEST_CASE("what another daemon may say of legs") {
  CHECK_FALSE(leg_from_json({}));
  CHECK_FALSE(merge_from_json(3));
  CHECK_FALSE(failover_from_json("no"));
  CHECK(leg_from_json(nlohmann::json{{"skew_us", 1}, {"received", "x"}}) ==
        MergedLeg{.received = 0,
                  .unique = 0,
                  .duplicates = 0,
                  .late = 0,
                  .standby = 0,
                  .missing = {},
                  .skew_p50_us = {},
                  .skew_max_us = {},
                  .path_class = "",
                  .up = false,
                  .copy = false});
}
