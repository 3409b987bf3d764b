#include "mcr/control/quality_alarm.hpp"

#include <vector>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;
using Event = QualityAlarm::Event;

namespace {

constexpr QualityLook::Time start{1000s};

/// A window of 10 s that begins with nothing and ends with `to`.
QualityWindow window(QualityLook to) {
  to.at = start + 10s;
  return {{start}, std::move(to), true, start + 8s, start + 8s};
}

Expectation expecting(auto Expectation::*member, auto value) {
  Expectation expect;
  expect.*member = value;
  return expect;
}

/// A stream of 1,000 datagrams of 1,000 bytes a second.
QualityLook after(int seconds) {
  QualityLook look;
  look.at = start + std::chrono::seconds(seconds);
  look.received = static_cast<std::uint64_t>(seconds) * 1000;
  look.bytes = look.received * 1000;
  return look;
}

}  // namespace

TEST_CASE("quality: each shortcoming in words") {
  const auto loss = expecting(&Expectation::max_loss_ppm, 1000U);
  const auto no_loss = expecting(&Expectation::max_loss_ppm, 0U);
  const auto cc = expecting(&Expectation::max_cc_errors, 0U);
  const auto few_cc = expecting(&Expectation::max_cc_errors, 5U);
  const auto pids = expecting(&Expectation::pids, std::vector<std::uint16_t>{256, 257});
  const auto least = expecting(&Expectation::min_bps, 15'000'000U);
  const auto most = expecting(&Expectation::max_bps, 25'000'000U);
  const struct {
    Expectation expect;
    QualityLook to;
    std::string text;
  } table[] = {
      {loss, {.received = 9990, .lost = 10}, ""},
      {loss,
       {.received = 9880, .lost = 120},
       "120 of 10000 datagrams lost in 10 s (1.2%, at most 0.1% expected); last 2 s ago"},
      {no_loss, {.received = 9999}, ""},
      {no_loss,
       {.received = 9999, .lost = 1},
       "1 of 10000 datagrams lost in 10 s (0.01%, at most 0% expected); last 2 s ago"},
      {no_loss, {}, ""},
      {cc, {.pids = {{257, 500, 0}}}, ""},
      {cc,
       {.cc_errors = 3, .pids = {{256, 500, 0}, {257, 500, 3}}},
       "3 TS continuity errors on PID 257 in 10 s; last 2 s ago"},
      {cc, {.cc_errors = 1}, "1 TS continuity error in 10 s; last 2 s ago"},
      {few_cc, {.cc_errors = 5}, ""},
      {few_cc,
       {.cc_errors = 6, .pids = {{256, 9, 1}, {257, 9, 1}, {258, 9, 1}, {259, 9, 1}, {260, 9, 2}}},
       "6 TS continuity errors on PIDs 256, 257, 258, 259 and 1 more in 10 s, at most 5 expected; "
       "last 2 s ago"},
      {pids, {.pids = {{257, 1, 0}, {256, 1, 0}}}, ""},
      {pids, {.pids = {{257, 1, 0}}}, "PID 256 missing for 10 s"},
      {pids, {}, "PIDs 256, 257 missing for 10 s"},
      {least, {.bytes = 18'750'000}, ""},
      {least, {.bytes = 15'375'000}, "12.3 Mbit/s over 10 s, expected at least 15 Mbit/s"},
      {most, {.bytes = 31'250'000}, ""},
      {most, {.bytes = 40'000'000}, "32 Mbit/s over 10 s, expected at most 25 Mbit/s"},
  };
  for (const auto& [expect, to, text] : table) {
    CAPTURE(text);
    CHECK(shortcomings(expect, window(to)) == text);
  }
}

TEST_CASE("quality: the path is not blamed for what MCR itself has dropped") {
  auto expect = expecting(&Expectation::max_loss_ppm, 0U);
  expect.max_cc_errors = 0;
  const auto text = [&](std::uint64_t lost, std::uint64_t errors, std::uint64_t own) {
    return shortcomings(
        expect, window({.received = 100, .lost = lost, .cc_errors = errors, .own_drops = own}));
  };
  const auto ends = [](const std::string& whole, const std::string& end) {
    INFO(whole);
    CHECK(whole.ends_with(end));
  };
  ends(text(5, 0, 0), "last 2 s ago");
  ends(text(5, 0, 5), "last 2 s ago; MCR itself dropped 5 frames at its receive socket meanwhile");
  ends(text(5, 0, 1),
       "; the path's loss cannot be told from MCR's own: it dropped 1 frame at its receive socket "
       "meanwhile");
  ends(text(0, 5, 9),
       "; the path's loss cannot be told from MCR's own: it dropped 9 frames at its receive socket "
       "meanwhile");
  CHECK(text(5, 5, 9) ==
        "5 of 105 datagrams lost in 10 s (4.76%, at most 0% expected); last 2 s ago; MCR itself "
        "dropped 9 frames at its receive socket meanwhile. 5 TS continuity errors in 10 s; last "
        "2 s ago");
  CHECK(text(0, 0, 9).empty());

  expect = expecting(&Expectation::min_bps, std::uint64_t{1'000'000'000});
  ends(text(0, 0, 0), "at least 1 Gbit/s");
  ends(text(0, 0, 1),
       "at least 1 Gbit/s; the path's loss cannot be told from MCR's own: it dropped 1 frame at "
       "its receive socket meanwhile");
  expect = expecting(&Expectation::pids, std::vector<std::uint16_t>{300});
  ends(text(0, 0, 1),
       "PID 300 missing for 10 s; the path's loss cannot be told from MCR's own: it dropped 1 "
       "frame at its receive socket meanwhile");
}

TEST_CASE("quality: what began a moment ago is not judged by its rate") {
  Expectation expect = expecting(&Expectation::pids, std::vector<std::uint16_t>{256});
  expect.max_loss_ppm = 0;
  expect.min_bps = 1'000'000;
  expect.max_cc_errors = 0;
  auto young = window({.lost = 1, .cc_errors = 1});
  young.whole = false;
  CHECK(shortcomings(expect, young) == "1 TS continuity error in 10 s; last 2 s ago");
}

TEST_CASE("quality: a fault begins once, and ends when it has left the window") {
  auto expect = expecting(&Expectation::max_cc_errors, 0U);
  expect.within = 10s;
  QualityAlarm alarm;
  for (int at = 0; at <= 40; ++at) {
    INFO("at " << at << " s");
    auto look = after(at);
    if (at >= 5) look.cc_errors = 2;
    if (at >= 7) look.cc_errors = 3;
    const auto event = alarm.update(expect, true, look);
    CHECK(event == (at == 5 ? Event::began : at == 17 ? Event::ended : Event::none));
    CHECK(alarm.degraded() == (at >= 5 && at < 17));
    if (at == 9) CHECK(alarm.reason() == "3 TS continuity errors in 9 s; last 2 s ago");
    if (at == 16) CHECK(alarm.reason() == "1 TS continuity error in 10 s; last 9 s ago");
    if (at == 17) CHECK(alarm.lasted(look.at) == 12s);
  }
}

TEST_CASE("quality: a long window is made of few looks, and is as long") {
  auto expect = expecting(&Expectation::max_loss_ppm, 0U);
  expect.within = 300s;
  QualityAlarm alarm;
  int degraded = 0;
  for (int at = 0; at <= 1000; ++at) {
    auto look = after(at);
    look.lost = at >= 400 ? 1U : 0U;
    static_cast<void>(alarm.update(expect, true, look));
    degraded += alarm.degraded() ? 1 : 0;
  }
  CHECK(degraded >= 299);
  CHECK(degraded <= 331);  // a window may be a tenth longer
}

TEST_CASE("quality: silence ends it, and what comes after begins anew") {
  auto expect = expecting(&Expectation::min_bps, 7'000'000U);
  expect.within = 2s;
  QualityAlarm alarm;
  CHECK(alarm.update(expect, true, after(0)) == Event::none);
  CHECK(alarm.update(expect, true, after(1)) == Event::none);
  CHECK(alarm.update(expect, true, after(2)) == Event::none);
  auto look = after(2);
  look.at += 1s;
  CHECK(alarm.update(expect, true, look) == Event::began);
  look.at += 1s;
  CHECK(alarm.update(expect, false, look) == Event::ended);
  CHECK_FALSE(alarm.degraded());
  look.at += 100s;
  CHECK(alarm.update(expect, true, look) == Event::none);
  for (int i = 0; i < 10; ++i) {
    look.at += 1s;
    look.bytes += 1'000'000;
    CHECK(alarm.update(expect, true, look) == Event::none);
  }
}

TEST_CASE("quality: counts that begin anew are no loss and no dearth") {
  auto expect = expecting(&Expectation::min_bps, 7'000'000U);
  expect.max_cc_errors = 0;
  QualityAlarm alarm;
  for (int at = 0; at < 20; ++at)
    CHECK(alarm.update(expect, true, after(at)) == Event::none);
  for (int at = 0; at < 20; ++at) {
    auto look = after(at);
    look.at += 20s;
    CHECK(alarm.update(expect, true, look) == Event::none);
  }
}

TEST_CASE("quality: a drop that shows as a loss one or two looks later is still MCR's own") {
  const int shows_at = GENERATE(6, 7);
  auto expect = expecting(&Expectation::max_loss_ppm, 0U);
  expect.within = 2s;
  QualityAlarm alarm;
  for (int at = 0; at <= 10; ++at) {
    INFO("at " << at << " s");
    auto look = after(at);
    look.own_drops = at >= 5 ? 4 : 0;
    look.lost = at >= shows_at ? 4 : 0;
    static_cast<void>(alarm.update(expect, true, look));
    if (!alarm.degraded()) continue;
    CHECK(alarm.reason().find("MCR itself dropped 4 frames") != std::string::npos);
    CHECK(alarm.own_loss());
  }
}
