// The kernel filter of IPv6 destinations: an address is compared word by word, four in all.
#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "packet/filter_machine.hpp"

using mcr::compile_filter;
using mcr::FilterDestination;
using mcr::IpAddress;
using namespace mcr::filter_test;

namespace {

constexpr mcr::RxKey ipv6{7, 0, {.family = mcr::Family::ipv6}};

/// A frame from an IPv6 host, built of its parts.
struct Ipv6Spec {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint8_t next_header = 17;  ///< else 8 bytes of another header stand before UDP
  std::size_t link_header = mcr::link_header::ethernet;
  std::uint8_t version = 6;
  std::uint8_t packet_type = PACKET_MULTICAST;
};

bool passes(const Program& program, const Ipv6Spec& spec) {
  const auto ip = spec.link_header;
  const auto udp = ip + 40 + (spec.next_header == 17 ? 0U : 8U);
  Frame frame{std::vector<std::uint8_t>(udp + 8 + 10, 0xEE), spec.packet_type};
  put(frame.bytes, ip, spec.version * 16U, 1);
  put(frame.bytes, ip + 6, spec.next_header, 1);
  std::ranges::copy(spec.address.bytes(), frame.bytes.begin() + std::ptrdiff_t(ip) + 24);
  put(frame.bytes, udp + 2, spec.port, 2);
  return passes(program, frame);
}

IpAddress six(const char* text) {
  return *IpAddress::parse(text);
}

/// The address with one of its four words changed.
IpAddress beside(const IpAddress& address, std::size_t word, std::uint32_t step) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8U | bytes[4 * word + i];
  value += step;
  for (std::size_t i = 0; i < 4; ++i)
    bytes[4 * word + i] = std::uint8_t(value >> (24 - 8 * i));
  return IpAddress::v6(bytes);
}

/// Random destinations that share words of their addresses, as real groups do.
Destinations random_ipv6(Random& random, std::size_t count, std::uint32_t spread,
                         std::uint32_t ports) {
  Destinations result;
  for (std::size_t i = 0; i < count; ++i) {
    auto address = six(pick(random, 0, 1) != 0 ? "ff15::" : "ff3e:20:2001:db8::");
    for (std::size_t word = 0; word < 3; ++word)
      if (pick(random, 0, 9) == 0) address = beside(address, word, pick(random, 0, 3));
    const auto port = pick(random, 0, 20) == 0 ? 0 : pick(random, 65536 - ports, 65535);
    result.push_back({beside(address, 3, pick(random, 0, spread)), std::uint16_t(port)});
  }
  return result;
}

bool wants(const Destinations& destinations, const Ipv6Spec& frame) {
  return std::ranges::any_of(destinations, [&](const FilterDestination& each) {
    return each.address == frame.address &&
           (each.port == 0 || each.port == frame.port || frame.next_header != 17);
  });
}

Ipv6Spec random_ipv6_frame(Random& random, const Destinations& destinations) {
  const auto& near = destinations[pick(random, 0, std::uint32_t(destinations.size()) - 1)];
  Ipv6Spec frame{near.address, near.port};
  if (pick(random, 0, 1) != 0)
    frame.address = beside(frame.address, pick(random, 0, 3), pick(random, 0, 4) - 2);
  if (pick(random, 0, 1) != 0) frame.port = std::uint16_t(frame.port + pick(random, 0, 4) - 2);
  if (pick(random, 0, 4) == 0) frame.next_header = 60;
  return frame;
}

}  // namespace

TEST_CASE("filter: one IPv6 destination") {
  const auto group = six("ff15:1:2:3:4:5:6:7");
  const Destinations one{{group, 5000}, destination("239.1.1.1", 5000)};
  for (const std::size_t link_header : {14U, 0U}) {
    const auto program = compile_filter(one, ipv6, link_header, roomy);
    require_sound(program);
    Ipv6Spec good{group, 5000};
    good.link_header = link_header;
    CHECK(passes(program, good));
    const auto without = [&](auto change) {
      auto frame = good;
      change(frame);
      return passes(program, frame);
    };
    for (std::size_t word = 0; word < 4; ++word)
      for (const std::uint32_t step : {1U, 0xFFFFFFFFU})
        CHECK_FALSE(without([&](Ipv6Spec& f) { f.address = beside(group, word, step); }));
    CHECK_FALSE(without([](Ipv6Spec& f) { f.port = 5001; }));
    CHECK_FALSE(without([](Ipv6Spec& f) { f.version = 4; }));
    CHECK_FALSE(without([](Ipv6Spec& f) { f.packet_type = PACKET_OTHERHOST; }));
    for (const auto other : std::initializer_list<std::uint8_t>{6, 50, 58, 59, 132})
      CHECK_FALSE(without([=](Ipv6Spec& f) { f.next_header = other; }));
    for (const auto extension : std::initializer_list<std::uint8_t>{0, 43, 44, 51, 60}) {
      const auto behind = [=](Ipv6Spec& f) {
        f.next_header = extension;
        f.port = 7;
      };
      CHECK(without(behind));
      CHECK_FALSE(without([&](Ipv6Spec& f) {
        behind(f);
        f.address = beside(group, 3, 1);
      }));
    }
  }
  CHECK_FALSE(passes(compile_filter(one, untagged, 14, roomy), Ipv6Spec{group, 5000}));
}

TEST_CASE("filter: IPv6 groups that differ in their last word share the rest") {
  const auto sized = [](std::span<const FilterDestination> destinations) {
    return compile_filter(destinations, ipv6, 14, roomy).size();
  };
  Destinations groups;
  for (std::uint32_t i = 0; i < 1000; ++i)
    groups.push_back({six("ff15::1:0").plus(i), 5000});
  const auto one = sized(std::span(groups).first(1));
  CHECK(sized(groups) <= one + 2);

  Destinations twins;
  for (std::uint32_t i = 0; i < 100; ++i)
    twins.push_back({six("ff15::1:0").plus(2 * i), 5000});
  const auto single = sized(twins);
  for (std::uint32_t i = 0; i < 100; ++i)
    twins.push_back({six("ff35::1:0").plus(2 * i), 5000});
  CHECK(sized(twins) <= single + 4);
}

TEST_CASE("filter: IPv6 equals the reference while the program fits") {
  Random random(6);
  for (int round = 0; round < 100; ++round) {
    const auto spread = std::uint32_t{1} << pick(random, 0, 24);
    const auto ports = std::uint32_t{1} << pick(random, 0, 12);
    const auto destinations = random_ipv6(random, pick(random, 1, 200), spread, ports);
    const auto program = compile_filter(destinations, ipv6, 14, roomy);
    require_sound(program);
    REQUIRE(program.size() < roomy);
    for (int i = 0; i < 300; ++i) {
      const auto frame = random_ipv6_frame(random, destinations);
      CAPTURE(round, frame.address, frame.port, frame.next_header);
      REQUIRE(passes(program, frame) == wants(destinations, frame));
    }
  }
}

TEST_CASE("filter: IPv6 loses gaps of the last word first") {
  Destinations destinations;
  for (const auto* prefix : {"ff15::", "ff35::"})
    for (std::uint32_t i = 0; i < 100; ++i)
      for (const std::uint32_t end : {0U, 2U})
        destinations.push_back({six(prefix).plus((i << 16U) + end), std::uint16_t(1000 + i)});
  const auto full = compile_filter(destinations, ipv6, 14, roomy);
  CHECK_FALSE(passes(full, Ipv6Spec{six("ff15::"), 1}));
  const auto no_ports = compile_filter(destinations, ipv6, 14, full.size() - 1);
  CHECK(passes(no_ports, Ipv6Spec{six("ff15::"), 1}));
  CHECK_FALSE(passes(no_ports, Ipv6Spec{six("ff15::1"), 1000}));

  const auto pairs = compile_filter(destinations, ipv6, 14, 250);
  CHECK(passes(pairs, Ipv6Spec{six("ff15::1"), 1000}));
  CHECK_FALSE(passes(pairs, Ipv6Spec{six("ff15::3"), 1000}));
  CHECK_FALSE(passes(pairs, Ipv6Spec{six("ff25::"), 1000}));
}

TEST_CASE("filter: IPv6 shortened to any limit still passes all that is wanted") {
  Random random(7);
  for (const std::size_t limit : {0U, 1U, 15U, 17U, 19U, 20U, 30U, 50U, 300U, 624U, 1264U, 4096U})
    for (const std::size_t count : {1U, 5U, 100U, 1000U}) {
      const auto destinations = random_ipv6(random, count, 0x0FFFFFFF, 65535);
      const auto program = compile_filter(destinations, ipv6, 14, limit);
      require_sound(program);
      CAPTURE(limit, count, program.size());
      REQUIRE(program.size() <= std::max<std::size_t>(kind_checks, limit));
      for (const auto& each : destinations)
        REQUIRE(passes(program, Ipv6Spec{each.address, each.port}));
      const auto elsewhere = six("2001:db8::1");
      CHECK(passes(program, Ipv6Spec{elsewhere, 5000}) == (limit < 19));
    }
}

TEST_CASE("filter: the kernel accepts the programs for IPv6") {
  check_kernel_accepts([](Random& random, auto count, auto spread, auto limit) {
    return compile_filter(random_ipv6(random, count, spread, 1000), ipv6, 14, limit);
  });
}
