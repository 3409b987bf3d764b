#include <algorithm>
#include <ostream>

#include "catch.hpp"
#include "mcr/traffic/test_datagram.hpp"

using mcr::group_index;
using mcr::IpAddress;
using mcr::LatencyHistogram;
using mcr::Probe;
using mcr::ProbeWriter;
using mcr::read_probe;
using mcr::SequenceTracker;
using mcr::StreamLayout;
using mcr::TrafficJudge;

namespace {

using Payload = std::vector<std::uint8_t>;

Payload datagram(std::size_t size, const Probe& probe) {
  const ProbeWriter writer(size);
  Payload payload(size);
  writer.fill(payload);
  writer.stamp(payload, probe);
  return payload;
}

struct Verdict {
  std::uint64_t lost, duplicated, reordered;
  bool operator==(const Verdict&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Verdict& v) {
  return out << "lost " << v.lost << " duplicated " << v.duplicated << " reordered " << v.reordered;
}

Verdict track(std::initializer_list<std::uint64_t> sequences) {
  SequenceTracker tracker;
  for (auto sequence : sequences)
    tracker.saw(sequence);
  return {tracker.lost(), tracker.duplicated(), tracker.reordered()};
}

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

}  // namespace

TEST_CASE("a probe is read as it was written, at every size") {
  const Probe probe{7, 0x0123456789ABCDEF, 1'700'000'000'123'456'789};
  for (std::size_t size :
       {32U, 33U, 39U, 40U, 41U, 63U, 64U, 95U, 96U, 1400U, 1472U, 8972U, 65507U}) {
    CAPTURE(size);
    CHECK(read_probe(datagram(size, probe)) == probe);
  }
}

TEST_CASE("the header lies as documented, little-endian") {
  const auto payload = datagram(64, {0x04030201, 0x0C0B0A0908070605, 0x1122334455667788});
  const Payload head(payload.begin(), payload.begin() + 24);
  CHECK(head == Payload{'M',  'C',  'p',  '1',  1,    2,    3,    4,
                        5,    6,    7,    8,    9,    10,   11,   12,  //
                        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11});
}

TEST_CASE("payloads too small for a header are filler") {
  for (std::size_t size : {0U, 1U, 31U}) {
    CHECK_FALSE(read_probe(datagram(size, {})));
    CHECK(datagram(size, {1, 2, 3}) == datagram(size, {4, 5, 6}));
  }
}

TEST_CASE("a stamp costs no pass over the filler: memory is used again") {
  const ProbeWriter writer(100);
  Payload payload(100);
  writer.fill(payload);
  for (std::uint64_t n = 0; n < 10; ++n) {
    writer.stamp(payload, {0, n, n});
    CHECK(read_probe(payload) == Probe{0, n, n});
  }
}

TEST_CASE("every single flipped bit is found") {
  for (std::size_t size : {32U, 45U, 200U}) {
    auto payload = datagram(size, {3, 99, 12345});
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
      payload[bit / 8] ^= mask;
      INFO("size " << size << " bit " << bit);
      CHECK_FALSE(read_probe(payload));
      payload[bit / 8] ^= mask;
    }
    CHECK(read_probe(payload));
  }
}

TEST_CASE("a changed length, exchanged words and two equal flips are found") {
  const auto good = datagram(200, {3, 99, 12345});
  auto payload = good;
  payload.pop_back();
  CHECK_FALSE(read_probe(payload));
  payload = good;
  payload.push_back(0);
  CHECK_FALSE(read_probe(payload));
  for (std::size_t distance : {8U, 16U, 32U, 64U}) {
    payload = good;
    std::swap_ranges(payload.begin() + 40, payload.begin() + 48,
                     payload.begin() + 40 + static_cast<std::ptrdiff_t>(distance));
    CHECK_FALSE(read_probe(payload));
    payload = good;
    payload[47] ^= 0x80;
    payload[47 + distance] ^= 0x80;
    CHECK_FALSE(read_probe(payload));
  }
}

TEST_CASE("sequences: one verdict for each kind of fault") {
  CHECK(track({}) == Verdict{0, 0, 0});
  CHECK(track({0, 1, 2, 3}) == Verdict{0, 0, 0});
  CHECK(track({5, 6, 7}) == Verdict{0, 0, 0});     // counted from the first seen
  CHECK(track({0, 1, 4, 5}) == Verdict{2, 0, 0});  // a gap
  CHECK(track({0, 2, 1, 3}) == Verdict{0, 0, 1});  // late: the loss is taken back
  CHECK(track({0, 3, 1, 2}) == Verdict{0, 0, 2});  // two late ones
  CHECK(track({0, 1, 1, 2}) == Verdict{0, 1, 0});  // twice
  CHECK(track({0, 0, 0}) == Verdict{0, 2, 0});     // three times
  CHECK(track({0, 2, 1, 1}) == Verdict{0, 1, 1});  // late, and twice
  CHECK(track({5, 3, 6}) == Verdict{0, 0, 1});     // before the first: nothing was lost
  CHECK(track({5, 3, 3}) == Verdict{0, 1, 1});
  CHECK(track({0, 9, 4, 4, 10}) == Verdict{7, 1, 1});  // all at once
}

TEST_CASE("sequences: the window") {
  constexpr auto window = SequenceTracker::window;
  CHECK(track({0, window}) == Verdict{window - 1, 0, 0});
  CHECK(track({0, window, 1}) == Verdict{window - 2, 0, 1});  // the oldest inside
  CHECK(track({0, window, 0}) == Verdict{window - 1, 0, 1});  // just outside: cannot be told
  CHECK(track({0, 1, 10 * window, 1}) == Verdict{10 * window - 2, 0, 1});
  // The bits of an earlier lap must not be taken for this one's.
  CHECK(track({5, 5 + window, 5 + 2 * window, 5 + window + 1}) == Verdict{2 * window - 3, 0, 1});
  CHECK(track({0, 1, 2, 3, window + 3, 5, window + 1, window + 2}) ==
        Verdict{window - 1 - 3, 0, 3});
}

TEST_CASE("sequences: a long run with known faults") {
  SequenceTracker tracker;
  for (std::uint64_t n = 0; n < 200'000; ++n) {
    if (n % 1000 == 7) continue;    // lost: 200
    if (n % 1000 == 500) continue;  // late by 100: 200
    if (n % 1000 == 600) tracker.saw(n - 100);
    tracker.saw(n);
    if (n % 2000 == 3) tracker.saw(n);  // twice: 100
  }
  CHECK(tracker.lost() == 200);
  CHECK(tracker.reordered() == 200);
  CHECK(tracker.duplicated() == 100);
}

TEST_CASE("latency percentiles keep 1.6 percent") {
  LatencyHistogram histogram;
  CHECK(histogram.at(0.5) == 0);
  for (std::uint64_t us = 1; us <= 1000; ++us)
    histogram.add(us * 1000);
  CHECK(histogram.count() == 1000);
  CHECK(histogram.max() == 1'000'000);
  const auto about = [&](double quantile, std::uint64_t ns) {
    return histogram.at(quantile) >= ns && histogram.at(quantile) - ns <= ns / 64;
  };
  CHECK(about(0.50, 500'000));
  CHECK(about(0.99, 990'000));
  CHECK(about(0.999, 999'000));
  CHECK(histogram.at(1) == 1'000'000);
}

TEST_CASE("latency: every magnitude falls into its own bucket") {
  for (std::uint64_t ns = 0; ns < std::uint64_t{1} << 41; ns = ns * 9 / 8 + 1) {
    LatencyHistogram histogram;
    histogram.add(ns);
    histogram.add(std::uint64_t{1} << 50);
    const auto read = histogram.at(0.5);
    CAPTURE(ns, read);
    CHECK(read >= ns);
    CHECK(read - ns <= ns / 64);
  }
}

TEST_CASE("streams and groups: in order from any stream on, or one stream in all") {
  StreamLayout in_order;
  CHECK(in_order.matches(2, 12));
  CHECK(in_order.matches(2, 12));
  CHECK_FALSE(in_order.matches(2, 13));
  CHECK_FALSE(in_order.matches(3, 99));  // decides nothing
  CHECK(in_order.matches(0, 10));
  CHECK(in_order.matches(7, 17));
  CHECK_FALSE(in_order.matches(7, 12));
  CHECK_FALSE(in_order.matches(2, 10));

  StreamLayout copies;
  CHECK(copies.matches(0, 0));
  CHECK(copies.matches(49, 0));
  CHECK(copies.matches(1, 0));
  CHECK_FALSE(copies.matches(1, 1));
}

TEST_CASE("groups are found by their distance from the first") {
  const auto base = ip("239.1.1.250");
  CHECK(group_index(base, 20, base) == 0U);
  CHECK(group_index(base, 20, ip("239.1.2.5")) == 11U);
  CHECK(group_index(base, 20, base.plus(19)) == 19U);
  CHECK_FALSE(group_index(base, 20, base.plus(20)));
  CHECK_FALSE(group_index(base, 20, ip("239.1.1.249")));
  CHECK_FALSE(group_index(base, 20, ip("ff05::1")));
  const auto six = ip("ff05::ffff:ffff:ffff:fff0");
  CHECK(group_index(six, 20, six.plus(19)) == 19U);
  CHECK_FALSE(group_index(six, 20, ip("ff06::ffff:ffff:ffff:fff1")));
  CHECK_FALSE(group_index(six, 20, ip("ff05::")));
}

TEST_CASE("the judge adds it all up") {
  TrafficJudge judge(2);
  const auto give = [&](std::uint32_t group, const Payload& payload) {
    judge.received(group, payload, 5000);
  };
  give(0, datagram(100, {0, 0, 1000}));
  give(1, datagram(100, {1, 0, 6000}));  // the sender's clock is ahead
  give(0, datagram(100, {0, 3, 1000}));
  give(0, datagram(100, {0, 3, 1000}));
  give(0, datagram(100, {0, 2, 1000}));
  auto broken = datagram(100, {0, 4, 1000});
  broken[99] ^= 1;
  give(0, broken);
  give(1, datagram(100, {0, 5, 1000}));  // not this group's stream
  give(1, datagram(8, {}));
  const auto totals = judge.totals();
  CHECK(totals.received == 8);
  CHECK(totals.bytes == 708);
  CHECK(totals.lost == 1);
  CHECK(totals.duplicated == 1);
  CHECK(totals.reordered == 1);
  CHECK(totals.corrupt == 2);
  CHECK_FALSE(totals.faultless());
  CHECK(judge.latency().count() == 4);
  CHECK(judge.latency().max() == 4000);
  CHECK(judge.clock_behind_ns() == 1000);
}

TEST_CASE("the judge knows for which groups nothing came") {
  TrafficJudge judge(3);
  CHECK(judge.silent_groups() == std::vector<std::uint32_t>{0, 1, 2});
  judge.received(1, datagram(8, {}), 5000);
  CHECK(judge.silent_groups() == std::vector<std::uint32_t>{0, 2});
}
