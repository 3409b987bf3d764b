#include "mcr/packet/filter.hpp"

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "catch.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/socket.hpp"

using mcr::compile_filter;
using mcr::FilterDestination;
using mcr::IpAddress;
using Program = std::vector<sock_filter>;
using Destinations = std::vector<FilterDestination>;

namespace {

constexpr std::size_t roomy = 4096;
/// Instructions of the shortest program for untagged frames.
constexpr std::size_t kind_checks = 6;
constexpr mcr::RxKey untagged{7, 0, {}};

struct Frame {
  std::vector<std::uint8_t> bytes;
  std::uint8_t packet_type = PACKET_MULTICAST;
  std::uint32_t interface_index = untagged.interface_index;
  std::uint16_t ethertype = ETH_P_IP;
  std::uint16_t tag_protocol = 0;  ///< 0: no tag
  std::uint16_t tag = 0;
};

/// A UDP frame, built of its parts.
struct FrameSpec {
  std::uint32_t address = 0;
  std::uint16_t port = 0;
  std::size_t link_header = mcr::link_header::ethernet;
  std::uint16_t fragment = 0;  ///< flags and offset, as in the header
  std::size_t option_bytes = 0;
  std::uint8_t protocol = 17;
  std::uint8_t version = 4;
  std::uint8_t packet_type = PACKET_MULTICAST;
};

void put(std::vector<std::uint8_t>& bytes, std::size_t at, std::uint32_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
  }
}

Frame build(const FrameSpec& spec) {
  auto ip = spec.link_header;
  auto udp = ip + 20 + spec.option_bytes;
  Frame frame{std::vector<std::uint8_t>(udp + 8 + 10, 0xEE), spec.packet_type};
  put(frame.bytes, ip, spec.version * 16U + static_cast<std::uint32_t>(udp - ip) / 4, 1);
  put(frame.bytes, ip + 6, spec.fragment, 2);
  put(frame.bytes, ip + 9, spec.protocol, 1);
  put(frame.bytes, ip + 16, spec.address, 4);
  put(frame.bytes, udp + 2, spec.port, 2);
  return frame;
}

/// Interprets a program as the kernel does, as far as our programs need it. Anything else is an
/// error.
class Machine {
 public:
  Machine(const Program& program, const Frame& frame) : program_(program), frame_(frame) {}

  std::uint32_t run() {
    for (std::size_t at = 0;; ++at) {
      const auto& step = program_.at(at);
      if (step.code == (BPF_RET | BPF_K)) return step.k;
      if (step.code == (BPF_JMP | BPF_JA)) {
        at += step.k;
      } else if (BPF_CLASS(step.code) == BPF_JMP) {
        at += holds(step) ? step.jt : step.jf;
      } else if (!compute(step)) {
        return 0;
      }
    }
  }

 private:
  bool holds(const sock_filter& step) const {
    switch (step.code) {
      case BPF_JMP | BPF_JEQ | BPF_K:
        return a_ == step.k;
      case BPF_JMP | BPF_JGT | BPF_K:
        return a_ > step.k;
      case BPF_JMP | BPF_JGE | BPF_K:
        return a_ >= step.k;
      case BPF_JMP | BPF_JSET | BPF_K:
        return (a_ & step.k) != 0;
      default:
        throw std::logic_error("unknown jump");
    }
  }

  /// False where the kernel would end the program: a load beyond the frame.
  bool compute(const sock_filter& step) {
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_LEN:
        a_ = static_cast<std::uint32_t>(frame_.bytes.size());
        break;
      case BPF_LDX | BPF_W | BPF_IMM:
        x_ = step.k;
        break;
      case BPF_MISC | BPF_TAX:
        x_ = a_;
        break;
      case BPF_MISC | BPF_TXA:
        a_ = x_;
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a_ &= step.k;
        break;
      case BPF_LD | BPF_B | BPF_ABS:
        return load(step.k, 1);
      case BPF_LD | BPF_H | BPF_ABS:
        return load(step.k, 2);
      case BPF_LD | BPF_W | BPF_ABS:
        return load(step.k, 4);
      default:
        throw std::logic_error("unknown instruction");
    }
    return true;
  }

  bool load(std::uint32_t at, std::size_t size) {
    if (at >= static_cast<std::uint32_t>(SKF_AD_OFF))
      return load_ancillary(at - static_cast<std::uint32_t>(SKF_AD_OFF));
    if (at + size > frame_.bytes.size()) return false;
    a_ = 0;
    for (std::size_t i = 0; i < size; ++i)
      a_ = a_ << 8U | frame_.bytes[at + i];
    return true;
  }

  bool load_ancillary(std::uint32_t what) {
    switch (what) {
      case SKF_AD_PROTOCOL:
        a_ = frame_.ethertype;
        break;
      case SKF_AD_PKTTYPE:
        a_ = frame_.packet_type;
        break;
      case SKF_AD_IFINDEX:
        a_ = frame_.interface_index;
        break;
      case SKF_AD_VLAN_TAG:
        a_ = frame_.tag;
        break;
      case SKF_AD_VLAN_TAG_PRESENT:
        a_ = frame_.tag_protocol != 0 ? 1 : 0;
        break;
      case SKF_AD_VLAN_TPID:
        a_ = frame_.tag_protocol;
        break;
      default:
        throw std::logic_error("unknown ancillary data");
    }
    return true;
  }

  const Program& program_;
  const Frame& frame_;
  std::uint32_t a_ = 0;
  std::uint32_t x_ = 0;
};

bool passes(const Program& program, const Frame& frame) {
  auto verdict = Machine(program, frame).run();
  REQUIRE((verdict == 0 || verdict >= 262'144));
  return verdict != 0;
}

bool passes(const Program& program, const FrameSpec& spec) {
  return passes(program, build(spec));
}

/// Every jump lands inside, and the program ends with a return (the kernel's own conditions).
void require_sound(const Program& program) {
  REQUIRE_FALSE(program.empty());
  REQUIRE(BPF_CLASS(program.back().code) == BPF_RET);
  for (std::size_t i = 0; i < program.size(); ++i) {
    const auto& step = program[i];
    if (BPF_CLASS(step.code) != BPF_JMP) continue;
    std::size_t farthest = step.code == (BPF_JMP | BPF_JA) ? step.k : std::max(step.jt, step.jf);
    REQUIRE(i + 1 + farthest < program.size());
  }
}

FilterDestination destination(const char* address, std::uint16_t port) {
  return {*IpAddress::parse(address), port};
}

std::uint32_t number(const char* address) {
  return IpAddress::parse(address)->to_v4();
}

using Random = std::mt19937;

std::uint32_t pick(Random& random, std::uint32_t first, std::uint32_t last) {
  return std::uniform_int_distribution<std::uint32_t>(first, last)(random);
}

/// `count` destinations among `spread` addresses and `ports` ports; few of them "any port".
Destinations random_destinations(Random& random, std::size_t count, std::uint32_t spread,
                                 std::uint32_t ports) {
  Destinations result;
  auto base = pick(random, 0, 3) == 0 ? 0xFFFFFFFF - spread : pick(random, 0, 0xEF000000);
  for (std::size_t i = 0; i < count; ++i) {
    auto port = pick(random, 0, 20) == 0 ? 0 : pick(random, 65536 - ports, 65535);
    result.push_back({IpAddress::v4(base + pick(random, 0, spread)), std::uint16_t(port)});
  }
  return result;
}

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

}  // namespace

TEST_CASE("filter: each kind of socket passes its own frames") {
  const Destinations destinations{destination("239.1.1.1", 5000), destination("239.9.1.1", 5000)};
  const std::size_t limit = GENERATE(0, 26, roomy);  // every frame of the kind, some, the right one
  CAPTURE(limit);
  const auto program_of = [&](mcr::InputKind kind) {
    auto key = untagged;
    key.kind = kind;
    auto program = compile_filter(destinations, key, 14, limit);
    require_sound(program);
    return program;
  };

  SECTION("untagged") {
    const auto program = program_of({});
    CHECK(passes(program, as_untagged()));
    CHECK_FALSE(passes(program,
                       changed(as_untagged(), [](Frame& f) { f.packet_type = PACKET_OTHERHOST; })));
    CHECK_FALSE(passes(program, changed(as_untagged(), [](Frame& f) { ++f.interface_index; })));
  }
  SECTION("untagged, on a port of a bridge") {
    auto key = untagged;
    key.all_protocols = true;
    const auto program = compile_filter(destinations, key, 14, limit);
    require_sound(program);
    CHECK(passes(program, as_untagged()));
    CHECK(passes(program, changed(as_untagged(), [](Frame& f) {
                   f.packet_type = PACKET_OTHERHOST;  // for the bridge's own address
                 })));
    CHECK(passes(program, as_tagged(0)));
    CHECK_FALSE(passes(program, as_tagged(100)));
    CHECK_FALSE(passes(program, as_outgoing()));
    CHECK_FALSE(passes(program, changed(as_untagged(), [](Frame& f) { f.ethertype = ETH_P_ARP; })));
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

TEST_CASE("filter: 10,000 destinations compile quickly") {
  Random random(4);
  auto destinations = random_destinations(random, 10'000, 0x0FFFFFFF, 65535);
  const auto start = std::clock();  // CPU time: other processes do not count
  auto program = compile_filter(destinations, untagged, 14, 624);
  const auto milliseconds = 1000.0 * double(std::clock() - start) / CLOCKS_PER_SEC;
  WARN(fmt::format("10,000 destinations in {:.1f} ms", milliseconds));
  CHECK(milliseconds < 1000);  // a few; sanitizers are slow
}

// ---- IPv6

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

namespace {

/// The verdict of the kernel's verifier: an errno value, 0 for accepted.
int attach(mcr::Fd socket, Program& program) {
  sock_fprog argument{static_cast<unsigned short>(program.size()), program.data()};
  auto result =
      ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &argument, sizeof argument);
  return result == 0 ? 0 : errno;
}

}  // namespace

TEST_CASE("filter: the kernel accepts the programs") {
  mcr::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    WARN("skipped: no UDP socket: " << mcr::errno_text(errno));
    return;
  }
  Random random(5);
  for (std::size_t count : {0U, 1U, 50U, 1000U, 10'000U}) {
    for (std::size_t limit : {0U, 12U, 128U, 624U, 1264U}) {
      for (std::uint32_t spread : {1000U, 0x0FFFFFFFU}) {
        for (auto program :
             {compile_filter(random_destinations(random, count, spread, 1000), untagged, 14, limit),
              compile_filter(random_ipv6(random, count, spread, 1000), ipv6, 14, limit)}) {
          CAPTURE(count, limit, spread, program.size());
          // For a live replacement both programs have to fit; take the old one off first.
          mcr::SocketOptions(socket).detach_filter();
          const auto refusal = attach(socket, program);
          // The long ones do not fit into the option memory of older kernels (optmem_max 20480).
          if (refusal != ENOMEM || limit <= 128)
            CHECK(mcr::errno_text(refusal) == mcr::errno_text(0));
        }
      }
    }
  }
}
