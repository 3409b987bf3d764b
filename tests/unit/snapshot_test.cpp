#include "mcr/snapshot.hpp"

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "catch.hpp"

using mcr::Snapshot;
using namespace std::chrono_literals;

namespace {

/// Its words are equal while it lives, and zero after.
struct Guarded {
  explicit Guarded(std::uint64_t value) { words.fill(value); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    words.fill(0);
    ++freed;
  }
  [[nodiscard]] bool whole() const {
    for (const auto word : words)
      if (word == 0 || word != words[0]) return false;
    return true;
  }
  std::array<std::uint64_t, 16> words{};
  static inline std::atomic<std::uint64_t> freed{0};
};

}  // namespace

TEST_CASE("an old value lives until every reader has been quiescent") {
  Guarded::freed = 0;
  Snapshot<Guarded> snapshot(std::make_unique<Guarded>(1), 2);
  Snapshot<Guarded>::Reader first(snapshot, 0);
  Snapshot<Guarded>::Reader second(snapshot, 1);
  first.online();
  second.online();
  const auto& old = first.current();
  snapshot.publish(std::make_unique<Guarded>(2));
  CHECK(old.whole());
  CHECK_FALSE(snapshot.reclaim());
  CHECK(second.current().words[0] == 2);
  second.quiescent();
  CHECK_FALSE(snapshot.reclaim());
  CHECK(Guarded::freed == 0);
  first.quiescent();
  CHECK(snapshot.reclaim());
  CHECK(Guarded::freed == 1);
}

TEST_CASE("a reader that is offline is not waited for") {
  Snapshot<Guarded> snapshot(std::make_unique<Guarded>(1), 1);
  Snapshot<Guarded>::Reader reader(snapshot, 0);
  snapshot.publish(std::make_unique<Guarded>(2));
  CHECK(snapshot.reclaim());
  reader.online();
  snapshot.publish(std::make_unique<Guarded>(3));
  CHECK_FALSE(snapshot.wait_until_reclaimed(1ms));
  reader.offline();
  CHECK(snapshot.wait_until_reclaimed(1ms));
}

TEST_CASE("no reader ever sees a freed or torn value") {
  constexpr std::size_t readers = 3;
  constexpr std::uint64_t publications = 3000;
  Snapshot<Guarded> snapshot(std::make_unique<Guarded>(1), readers);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> broken{0};
  std::atomic<std::uint64_t> backwards{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < readers; ++i)
    threads.emplace_back([&, i] {
      Snapshot<Guarded>::Reader reader(snapshot, i);
      reader.online();
      std::uint64_t last = 0;
      for (std::uint64_t round = 0; !done; ++round) {
        const auto& value = reader.current();
        if (!value.whole()) ++broken;
        if (value.words[0] < last) ++backwards;
        last = value.words[0];
        if (round % 7 == 0) {
          reader.offline();
          reader.online();
        } else {
          reader.quiescent();
        }
      }
      reader.offline();
    });
  for (std::uint64_t value = 2; value < publications; ++value) {
    snapshot.publish(std::make_unique<Guarded>(value));
    snapshot.reclaim();
  }
  CHECK(snapshot.wait_until_reclaimed(5s));
  done = true;
  for (auto& thread : threads)
    thread.join();
  CHECK(broken == 0);
  CHECK(backwards == 0);
}
