#include "mcr/stream/psi_reader.hpp"

#include <memory>

#include "catch.hpp"
#include "ts_builder.hpp"

namespace {

using namespace mcr::stream;
using mcr::test::Bytes;

/// A tracker with its reader, and what is sent to them.
struct World {
  std::unique_ptr<TsTracker> tracker = std::make_unique<TsTracker>();
  PsiReader reader;
  std::map<std::uint16_t, std::uint8_t> continuity;
  std::uint64_t now_ns = 1'000'000'000;

  void table(std::uint16_t pid, const Bytes& table) {
    for (const auto& packet : mcr::test::packetise(pid, continuity[pid], table))
      send(packet);
  }
  void send(const Bytes& packet) {
    now_ns += 10'000'000;
    tracker->see(packet, now_ns);
  }
  void synchronise() {
    for (std::uint8_t i = 0; i < 5; ++i)
      send(mcr::test::TsPacket{null_pid}.build());
  }
  void read() { reader.read(*tracker, now_ns); }
  /// The PMT's PID must be known before its packets are kept.
  void programs(const std::vector<std::pair<std::uint16_t, std::uint16_t>>& all,
                std::uint8_t version = 0) {
    table(0, mcr::test::pat(all, version));
    read();
    for (int i = 0; i < 20; ++i)
      send(mcr::test::TsPacket{null_pid}.build());
  }
};

}  // namespace

TEST_CASE("programs and their streams are read from PAT and PMT") {
  World world;
  world.synchronise();
  world.programs({{0, 0x10}, {1, 0x1000}});
  const Bytes ac3{std::byte{0x6A}, std::byte{1}, std::byte{0}};
  world.table(0x1000, mcr::test::pmt(1, 0x100, {{0x1B, 0x100}, {0x0F, 0x101}, {6, 0x102, ac3}}));
  world.read();
  REQUIRE(world.reader.programs().size() == 1);
  const auto& program = world.reader.programs().front();
  CHECK(program.number == 1);
  CHECK(program.pcr_pid == 0x100);
  CHECK(program.streams.size() == 3);
  CHECK(world.reader.kind_of(0) == "PAT");
  CHECK(world.reader.kind_of(0x10) == "NIT");
  CHECK(world.reader.kind_of(0x1000) == "PMT");
  CHECK(world.reader.kind_of(0x100) == "H.264");
  CHECK(world.reader.kind_of(0x101) == "AAC");
  CHECK(world.reader.kind_of(0x102) == "AC-3");
  CHECK(world.reader.kind_of(0x103).empty());
  CHECK(world.reader.crc_errors().count == 0);
}

TEST_CASE("a table of several packets is put together, and a lost packet breaks it") {
  World world;
  world.synchronise();
  world.programs({{1, 0x1000}});
  std::vector<mcr::test::TestStream> streams;
  for (std::uint16_t pid = 0x200; pid < 0x260; ++pid)
    streams.push_back({0x1B, pid});
  const auto packets =
      mcr::test::packetise(0x1000, world.continuity[0x1000], mcr::test::pmt(1, 0x200, streams));
  REQUIRE(packets.size() == 3);
  world.send(packets[0]);
  world.send(packets[2]);
  world.read();
  CHECK(world.reader.programs().front().streams.empty());
  CHECK(world.reader.crc_errors().count == 0);
  world.table(0x1000, mcr::test::pmt(1, 0x200, streams));
  world.read();
  CHECK(world.reader.programs().front().streams.size() == 96);
}

TEST_CASE("a wrong CRC is counted and nothing of the table is believed") {
  World world;
  world.synchronise();
  world.table(0, mcr::test::pat({{1, 0x1000}}, 0, true));
  world.read();
  CHECK(world.reader.crc_errors().count == 1);
  CHECK(world.reader.programs().empty());
}

TEST_CASE("another version of a table is counted and used") {
  World world;
  world.synchronise();
  world.programs({{1, 0x1000}}, 3);
  world.programs({{1, 0x1000}}, 3);
  CHECK(world.reader.version_changes() == 0);
  world.programs({{1, 0x1000}, {2, 0x1001}}, 4);
  CHECK(world.reader.version_changes() == 1);
  CHECK(world.reader.programs().size() == 2);
}

TEST_CASE("a full mailbox misses packets and says so") {
  World world;
  world.synchronise();
  for (int i = 0; i < 200; ++i)
    world.table(0, mcr::test::pat({{1, 0x1000}}));
  CHECK(world.tracker->mailbox().missed() == 200 - PsiMailbox::capacity);
  world.read();
  CHECK(world.reader.programs().size() == 1);
}
