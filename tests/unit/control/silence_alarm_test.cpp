#include "mcr/control/silence_alarm.hpp"

#include <vector>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;
using Event = SilenceAlarm::Event;
using State = SilenceAlarm::State;

namespace {

constexpr Hearing::Time start{1000s};

/// One look, in seconds after the start.
struct Look {
  double at;
  double pps;
  std::optional<double> last_seen;
  State state;
  Event event = Event::none;
  bool listening = true;
};

Hearing::Time time_at(double seconds) {
  return start + std::chrono::duration_cast<Hearing::Time::duration>(
                     std::chrono::duration<double>(seconds));
}

Hearing hearing(const Look& look) {
  Hearing result{.now = time_at(look.at),
                 .listening = look.listening,
                 .pps = look.pps,
                 .last_seen = {},
                 .last_source = {}};
  if (look.last_seen) {
    result.last_seen = time_at(*look.last_seen);
    result.last_source = {*IpAddress::parse("10.0.0.5"), 40000};
  }
  return result;
}

/// Plays the looks; returns the alarm after the last.
SilenceAlarm play(const Expectation& expect, const std::vector<Look>& looks) {
  SilenceAlarm alarm;
  for (const auto& look : looks) {
    INFO("at " << look.at << " s");
    CHECK(alarm.update(expect, hearing(look)) == look.event);
    CHECK(static_cast<int>(alarm.state()) == static_cast<int>(look.state));
  }
  return alarm;
}

}  // namespace

TEST_CASE("alarm: a stream that stops and returns is told of once each") {
  const Expectation expect{0, 2s};
  auto alarm = play(expect, {
                                {0, 0, {}, State::lacking},
                                {1, 50, 0.9, State::content},
                                {2, 50, 1.9, State::content},
                                {3, 0, 1.9, State::lacking},
                                {4, 0, 1.9, State::silent, Event::fell_silent},
                                {5, 0, 1.9, State::silent},
                                {9, 0, 1.9, State::silent},
                            });
  CHECK(alarm.reason(expect, hearing({10, 0, 1.9, State::silent})) ==
        "no datagram for 8 s; last from 10.0.0.5:40000");
  CHECK(alarm.lacking_for(time_at(10)) == 8s);
  CHECK(alarm.update(expect, hearing({10, 50, 9.9, State::content})) == Event::returned);
  CHECK(alarm.update(expect, hearing({11, 50, 10.9, State::content})) == Event::none);
}

TEST_CASE("alarm: a rule that never heard anything is silent, too") {
  const Expectation expect{0, 2s};
  const auto alarm = play(expect, {
                                      {0, 0, {}, State::lacking},
                                      {1, 0, {}, State::lacking},
                                      {2, 0, {}, State::silent, Event::fell_silent},
                                  });
  CHECK(alarm.reason(expect, hearing({4, 0, {}, State::silent})) ==
        "no datagram since it became active, 4 s ago");
}

TEST_CASE("alarm: a pause shorter than silent_after is none") {
  play({0, 5s}, {
                    {0, 0, {}, State::lacking},
                    {1, 1, 0.5, State::content},
                    {2, 0, 0.5, State::lacking},
                    {5, 0, 0.5, State::lacking},
                    {6, 1, 5.4, State::content},
                    {10, 0, 5.4, State::lacking},
                    {11, 0, 5.4, State::silent, Event::fell_silent},
                });
}

TEST_CASE("alarm: too few datagrams are silence as well") {
  const Expectation expect{100, 2s};
  const auto alarm = play(expect, {
                                      {0, 0, {}, State::lacking},
                                      {1, 100, 1, State::content},
                                      {2, 99, 2, State::lacking},
                                      {3, 12, 3, State::silent, Event::fell_silent},
                                      {4, 99, 4, State::silent},
                                      {5, 101, 5, State::content, Event::returned},
                                      {6, 12, 6, State::lacking},
                                      {7, 12, 7, State::silent, Event::fell_silent},
                                  });
  CHECK(alarm.reason(expect, hearing({7, 12.4, 7, State::silent})) ==
        "12 datagrams/s, expected at least 100");
  CHECK(alarm.reason(expect, hearing({12, 0, 7, State::silent})) ==
        "no datagram for 5 s; last from 10.0.0.5:40000");
}

TEST_CASE("alarm: a rule that does not run is not silent, and begins anew when it does") {
  play({0, 2s}, {
                    {0, 0, {}, State::off, Event::none, false},
                    {9, 0, {}, State::off, Event::none, false},
                    {10, 0, {}, State::lacking},
                    {12, 0, {}, State::silent, Event::fell_silent},
                    {13, 0, {}, State::off, Event::none, false},
                    {20, 0, {}, State::lacking},
                    {21, 0, {}, State::lacking},
                    {22, 0, {}, State::silent, Event::fell_silent},
                });
}
