// A capture keeps some datagrams, in a ring: that it keeps it in.
#include "mcr/dataplane/capture.hpp"

#include <algorithm>
#include <thread>

#include "catch.hpp"

namespace {

using namespace mcr;
using What = CapturedDatagram::What;

struct Kept {
  CapturedDatagram about;
  std::vector<std::byte> header;
  std::vector<std::byte> payload;
};

std::vector<Kept> take_all(CaptureRing& ring) {
  std::vector<Kept> all;
  while (ring.take([&](const auto& about, auto header, auto payload) {
    all.push_back({about, {header.begin(), header.end()}, {payload.begin(), payload.end()}});
  }))
    continue;
  return all;
}

std::vector<std::byte> bytes(std::size_t count, unsigned first = 0) {
  std::vector<std::byte> result(count);
  for (std::size_t i = 0; i < count; ++i)
    result[i] = static_cast<std::byte>(first + i);
  return result;
}

/// A frame of 42 bytes of headers and this payload.
struct Received {
  explicit Received(std::size_t payload, std::uint32_t segment) : data(bytes(42 + payload)) {
    frame.slot = 3;
    frame.bytes = data;
    packet.source = {IpAddress::v4(0x0A000001U), 4000};
    packet.destination = {IpAddress::v4(0xEF010101U), 5000};
    packet.payload = std::span(data).subspan(42);
    packet.headers = 42;
    packet.segment = segment;
    packet.datagrams = static_cast<std::uint32_t>((payload + segment - 1) / segment);
  }
  std::vector<std::byte> data;
  Frame frame;
  Packet packet;
};

}  // namespace

TEST_CASE("capture: what was received is kept with its frame, if its rule is wanted") {
  const Capture capture({.rule = 7, .in = true}, 2);
  const Received one(100, 100);
  capture.received(1, 7, one.frame, one.packet);
  capture.received(1, 8, one.frame, one.packet);
  capture.dropped(1, 7, one.frame, one.packet, InputDrop::own_source);
  CHECK(take_all(capture.rings()[0]).empty());
  const auto kept = take_all(capture.rings()[1]);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].about.what == What::received);
  CHECK(kept[0].about.socket == 3);
  CHECK(kept[0].about.time_ns > 1'600'000'000'000'000'000U);
  CHECK_FALSE(kept[0].about.fit);
  CHECK(kept[0].header == bytes(42));
  CHECK(kept[0].payload == bytes(100, 42));
}

TEST_CASE("capture: a superframe is kept as its datagrams") {
  const Capture capture({.rule = 7, .in = true}, 1);
  const Received three(250, 100);
  capture.received(0, 7, three.frame, three.packet);
  const auto kept = take_all(capture.rings()[0]);
  REQUIRE(kept.size() == 3);
  CHECK(kept[2].about.fit);
  CHECK(kept[2].about.original == 50);
  CHECK(kept[2].header == bytes(42));
  CHECK(kept[1].payload == bytes(100, 142));
}

TEST_CASE("capture: a part of a superframe has the frame's headers, too, and no more") {
  const Capture capture({.rule = 7, .drops = true}, 1);
  const Received three(250, 100);
  capture.dropped(0, 7, three.frame, three.packet.part(2, 1), InputDrop::standby);
  const auto kept = take_all(capture.rings()[0]);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].header == bytes(42));
  CHECK(kept[0].payload == bytes(50, 242));
}

TEST_CASE("capture: what came before is left alone while it is read") {
  const Capture back({.rule = 7, .in = true, .since_ns = 1}, 1);
  CHECK(back.reads_past(7));
  CHECK_FALSE(back.reads_past(8));
  back.past_is_read();
  CHECK_FALSE(back.reads_past(7));
  CHECK_FALSE(Capture({.rule = 7, .in = true}, 1).reads_past(7));
}

TEST_CASE("the past of a rule has whole datagrams, each with its headers") {
  PastRing ring(4096);
  const Received three(250, 100);
  keep_in(ring, 7, three.frame, three.packet);
  std::size_t found = 0;
  for (auto place = ring.since(0); place != ring.end(); place = ring.next(place))
    capture_record::read(ring.record(place), [&](const auto& about, auto header, auto payload) {
      CHECK(about.slot == 7);
      CHECK(about.what == What::received);
      CHECK(std::ranges::equal(header, bytes(42)));
      const auto first = static_cast<unsigned>(42 + 100 * found++);
      CHECK(std::ranges::equal(payload, bytes(found == 3 ? 50 : 100, first)));
    });
  CHECK(found == 3);
}

TEST_CASE("capture: no more is kept than was asked for") {
  const Capture capture({.rule = 7, .drops = true, .snap = 64}, 1);
  const Received one(100, 100);
  capture.received(0, 7, one.frame, one.packet);
  capture.dropped(0, 7, one.frame, one.packet, InputDrop::source_denied);
  const auto kept = take_all(capture.rings()[0]);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].about.what == What::input_drop);
  CHECK(kept[0].about.reason == static_cast<std::uint8_t>(InputDrop::source_denied));
  CHECK(kept[0].payload == bytes(64 - 42, 42));
  CHECK(kept[0].about.original == 100);
}

TEST_CASE("capture: copies of its outputs, sent or dropped") {
  const Capture capture({.rule = 7, .outputs = {4, 9}, .out = true, .drops = true}, 1);
  const auto payload = bytes(30);
  const Copy copy{9, 2, {IpAddress::v4(1U), 0}, {IpAddress::v4(2U), 6000}, 16, 0};
  const Copy other{5, 2, {}, {}, 0, 0};
  capture.copied(0, copy, payload, 15, {});
  capture.copied(0, other, payload, 15, {});
  capture.copied(0, copy, payload, 30, OutputDrop::rate_limited);
  const auto kept = take_all(capture.rings()[0]);
  REQUIRE(kept.size() == 3);
  CHECK(kept[1].about.what == What::sent);
  CHECK(kept[1].payload == bytes(15, 15));
  CHECK(kept[1].about.ttl == 16);
  CHECK(kept[2].about.what == What::output_drop);
  CHECK(kept[2].about.reason == static_cast<std::uint8_t>(OutputDrop::rate_limited));
}

TEST_CASE("capture: an empty datagram is one, too") {
  const Capture capture({.rule = 7, .outputs = {4}, .out = true}, 1);
  capture.copied(0, {.output = 4}, {}, 0, {});
  CHECK(take_all(capture.rings()[0]).size() == 1);
}

TEST_CASE("a capture ring that is full misses, and goes on when there is room") {
  CaptureRing ring;
  const auto payload = bytes(1000);
  CapturedDatagram about;
  about.payload = 1000;
  std::size_t put = 0;
  for (; ring.missed() == 0; ++put)
    ring.put(about, {}, payload);
  CHECK(put > CaptureRing::capacity / 1200);
  CHECK(take_all(ring).size() == put - 1);
  for (int round = 0; round < 20'000; ++round) {  // round the end many times
    about.slot = static_cast<std::uint32_t>(round);
    ring.put(about, {}, payload);
    ring.put(about, {}, payload);
    const auto kept = take_all(ring);
    REQUIRE(kept.size() == 2);
    REQUIRE(kept[1].about.slot == about.slot);
    REQUIRE(kept[1].payload == payload);
  }
  CHECK(ring.missed() == 1);
}

TEST_CASE("a capture ring hands over what another thread puts") {
  CaptureRing ring;
  constexpr std::uint32_t count = 200'000;
  std::thread writer([&ring] {
    CapturedDatagram about;
    for (std::uint32_t i = 0; i < count; ++i) {
      about.slot = i;
      about.payload = i % 97;
      ring.put(about, {}, bytes(i % 97, i));
    }
  });
  std::uint32_t seen = 0;
  std::uint32_t wrong = 0;
  std::int64_t last = -1;
  while (seen + ring.missed() < count)
    ring.take([&](const auto& about, auto, auto payload) {
      ++seen;
      wrong += about.slot <= last || payload.size() != about.slot % 97 ||
               !std::ranges::equal(payload, bytes(payload.size(), about.slot));
      last = about.slot;
    });
  writer.join();
  CHECK(wrong == 0);
}
