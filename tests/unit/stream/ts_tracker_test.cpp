#include "mcr/stream/ts_tracker.hpp"

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "catch.hpp"
#include "mcr/stream/psi_reader.hpp"
#include "ts_builder.hpp"

namespace {

using namespace mcr::stream;
using mcr::test::Bytes;
using mcr::test::TsPacket;

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint16_t pmt_pid = 0x1000;
constexpr std::uint16_t video_pid = 0x100;

/// A clean stream: a datagram of 7 packets each 4 ms. Each tenth begins with PAT and PMT, each
/// fifth has a PCR and a PTS. A test spoils packets on their way.
class Stream {
 public:
  /// Changes a packet, or leaves it out by returning nothing.
  using Spoil = std::function<void(std::uint64_t datagram, TsPacket&)>;

  std::size_t stride = 188;
  Bytes before{};                     ///< of each datagram
  std::set<std::uint16_t> without{};  ///< PIDs that are not sent
  std::uint16_t table_pid = pmt_pid;  ///< where the PMT is
  std::uint8_t version = 0;           ///< of PAT and PMT
  bool cat = false;                   ///< each tenth datagram has a CAT, too
  std::uint64_t pcr_every = 5;
  bool pts = true;
  std::uint64_t read_every = 20;  ///< datagrams from look to look at the tables
  std::uint64_t read_at = 0;      ///< of these, the one with the look
  Spoil spoil = [](auto, auto&) {};

  std::unique_ptr<TsTracker> tracker = std::make_unique<TsTracker>();
  PsiReader reader;
  std::uint64_t now_ns = 10'000 * ms;

  void run(std::uint64_t datagrams) {
    for (std::uint64_t i = 0; i < datagrams; ++i, ++datagram_) {
      now_ns += 4 * ms;
      tracker->see(compose(), now_ns);
      if (datagram_ % read_every == read_at) reader.read(*tracker, now_ns);
    }
  }
  /// The stream goes on, and nobody hears it.
  void go_on_unheard(std::uint64_t datagrams) {
    for (std::uint64_t i = 0; i < datagrams; ++i, ++datagram_, now_ns += 4 * ms)
      static_cast<void>(compose());
  }

  [[nodiscard]] std::string raised() const {
    std::string names;
    for (std::size_t i = 0; i < indicator_names.size(); ++i) {
      const auto which = static_cast<Indicator>(i);
      const auto count = which == Indicator::crc ? reader.crc_errors().count
                                                 : tracker->indicators()[which].count.get();
      if (count != 0)
        names += std::string(names.empty() ? "" : " ").append(indicator_names[i].number);
    }
    return names;
  }
  [[nodiscard]] std::uint64_t count(Indicator which) const {
    return tracker->indicators()[which].count.get();
  }

 private:
  Bytes compose() {
    Bytes bytes = before;
    std::size_t packets = 0;
    if (datagram_ % 10 == 0) {
      packets += table(bytes, pat_pid, mcr::test::pat({{1, table_pid}}, version));
      packets +=
          table(bytes, table_pid, mcr::test::pmt(1, video_pid, {{0x1B, video_pid}}, version));
      if (cat) packets += table(bytes, cat_pid, mcr::test::section(1, 0xFFFF, 0, {}));
    }
    for (; packets < 6; ++packets)
      video(bytes, packets == 5);
    TsPacket null{null_pid};
    spoil(datagram_, null);
    add(bytes, null.build());
    return bytes;
  }

  std::size_t table(Bytes& bytes, std::uint16_t pid, const Bytes& section) {
    if (without.contains(pid)) return 0;
    TsPacket packet{pid, next(pid), true, true};
    packet.payload = section;
    packet.payload.insert(packet.payload.begin(), std::byte{0});
    spoil(datagram_, packet);
    add(bytes, packet.build());
    return 1;
  }

  void video(Bytes& bytes, bool last) {
    TsPacket packet{video_pid, next(video_pid)};
    if (last && datagram_ % pcr_every == 0) {
      packet.pcr = datagram_ * 4 * 27'000;
      packet.begins = pts;
      if (pts) packet.payload = mcr::test::pes_with_pts();
    }
    spoil(datagram_, packet);
    add(bytes, packet.build());
  }

  void add(Bytes& bytes, const Bytes& packet) const {
    mcr::test::append(bytes, packet);
    bytes.resize(bytes.size() + stride - 188, std::byte{0xA5});
  }

  std::uint8_t next(std::uint16_t pid) {
    return static_cast<std::uint8_t>(continuity_[pid]++ & 0xFU);
  }

  std::uint64_t datagram_ = 0;
  std::map<std::uint16_t, unsigned> continuity_;
};

struct Case {
  std::string name;
  std::string raised;
  std::function<void(Stream&)> spoil;
};

/// Changes the packets of a PID in the datagrams from `first` to `end`.
template <typename Change>
auto at(std::uint16_t pid, std::uint64_t first, std::uint64_t end, Change change) {
  return [=](Stream& stream) {
    stream.spoil = [=](std::uint64_t datagram, TsPacket& packet) {
      if (packet.pid == pid && datagram >= first && datagram < end) change(packet);
    };
  };
}

/// TR 101 290, first priority.
std::vector<Case> first_priority() {
  return {
      {"two wrong sync bytes in a row", "1.1 1.2",
       [](Stream& stream) {
         stream.spoil = [n = 0](std::uint64_t datagram, TsPacket& packet) mutable {
           if (datagram == 501 && ++n >= 3 && n <= 4) packet.sync = 0x48;
         };
       }},
      {"a wrong sync byte", "1.2",
       at(null_pid, 500, 501, [](auto& packet) { packet.sync = 0x48; })},
      {"no PAT", "1.3.a", [](Stream& stream) { stream.without = {pat_pid}; }},
      {"scrambled PAT", "1.3.a", at(0, 500, 510, [](auto& packet) { packet.scrambling = 2; })},
      {"another table on PID 0", "1.3.a",
       at(0, 500, 510,
          [](auto& packet) {
            packet.payload = mcr::test::section(0x42, 1, 0, {});
            packet.payload.insert(packet.payload.begin(), std::byte{0});
          })},
      {"a lost packet", "1.4",
       at(video_pid, 500, 501, [](auto& packet) { packet.pid = null_pid; })},
      {"no PMT", "1.5.a", [](Stream& stream) { stream.without = {pmt_pid}; }},
      {"scrambled PMT", "1.5.a",
       at(pmt_pid, 500, 510, [](auto& packet) { packet.scrambling = 2; })},
  };
}

/// Second priority.
std::vector<Case> second_priority() {
  return {
      {"transport error", "2.1",
       at(video_pid, 500, 501, [](auto& packet) { packet.error = true; })},
      {"wrong CRC", "2.2",
       at(0, 500, 501, [](auto& packet) { packet.payload[14] = std::byte{7}; })},
      {"wrong CRC of a PMT", "2.2",
       at(pmt_pid, 500, 501, [](auto& packet) { packet.payload[14] = std::byte{7}; })},
      {"wrong CRC of a CAT", "2.2",
       [](Stream& stream) {
         stream.cat = true;
         stream.spoil = [](std::uint64_t datagram, TsPacket& packet) {
           if (packet.pid == cat_pid && datagram == 500) packet.payload[6] = std::byte{0xC3};
         };
       }},
      {"the sender stands still for 150 ms", "2.3a",
       [](Stream& stream) {
         stream.spoil = [&stream](std::uint64_t datagram, const TsPacket& packet) {
           if (packet.pid == null_pid && datagram == 500) stream.now_ns += 150 * ms;
         };
       }},
      {"PCR goes ahead", "2.3b",
       at(video_pid, 500, 5000,
          [](auto& packet) {
            if (packet.pcr) *packet.pcr += 27'000'000;
          })},
      {"PCR goes back", "2.3b",
       at(video_pid, 500, 5000,
          [](auto& packet) {
            if (packet.pcr) *packet.pcr -= 27'000'000;
          })},
      {"PTS are rare", "2.5", at(video_pid, 500, 800, [](auto& packet) { packet.begins = false; })},
      {"another table on PID 1", "2.6",
       at(null_pid, 500, 501,
          [](auto& packet) {
            packet = TsPacket{cat_pid, 0, true, true};
            packet.payload = {std::byte{0}, std::byte{0x40}};
          })},
      {"scrambled without a CAT", "2.6",
       at(video_pid, 0, 9999, [](auto& packet) { packet.scrambling = 3; })},
  };
}

}  // namespace

TEST_CASE("a clean stream raises nothing") {
  Stream stream;
  SECTION("of 188 bytes a packet") {
    stream.run(3000);
    CHECK(stream.tracker->packet_bytes() == 188);
  }
  SECTION("of 204 bytes") {
    stream.stride = 204;
    stream.run(3000);
    CHECK(stream.tracker->packet_bytes() == 204);
  }
  SECTION("behind 4 bytes of something else") {
    stream.before = Bytes(4, std::byte{0x11});
    stream.run(3000);
  }
  CHECK(stream.raised().empty());
  CHECK(stream.tracker->packets() == 21'000);
  CHECK(stream.tracker->null_packets() == 3000);
  CHECK(stream.tracker->find(video_pid)->packets.get() == 17'400);
  CHECK(stream.tracker->pcr_gap_max_ns() == 20 * ms);
}

TEST_CASE("each defect raises its indicator and no other") {
  for (const auto& cases : {first_priority(), second_priority()})
    for (const auto& one : cases) {
      DYNAMIC_SECTION(one.name) {
        Stream stream;
        one.spoil(stream);
        stream.run(4000);
        CHECK(stream.raised() == one.raised);
      }
    }
}

TEST_CASE("a PMT is awaited from when its PID is known") {
  Stream stream;
  stream.read_every = 1000;
  stream.read_at = GENERATE(95U, 122U, 240U, 400U);  // at any time before a full half second
  stream.run(2000);
  CHECK(stream.raised().empty());
  stream.without = {pmt_pid};
  stream.run(500);
  CHECK(stream.raised() == "1.5.a");
}

TEST_CASE("tables of another version, with the PMT on another PID, are no fault") {
  Stream stream;
  stream.read_every = 250;
  stream.read_at = GENERATE(0U, 17U, 120U, 245U);
  stream.run(1000);
  stream.table_pid = pmt_pid + 1;
  stream.version = 1;
  stream.run(2000);
  CHECK(stream.raised().empty());
  CHECK(stream.reader.pat_version() == 1);
  CHECK(stream.reader.version_changes() >= 1);
  REQUIRE(stream.reader.programs().size() == 1);
  CHECK(stream.reader.programs().front().pmt_pid == pmt_pid + 1);
  CHECK(stream.reader.programs().front().streams.size() == 1);
}

TEST_CASE("a scrambled stream that has a CAT raises nothing") {
  Stream stream;
  stream.cat = true;
  stream.spoil = [](std::uint64_t, TsPacket& packet) {
    if (packet.pid == video_pid) packet.scrambling = 3;
  };
  stream.run(8000);
  CHECK(stream.raised().empty());
  CHECK(stream.tracker->scrambled() == stream.tracker->find(video_pid)->packets.get());
  CHECK(stream.tracker->find(video_pid)->scrambled.get() > 40'000);
}

TEST_CASE("who joins a stream in its middle finds no fault") {
  Stream stream;
  stream.go_on_unheard(GENERATE(3U, 501U, 509U));
  stream.run(2000);
  CHECK(stream.raised().empty());
  CHECK(stream.tracker->packets() == 14'000);
}

TEST_CASE("a PCR that is away for long raises both of its indicators") {
  Stream stream;
  stream.run(500);
  stream.pcr_every = 40;  // 160 ms
  stream.pts = false;
  stream.run(200);
  CHECK(stream.count(Indicator::pcr_interval) > 3);
  CHECK(stream.count(Indicator::pcr_step) > 3);
  CHECK(stream.tracker->pcr_gap_max_ns() == 160 * ms);
}

TEST_CASE("an announced jump of PCR and continuity is no fault") {
  Stream stream;
  stream.spoil = [](std::uint64_t datagram, TsPacket& packet) {
    if (packet.pid != video_pid || datagram < 500) return;
    packet.continuity = static_cast<std::uint8_t>((packet.continuity + 5U) & 0xFU);
    if (packet.pcr) *packet.pcr += 270'000'000;
    if (packet.pcr) packet.discontinuity = datagram == 500;
  };
  // The jump must come with the packet that announces it.
  std::uint64_t first = 0;
  const auto shift = stream.spoil;
  stream.spoil = [&, shift](std::uint64_t datagram, TsPacket& packet) {
    if (first == 0 && datagram == 500 && packet.pcr) first = datagram;
    if (first != 0) shift(datagram, packet);
  };
  stream.run(1000);
  CHECK(stream.raised().empty());
}

TEST_CASE("continuity: what is a fault and what is not") {
  struct Case {
    std::string name;
    std::vector<TsPacket> packets;
    std::uint64_t errors;
  };
  const auto packet = [](std::uint8_t continuity, bool payload = true) {
    TsPacket made;
    made.continuity = continuity;
    made.has_payload = payload;
    return made;
  };
  const auto one = GENERATE_COPY(values<Case>({
      {"counts and wraps", {packet(14), packet(15), packet(0)}, 0},
      {"one lost", {packet(1), packet(3), packet(4)}, 1},
      {"swapped", {packet(1), packet(3), packet(2), packet(4)}, 3},
      {"one duplicate", {packet(1), packet(2), packet(2), packet(3)}, 0},
      {"three times", {packet(1), packet(2), packet(2), packet(2), packet(3)}, 1},
      {"no payload does not count", {packet(1), packet(1, false), packet(2)}, 0},
      {"no payload that counts", {packet(1), packet(2, false), packet(3)}, 1},
      {"the first one is any", {packet(9), packet(10)}, 0},
  }));
  INFO(one.name);
  const auto tracker = std::make_unique<TsTracker>();
  Bytes lock;
  for (int i = 0; i < 5; ++i)
    mcr::test::append(lock, TsPacket{null_pid}.build());
  tracker->see(lock, 1);
  for (const auto& each : one.packets)
    tracker->see(each.build(), 2);
  CHECK(tracker->cc_errors() == one.errors);
}

namespace {

/// Counts as ISO/IEC 13818-1, 2.4.3.3, says, packet by packet.
struct PlainCount {
  struct Pid {
    std::uint64_t packets = 0;
    std::uint64_t cc_errors = 0;
    std::uint64_t scrambled = 0;
    unsigned continuity = 0;
    bool started = false;
    bool twice = false;
  };
  std::map<std::uint16_t, Pid> pids;
  std::uint64_t null_packets = 0;

  void see(const TsPacket& packet) {
    if (packet.pid == null_pid) return static_cast<void>(++null_packets);
    auto& pid = pids[packet.pid];
    ++pid.packets;
    const auto before = std::exchange(pid.continuity, packet.continuity);
    if (packet.error) return;
    const bool again = packet.has_payload && packet.continuity == before;
    const bool on = packet.continuity == (before + (packet.has_payload ? 1 : 0)) % 16;
    if (pid.started && !packet.discontinuity && !on && (!again || pid.twice)) ++pid.cc_errors;
    pid.twice = pid.started && again;
    pid.started = true;
    if (packet.scrambling != 0) ++pid.scrambled;
  }
};

/// Now and then another PID, and now and then something that is no plain counting on.
TsPacket random_packet(std::mt19937& random, const TsPacket& before, const PlainCount& count) {
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  TsPacket packet;
  packet.pid = before.pid;
  constexpr std::array<std::uint16_t, 4> pids{0x100, 0x101, 0x1F0, null_pid};
  if (one_in(3)) packet.pid = pids[random() % pids.size()];
  const auto known = count.pids.find(packet.pid);
  const auto continuity = known == count.pids.end() ? 0 : known->second.continuity;
  packet.has_payload = !one_in(30);
  const auto step = one_in(20) ? random() % 3 : packet.has_payload ? 1U : 0U;
  packet.continuity = static_cast<std::uint8_t>((continuity + step) % 16);
  packet.begins = one_in(30);
  packet.error = one_in(50);
  packet.discontinuity = one_in(50);
  packet.scrambling = one_in(30) ? 2 : 0;
  return packet;
}

}  // namespace

TEST_CASE("packets that are counted together are counted as one by one") {
  std::mt19937 random(GENERATE(1U, 2U, 3U));
  auto tracker = std::make_unique<TsTracker>();
  PlainCount count;
  TsPacket packet;
  std::uint64_t packets = 0;
  for (std::uint64_t datagram = 1; datagram <= 3000; ++datagram) {
    Bytes bytes;
    for (int i = 0; i < 7; ++i, ++packets) {
      packet = random_packet(random, packet, count);
      count.see(packet);
      auto built = packet.build();
      if (random() % 4 == 0) built[1] |= std::byte{0x20};  // transport_priority
      mcr::test::append(bytes, built);
    }
    tracker->see(bytes, datagram * ms);
  }
  CHECK(tracker->packets() == packets);
  CHECK(tracker->null_packets() == count.null_packets);
  REQUIRE(tracker->pids().size() == count.pids.size());
  for (const auto& record : tracker->pids()) {
    const auto& pid = count.pids.at(record.pid);
    CHECK(record.packets.get() == pid.packets);
    CHECK(record.cc_errors.get() == pid.cc_errors);
    CHECK(record.scrambled.get() == pid.scrambled);
    CHECK(record.last_ns.get() > 2900 * ms);
    CHECK(pid.cc_errors > 50);
  }
}

namespace {

/// Seven packets of one PID that only count on.
Bytes plain_datagram(unsigned& continuity) {
  Bytes bytes;
  for (int i = 0; i < 7; ++i, ++continuity)
    mcr::test::append(bytes,
                      TsPacket{video_pid, static_cast<std::uint8_t>(continuity % 16)}.build());
  return bytes;
}

}  // namespace

TEST_CASE("a PTS is missed where all packets only count on") {
  auto tracker = std::make_unique<TsTracker>();
  TsPacket begin{video_pid, 15, true, true};
  mcr::test::append(begin.payload, 0x000001E0'00008080U, 8);
  unsigned continuity = 0;
  auto bytes = begin.build();
  mcr::test::append(bytes, plain_datagram(continuity));
  std::uint64_t now_ns = 1000 * ms;
  tracker->see(bytes, now_ns);
  for (int i = 0; i < 7; ++i)
    tracker->see(plain_datagram(continuity), now_ns += 100 * ms);
  CHECK(tracker->indicators()[Indicator::pts].count.get() == 0);
  tracker->see(plain_datagram(continuity), now_ns += 100 * ms);
  CHECK(tracker->indicators()[Indicator::pts].count.get() == 1);
}

TEST_CASE("continuity begins anew where sync was lost") {
  auto tracker = std::make_unique<TsTracker>();
  unsigned continuity = 0;
  tracker->see(plain_datagram(continuity), 1 * ms);
  auto broken = plain_datagram(continuity);
  broken[5UL * 188] = broken[6UL * 188] = std::byte{0};
  continuity -= 2;
  tracker->see(broken, 2 * ms);
  REQUIRE_FALSE(tracker->synchronous());
  SECTION("what counts on by chance is no fault, and what does not then is one") {
    tracker->see(plain_datagram(continuity), 3 * ms);
    CHECK(tracker->cc_errors() == 0);
    continuity += 3;
    tracker->see(plain_datagram(continuity), 4 * ms);
    CHECK(tracker->cc_errors() == 1);
  }
  SECTION("what does not count on is no fault") {
    continuity += 3;
    tracker->see(plain_datagram(continuity), 3 * ms);
    CHECK(tracker->cc_errors() == 0);
  }
}

TEST_CASE("sync: one wrong byte is an error, two in a row lose it, five right ones find it") {
  const auto tracker = std::make_unique<TsTracker>();
  const auto send = [&](const std::string& syncs) {
    Bytes bytes;
    for (const auto sync : syncs) {
      auto packet = TsPacket{null_pid}.build();
      if (sync == 'x') packet[0] = std::byte{0x48};
      mcr::test::append(bytes, packet);
    }
    tracker->see(bytes, 1);
  };
  const auto count = [&](Indicator which) { return tracker->indicators()[which].count.get(); };
  send("GGGG");
  CHECK_FALSE(tracker->synchronous());
  send("G");
  CHECK(tracker->synchronous());
  send("GGxGGGG");
  CHECK(count(Indicator::sync_byte) == 1);
  CHECK(count(Indicator::sync_loss) == 0);
  send("GGxxGGG");
  CHECK(count(Indicator::sync_byte) == 3);
  CHECK(count(Indicator::sync_loss) == 1);
  CHECK_FALSE(tracker->synchronous());
  send("GGGGGGG");
  CHECK(tracker->synchronous());
}

TEST_CASE("a stream that was cut anywhere is put together") {
  Bytes all;
  for (std::uint8_t i = 0; i < 160; ++i) {
    TsPacket packet;
    packet.continuity = i & 0xFU;
    mcr::test::append(all, packet.build());
  }
  const auto size = GENERATE(std::size_t{1000}, std::size_t{1400}, std::size_t{1472});
  const auto tracker = std::make_unique<TsTracker>();
  std::span<const std::byte> rest(all);
  rest = rest.subspan(100);  // joined in the middle of a packet
  while (rest.size() >= size) {
    tracker->see(rest.first(size), 1);
    rest = rest.subspan(size);
  }
  CHECK(tracker->packets() >= 145);
  CHECK(tracker->indicators()[Indicator::sync_byte].count.get() == 0);
  CHECK(tracker->cc_errors() == 0);
}

TEST_CASE("a pause of the whole stream is no fault of its tables") {
  Stream stream;
  stream.run(500);
  stream.now_ns += 5000 * ms;
  stream.spoil = [](std::uint64_t, TsPacket& packet) {
    if (packet.pcr) *packet.pcr += 5000 * 27'000;
  };
  stream.run(500);
  CHECK(stream.raised().empty());
}

TEST_CASE("more PIDs than are tracked are counted") {
  const auto tracker = std::make_unique<TsTracker>();
  for (std::uint16_t pid = 32; pid < 32 + 300; ++pid)
    tracker->see(TsPacket{pid}.build(), 1);
  CHECK(tracker->pids().size() == TsTracker::max_pids);
  CHECK(tracker->packets() == 296);  // the first four found the synchronisation
  CHECK(tracker->untracked() == 296 - TsTracker::max_pids);
}

TEST_CASE("reset forgets all of a source") {
  Stream stream;
  stream.run(500);
  stream.tracker->reset();
  CHECK(stream.tracker->packets() == 0);
  CHECK(stream.tracker->pids().empty());
  stream.run(500);
  CHECK(stream.raised().empty());
  CHECK(stream.tracker->packets() == 3500);
}
