#include "mcr/base/rcu.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <latch>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "catch.hpp"

using mcr::RcuPointer;
using namespace std::chrono_literals;

namespace {

/// While true, this thread gets no memory.
thread_local bool out_of_memory = false;

}  // namespace

void* operator new(std::size_t bytes) {
  void* memory = out_of_memory ? nullptr : std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return out_of_memory ? nullptr : std::malloc(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*bytes*/) noexcept {
  std::free(memory);
}

namespace {

/// Parts that agree while it lives, and are poisoned after.
class Table {
 public:
  explicit Table(std::uint64_t generation) : generation_(generation) {
    for (std::size_t i = 0; i < parts_.size(); ++i)
      parts_[i] = part(i);
    ++alive;
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table() {
    poison(generation_);
    for (auto& each : parts_)
      poison(each);
    --alive;
  }

  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] bool whole() const {
    if (generation_ == poisoned) return false;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if (parts_[i] != part(i)) return false;
    return true;
  }

  static inline std::atomic<int> alive{0};

 private:
  static constexpr std::uint64_t poisoned = 0xDEAD'DEAD'DEAD'DEAD;

  [[nodiscard]] std::uint64_t part(std::size_t i) const { return generation_ * 31 + i; }
  /// Volatile: the compiler knows that nobody may look any more.
  static void poison(std::uint64_t& word) { static_cast<volatile std::uint64_t&>(word) = poisoned; }

  std::uint64_t generation_;
  std::array<std::uint64_t, 64> parts_{};
};

using Tables = RcuPointer<Table>;

/// A reader that does at random what a reader may do, and counts what must not be.
class RestlessReader {
 public:
  RestlessReader(Tables& tables, std::size_t index)
      : reader_(tables, index), random_(static_cast<unsigned>(index + 1)) {}

  void run(std::latch& started, const std::atomic<bool>& done) {
    reader_.online();
    look();
    started.count_down();
    while (!done) {
      look();
      if (random_() % 4 != 0) continue;  // what was seen is held meanwhile
      look_again();
      rest();
    }
    reader_.offline();
  }

  std::uint64_t broken = 0;     ///< a table was torn or freed
  std::uint64_t replaced = 0;   ///< another one in the memory of one that is held
  std::uint64_t backwards = 0;  ///< an older one after a newer one

 private:
  struct Seen {
    const Table* table;
    std::uint64_t generation;
  };

  void look() {
    const auto& table = reader_.current();
    if (!table.whole()) ++broken;
    const auto generation = table.generation();
    if (generation < newest_) ++backwards;
    newest_ = generation;
    held_.push_back({&table, generation});
  }

  void look_again() {
    for (const auto& [table, generation] : held_) {
      if (!table->whole()) ++broken;
      if (table->generation() != generation) ++replaced;
    }
    held_.clear();
  }

  void rest() {
    const auto how = random_() % 8;
    if (how < 4) return reader_.quiescent();
    reader_.offline();
    if (how == 7) std::this_thread::yield();
    reader_.online();
  }

  Tables::Reader reader_;
  std::minstd_rand random_;
  std::vector<Seen> held_;
  std::uint64_t newest_ = 0;
};

}  // namespace

TEST_CASE("an old value lives until every reader has been quiescent") {
  Tables tables(std::make_unique<Table>(1), 2);
  Tables::Reader first(tables, 0);
  Tables::Reader second(tables, 1);
  first.online();
  second.online();
  const auto& old = first.current();
  tables.publish(std::make_unique<Table>(2));
  CHECK(old.whole());
  CHECK_FALSE(tables.reclaim());
  CHECK(second.current().generation() == 2);
  second.quiescent();
  CHECK_FALSE(tables.reclaim());
  CHECK(Table::alive == 2);
  first.quiescent();
  CHECK(tables.reclaim());
  CHECK(Table::alive == 1);
}

TEST_CASE("a reader that is offline is not waited for") {
  Tables tables(std::make_unique<Table>(1), 1);
  Tables::Reader reader(tables, 0);
  tables.publish(std::make_unique<Table>(2));
  CHECK(tables.reclaim());
  reader.online();
  tables.publish(std::make_unique<Table>(3));
  CHECK_FALSE(tables.wait_until_reclaimed(1ms));
  reader.offline();
  CHECK(tables.wait_until_reclaimed(1ms));
}

TEST_CASE("a publication that finds no memory changes nothing") {
  Tables tables(std::make_unique<Table>(1), 1);
  Tables::Reader reader(tables, 0);
  reader.online();
  bool refused = false;
  // The list of old values asks for memory now and then.
  for (std::uint64_t generation = 2; generation < 1000 && !refused; ++generation) {
    const auto& held = reader.current();
    auto next = std::make_unique<Table>(generation);
    out_of_memory = true;
    try {
      tables.publish(std::move(next));
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    out_of_memory = false;
    REQUIRE(held.whole());
    REQUIRE(reader.current().whole());
    REQUIRE(reader.current().generation() == tables.latest().generation());
  }
  CHECK(refused);
  reader.quiescent();
  CHECK(tables.reclaim());
}

TEST_CASE("a reader that stands still holds up only what was replaced since it was quiescent") {
  Tables tables(std::make_unique<Table>(1), 2);
  Tables::Reader slow(tables, 0);
  Tables::Reader fast(tables, 1);
  slow.online();
  fast.online();
  for (std::uint64_t generation = 2; generation <= 11; ++generation) {
    if (generation == 8) slow.quiescent();
    tables.publish(std::make_unique<Table>(generation));
    fast.quiescent();
    tables.reclaim();
  }
  CHECK(Table::alive == 5);  // 7 ... 11
  slow.quiescent();
  CHECK(tables.reclaim());
  CHECK(Table::alive == 1);
}

TEST_CASE("under stress no reader sees a freed or torn table, and none of them stays") {
  constexpr std::size_t readers = 4;
  constexpr std::uint64_t publications = 600'000;
  constexpr int most_alive = 32;
  {
    Tables tables(std::make_unique<Table>(1), readers);
    std::atomic<bool> done{false};
    std::vector<RestlessReader> restless;
    for (std::size_t i = 0; i < readers; ++i)
      restless.emplace_back(tables, i);
    std::latch started(readers);
    std::vector<std::jthread> threads;
    for (auto& reader : restless)
      threads.emplace_back([&] { reader.run(started, done); });
    started.wait();

    bool bounded = true;
    for (std::uint64_t generation = 2; generation <= publications && bounded; ++generation) {
      tables.publish(std::make_unique<Table>(generation));
      tables.reclaim();
      if (Table::alive >= most_alive)
        bounded = tables.wait_until_reclaimed(10s) && Table::alive == 1;
    }
    CHECK(bounded);
    CHECK(tables.wait_until_reclaimed(10s));
    CHECK(Table::alive == 1);
    done = true;
    threads.clear();
    for (const auto& reader : restless) {
      CHECK(reader.broken == 0);
      CHECK(reader.replaced == 0);
      CHECK(reader.backwards == 0);
    }
  }
  CHECK(Table::alive == 0);
}
