#include "mcr/control/events.hpp"

#include "catch.hpp"

namespace {

using mcr::Event;
using mcr::EventKind;
using mcr::EventRing;

/// The events that a reader gets who has seen all until `seen`: ids, and -missed for a gap.
std::vector<std::int64_t> read(const EventRing& ring, std::uint64_t seen) {
  std::vector<std::int64_t> got;
  while (const auto event = ring.after(seen)) {
    seen = event->id;
    got.push_back(event->kind == EventKind::gap ? -static_cast<std::int64_t>(event->missed)
                                                : static_cast<std::int64_t>(event->id));
  }
  return got;
}

using Read = std::vector<std::int64_t>;

void fill(EventRing& ring, int events) {
  for (int i = 0; i < events; ++i)
    ring.add({.kind = EventKind::rule});
}

TEST_CASE("a ring gives what came after an id") {
  EventRing ring(100, 4);
  CHECK(ring.last_id() == 99);
  CHECK(read(ring, 0).empty());
  fill(ring, 3);
  CHECK(ring.last_id() == 102);
  CHECK(read(ring, 0) == Read{100, 101, 102});
  CHECK(read(ring, 99) == Read{100, 101, 102});
  CHECK(read(ring, 101) == Read{102});
  CHECK(read(ring, 102).empty());
}

TEST_CASE("a reader that was too slow is told how many events it has missed") {
  EventRing ring(100, 4);
  fill(ring, 10);  // 106 to 109 are left
  CHECK(read(ring, 101) == Read{-4, 106, 107, 108, 109});
  CHECK(read(ring, 104) == Read{-1, 106, 107, 108, 109});
  CHECK(read(ring, 105) == Read{106, 107, 108, 109});
  CHECK(read(ring, 0) == Read{-6, 106, 107, 108, 109});
}

TEST_CASE("a reader of an earlier run is told of a gap of unknown size, and then all") {
  EventRing ring(100, 4);
  fill(ring, 2);
  CHECK(read(ring, 50) == Read{0, 100, 101});
  CHECK(ring.after(50)->id == 99);
  CHECK(read(ring, 99) == Read{100, 101});
}

TEST_CASE("an id that is not given out yet is none: its reader begins anew") {
  EventRing ring(100, 4);
  fill(ring, 2);
  CHECK(read(ring, 5000) == Read{100, 101});
}

}  // namespace
