#include "mcr/packet/filter.hpp"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "packet/filter_machine.hpp"

using mcr::compile_filter;
using mcr::FilterDestination;
using mcr::IpAddress;
using namespace mcr::filter_test;

namespace {

/// The reference: compares with each destination in turn.
class Wanted {
 public:
  explicit Wanted(const Destinations& destinations) {
    for (const auto& each : destinations)
      all_.insert({each.address.to_v4(), each.port});
  }
  bool address(std::uint32_t address) const {
    auto found = all_.lower_bound({address, 0});
    return found != all_.end() && found->first == address;
  }
  bool port(std::uint32_t address, std::uint16_t port) const {
    return all_.count({address, 0}) + all_.count({address, port}) > 0;
  }

 private:
  std::set<std::pair<std::uint32_t, std::uint16_t>> all_;
};

/// A random destination: one of the set, a neighbour of one in address or port, or any other.
FrameSpec random_frame(Random& random, const Destinations& destinations) {
  const auto& near = destinations[pick(random, 0, std::uint32_t(destinations.size()) - 1)];
  FrameSpec frame{near.address.to_v4(), near.port};
  if (pick(random, 0, 1) != 0) frame.address += pick(random, 0, 4) - 2;
  if (pick(random, 0, 1) != 0) frame.port = std::uint16_t(frame.port + pick(random, 0, 4) - 2);
  if (pick(random, 0, 9) == 0) frame.address = pick(random, 0, 0xFFFFFFFF);
  if (pick(random, 0, 9) == 0) frame.port = std::uint16_t(pick(random, 0, 65535));
  if (pick(random, 0, 4) == 0) frame.fragment = std::uint16_t(pick(random, 0, 65535));
  if (pick(random, 0, 4) == 0) frame.option_bytes = 4 * pick(random, 1, 10);
  return frame;
}

bool port_is_readable(const FrameSpec& frame) {
  return (frame.fragment & 0x3FFFU) == 0 && frame.option_bytes == 0;
}

}  // namespace

TEST_CASE("filter: without destinations nothing passes") {
  FrameSpec frame{number("239.1.1.1"), 5000};
  CHECK_FALSE(passes(mcr::drop_all_filter(), frame));
  CHECK_FALSE(passes(compile_filter({}, untagged, 14, roomy), frame));
  CHECK_FALSE(
      passes(compile_filter(Destinations{destination("ff05::1", 0)}, untagged, 14, roomy), frame));
}

TEST_CASE("filter: one destination") {
  auto program = compile_filter(Destinations{destination("239.1.1.1", 5000)}, untagged, 14, roomy);
  require_sound(program);
  FrameSpec good{number("239.1.1.1"), 5000};
  CHECK(passes(program, good));
  auto without = [&](auto change) {
    auto frame = good;
    change(frame);
    return passes(program, frame);
  };
  CHECK_FALSE(without([](FrameSpec& f) { f.port = 5001; }));
  CHECK_FALSE(without([](FrameSpec& f) { f.port = 4999; }));
  CHECK_FALSE(without([](FrameSpec& f) { f.port = 0; }));
  CHECK_FALSE(without([](FrameSpec& f) { ++f.address; }));
  CHECK_FALSE(without([](FrameSpec& f) { --f.address; }));
  CHECK_FALSE(without([](FrameSpec& f) { f.protocol = 6; }));
  CHECK_FALSE(without([](FrameSpec& f) { f.version = 6; }));
  CHECK_FALSE(without([](FrameSpec& f) { f.packet_type = PACKET_OTHERHOST; }));
  CHECK(without([](FrameSpec& f) { f.packet_type = PACKET_HOST; }));
  CHECK(without([](FrameSpec& f) { f.packet_type = PACKET_BROADCAST; }));
}

TEST_CASE("filter: port 0 is any port, and swallows the address's other ports") {
  auto program =
      compile_filter(Destinations{destination("239.1.1.1", 5000), destination("239.1.1.1", 0)},
                     untagged, 14, roomy);
  CHECK(passes(program, FrameSpec{number("239.1.1.1"), 1}));
  CHECK(passes(program, FrameSpec{number("239.1.1.1"), 65535}));
  CHECK_FALSE(passes(program, FrameSpec{number("239.1.1.2"), 5000}));
}

TEST_CASE("filter: without a link header") {
  auto program = compile_filter(Destinations{destination("239.1.1.1", 5000)}, untagged, 0, roomy);
  CHECK(passes(program, FrameSpec{number("239.1.1.1"), 5000, 0}));
  CHECK_FALSE(passes(program, FrameSpec{number("239.1.1.1"), 5001, 0}));
  CHECK_FALSE(passes(program, FrameSpec{number("239.1.1.2"), 5000, 0}));
}

TEST_CASE("filter: if the port cannot be read, the address decides") {
  auto program = compile_filter(Destinations{destination("239.1.1.1", 5000)}, untagged, 14, roomy);
  auto frame = [](const char* address, std::uint16_t fragment, std::size_t options) {
    return FrameSpec{number(address), 7, 14, fragment, options};
  };
  CHECK(passes(program, frame("239.1.1.1", 0x2000, 0)));  // the first fragment
  CHECK(passes(program, frame("239.1.1.1", 0x20B9, 0)));  // in the middle
  CHECK(passes(program, frame("239.1.1.1", 0x0001, 0)));  // the last
  CHECK(passes(program, frame("239.1.1.1", 0, 4)));
  CHECK(passes(program, frame("239.1.1.1", 0x00B9, 40)));
  CHECK_FALSE(passes(program, frame("239.1.1.2", 0x2000, 0)));
  CHECK_FALSE(passes(program, frame("239.1.1.2", 0x00B9, 0)));
  CHECK_FALSE(passes(program, frame("239.1.1.2", 0, 4)));
  CHECK_FALSE(passes(program, frame("239.1.1.1", 0x4000, 0)));  // "don't fragment" is no fragment
}

TEST_CASE("filter: a frame that is cut off behind its address passes, to be counted") {
  auto program = compile_filter(Destinations{destination("239.1.1.1", 5000)}, untagged, 14, roomy);
  auto whole = build({number("239.1.1.1"), 5001});
  for (std::size_t size = 0; size <= whole.bytes.size(); ++size) {
    Frame cut{{whole.bytes.begin(), whole.bytes.begin() + std::ptrdiff_t(size)}};
    CAPTURE(size);
    CHECK(passes(program, cut) == (size >= 14 + 20 && size < 14 + 24));
  }
}

TEST_CASE("filter: neighbours with equal ports share their code") {
  Destinations groups;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    groups.push_back({IpAddress::v4(0xEF010000 + i), 5000});
  }
  auto one = compile_filter(std::span(groups).first(1), untagged, 14, roomy);
  auto program = compile_filter(groups, untagged, 14, roomy);
  CHECK(program.size() <= one.size() + 2);
  CHECK(passes(program, FrameSpec{0xEF010000 + 999, 5000}));
  CHECK_FALSE(passes(program, FrameSpec{0xEF010000 + 999, 5001}));
  CHECK_FALSE(passes(program, FrameSpec{0xEF010000 + 1000, 5000}));

  for (std::size_t i = 0; i < groups.size(); i += 2)
    groups[i].port = 5002;
  for (auto& group : groups)
    group.address = IpAddress::v4(2 * group.address.to_v4());
  program = compile_filter(groups, untagged, 14, roomy);
  CHECK(program.size() < 2 * groups.size() + 150);  // one port check each, and relays to them
}

TEST_CASE("filter: the ends of the number ranges") {
  Destinations ends{destination("0.0.0.0", 1), destination("255.255.255.255", 65535),
                    destination("0.0.0.1", 65535)};
  auto program = compile_filter(ends, untagged, 14, roomy);
  CHECK(passes(program, FrameSpec{0, 1}));
  CHECK(passes(program, FrameSpec{0xFFFFFFFF, 65535}));
  CHECK(passes(program, FrameSpec{1, 65535}));
  CHECK_FALSE(passes(program, FrameSpec{0, 65535}));
  CHECK_FALSE(passes(program, FrameSpec{0xFFFFFFFF, 1}));
  CHECK_FALSE(passes(program, FrameSpec{2, 65535}));

  program = compile_filter(ends, untagged, 14, 13);  // one range: every address
  CHECK(passes(program, FrameSpec{number("10.0.0.1"), 9}));
  CHECK_FALSE(passes(program, FrameSpec{1, 65535, 14, 0, 0, 6}));
}

TEST_CASE("filter: equals the reference while the program fits") {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    auto spread = std::uint32_t{1} << pick(random, 0, 24);
    auto ports = std::uint32_t{1} << pick(random, 0, 12);
    auto count = pick(random, 1, round % 10 == 0 ? 800 : 60);
    auto destinations = random_destinations(random, count, spread, ports);
    Wanted wanted(destinations);
    auto program = compile_filter(destinations, untagged, 14, roomy);
    require_sound(program);
    REQUIRE(program.size() < roomy);  // so it is the full one
    for (int i = 0; i < 400; ++i) {
      auto frame = random_frame(random, destinations);
      CAPTURE(round, frame.address, frame.port, frame.fragment, frame.option_bytes);
      auto expected = port_is_readable(frame) ? wanted.port(frame.address, frame.port)
                                              : wanted.address(frame.address);
      REQUIRE(passes(program, frame) == expected);
    }
  }
}

TEST_CASE("filter: shortened to any limit, it still passes all that is wanted") {
  Random random(2);
  for (std::size_t limit :
       {0U, 1U, 2U, 11U, 12U, 13U, 14U, 20U, 50U, 300U, 624U, 1264U, 4096U, 100'000U}) {
    for (std::size_t count : {1U, 5U, 100U, 1000U, 10'000U}) {
      auto destinations = random_destinations(random, count, 0x0FFFFFFF, 65535);
      Wanted wanted(destinations);
      auto program = compile_filter(destinations, untagged, 14, limit);
      require_sound(program);
      CAPTURE(limit, count, program.size());
      REQUIRE(program.size() <=
              std::max<std::size_t>(kind_checks, std::min<std::size_t>(limit, 4096)));
      for (int i = 0; i < 2000; ++i) {
        auto frame = random_frame(random, destinations);
        if (wanted.port(frame.address, frame.port)) REQUIRE(passes(program, frame));
      }
    }
  }
}

TEST_CASE("filter: port checks go first, then the narrowest gaps") {
  Destinations destinations;
  for (std::uint32_t i = 0; i < 100; ++i) {  // 100 pairs with one address between, far apart
    destinations.push_back({IpAddress::v4(0xE0000000 + (i << 16U)), std::uint16_t(1000 + i)});
    destinations.push_back({IpAddress::v4(0xE0000002 + (i << 16U)), std::uint16_t(3000 + i)});
  }
  auto full = compile_filter(destinations, untagged, 14, roomy);
  REQUIRE_FALSE(passes(full, FrameSpec{0xE0000000, 1}));

  auto no_ports = compile_filter(destinations, untagged, 14, full.size() - 1);
  CHECK(passes(no_ports, FrameSpec{0xE0000000, 1}));
  CHECK_FALSE(passes(no_ports, FrameSpec{0xE0000001, 1000}));

  auto pairs = compile_filter(destinations, untagged, 14, 212);
  CHECK(pairs.size() == 212);  // no more was given up than needed
  for (std::uint32_t i = 0; i < 100; ++i) {
    CHECK(passes(pairs, FrameSpec{0xE0000001 + (i << 16U), 1000}));
    CHECK_FALSE(passes(pairs, FrameSpec{0xE0000003 + (i << 16U), 1000}));
  }
}

TEST_CASE("filter: the smallest programs") {
  Destinations two{destination("239.1.1.1", 5000), destination("239.1.1.9", 6000)};
  auto one_range = compile_filter(two, untagged, 14, 14);
  CHECK(passes(one_range, FrameSpec{number("239.1.1.5"), 1}));
  CHECK_FALSE(passes(one_range, FrameSpec{number("239.1.1.10"), 5000}));
  CHECK(passes(compile_filter(two, untagged, 14, 13), FrameSpec{number("239.1.1.10"), 5000}));
}

namespace {

/// A datagram to the destination of every_kind(), as each kind of socket sees it.
Frame as_untagged() {
  return build({number("239.1.1.1"), 5000});
}

Frame as_tagged(std::uint16_t vlan) {
  auto frame = as_untagged();
  frame.tag_protocol = ETH_P_8021Q;
  frame.tag = static_cast<std::uint16_t>(0x5000U | vlan);  // with a priority
  return frame;
}

Frame as_outgoing() {
  auto frame = as_untagged();
  frame.packet_type = PACKET_OUTGOING;
  return frame;
}

template <typename Change>
Frame changed(Frame frame, Change change) {
  change(frame);
  return frame;
}

/// Destinations for a socket's kind: every frame of the kind passes at limit 0, some at 26, the
/// right ones where there is room.
Program of_kind(mcr::RxKey key, std::size_t limit) {
  const Destinations destinations{destination("239.1.1.1", 5000), destination("239.9.1.1", 5000)};
  auto program = compile_filter(destinations, key, 14, limit);
  require_sound(program);
  return program;
}

}  // namespace

TEST_CASE("filter: a port of a bridge passes what the bridge would take") {
  const std::size_t limit = GENERATE(std::size_t{0}, std::size_t{26}, std::size_t{roomy});
  CAPTURE(limit);
  auto key = untagged;
  key.all_protocols = true;
  const auto program = of_kind(key, limit);
  CHECK(passes(program, as_untagged()));
  CHECK(passes(program, changed(as_untagged(), [](Frame& f) {
                 f.packet_type = PACKET_OTHERHOST;  // for the bridge's own address
               })));
  CHECK(passes(program, as_tagged(0)));
  CHECK_FALSE(passes(program, as_tagged(100)));
  CHECK_FALSE(passes(program, as_outgoing()));
  CHECK_FALSE(passes(program, changed(as_untagged(), [](Frame& f) { f.ethertype = ETH_P_ARP; })));
}

TEST_CASE("filter: each kind of socket passes its own frames") {
  const std::size_t limit = GENERATE(std::size_t{0}, std::size_t{26}, std::size_t{roomy});
  CAPTURE(limit);
  const auto program_of = [&](mcr::InputKind kind) {
    auto key = untagged;
    key.kind = kind;
    return of_kind(key, limit);
  };

  SECTION("untagged") {
    const auto program = program_of({});
    CHECK(passes(program, as_untagged()));
    CHECK_FALSE(passes(program,
                       changed(as_untagged(), [](Frame& f) { f.packet_type = PACKET_OTHERHOST; })));
    CHECK_FALSE(passes(program, changed(as_untagged(), [](Frame& f) { ++f.interface_index; })));
  }
  SECTION("of a VLAN") {
    const auto program = program_of({.vlan = 100});
    CHECK(passes(program, as_tagged(100)));
    CHECK_FALSE(passes(program, as_untagged()));
    for (const std::uint16_t vlan : std::initializer_list<std::uint16_t>{0, 99, 101, 4095})
      CHECK_FALSE(passes(program, as_tagged(vlan)));
    CHECK_FALSE(
        passes(program, changed(as_tagged(100), [](Frame& f) { f.tag_protocol = ETH_P_8021AD; })));
    CHECK_FALSE(
        passes(program, changed(as_tagged(100), [](Frame& f) { f.ethertype = ETH_P_8021Q; })));
    CHECK_FALSE(
        passes(program, changed(as_tagged(100), [](Frame& f) { f.ethertype = ETH_P_IPV6; })));
    CHECK_FALSE(passes(
        program, changed(as_tagged(100), [](Frame& f) { f.packet_type = PACKET_OTHERHOST; })));
    CHECK_FALSE(passes(program,
                       changed(as_tagged(100), [](Frame& f) { f.packet_type = PACKET_OUTGOING; })));
  }
  SECTION("local") {
    const auto program = program_of({.local = true});
    CHECK(passes(program, as_outgoing()));
    CHECK_FALSE(passes(program, as_untagged()));
    CHECK_FALSE(
        passes(program, changed(as_outgoing(), [](Frame& f) { f.tag_protocol = ETH_P_8021Q; })));
    CHECK_FALSE(
        passes(program, changed(as_outgoing(), [](Frame& f) { f.ethertype = ETH_P_8021Q; })));
    CHECK_FALSE(
        passes(program, changed(as_outgoing(), [](Frame& f) { f.packet_type = PACKET_HOST; })));
  }
}

TEST_CASE("filter: a limit is used up") {
  Random random(3);
  auto destinations = random_destinations(random, 10'000, 0x0FFFFFFF, 65535);
  for (std::size_t limit : {624U, 1264U, 4096U}) {
    CHECK(compile_filter(destinations, untagged, 14, limit).size() > limit * 9 / 10);
  }
}

TEST_CASE("filter: the kernel accepts the programs") {
  check_kernel_accepts([](Random& random, auto count, auto spread, auto limit) {
    return compile_filter(random_destinations(random, count, spread, 1000), untagged, 14, limit);
  });
}
