#include "mcr/stream/sequence_tracker.hpp"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

namespace {

using namespace mcr::stream;

struct Seen {
  std::uint64_t lost;
  std::uint64_t reordered;
  std::uint64_t duplicated;
  std::uint64_t restarts;

  friend bool operator==(const Seen&, const Seen&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << seen.lost << " lost, " << seen.reordered << " reordered, " << seen.duplicated
               << " duplicated, " << seen.restarts << " restarts";
  }
};

Seen seen(const SequenceTracker& tracker) {
  return {tracker.lost(), tracker.reordered(), tracker.duplicated(), tracker.restarts()};
}

Seen after(const std::vector<std::uint64_t>& numbers, const NumberSpace& space = rtp_numbers) {
  SequenceTracker tracker{};
  for (const auto number : numbers)
    tracker.see(space, number);
  return seen(tracker);
}

bool follows(std::uint64_t number, std::uint64_t next) {
  return ((next - number) & 0xFFFF) == 1;
}

std::vector<std::uint64_t> run(std::uint64_t first, std::uint64_t count, std::uint64_t mask) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 0; i < count; ++i)
    numbers.push_back((first + i) & mask);
  return numbers;
}

}  // namespace

TEST_CASE("numbers that come in any way are told apart") {
  struct Case {
    std::string name;
    std::vector<std::uint64_t> numbers;
    Seen expected;
  };
  const auto one = GENERATE(values<Case>({
      {"in order", {5, 6, 7, 8}, {0, 0, 0, 0}},
      {"one lost", {5, 6, 8, 9}, {1, 0, 0, 0}},
      {"a swap takes its loss back", {5, 7, 6, 8}, {0, 1, 0, 0}},
      {"late by three", {5, 7, 8, 9, 6, 10}, {0, 1, 0, 0}},
      {"twice", {5, 6, 6, 7}, {0, 0, 1, 0}},
      {"three times", {5, 6, 6, 6, 7}, {0, 0, 2, 0}},
      {"twice, and late", {5, 7, 6, 6, 8}, {0, 1, 1, 0}},
      {"from before the first", {5, 4, 6, 7}, {0, 1, 0, 0}},
      {"wrap", {65534, 65535, 0, 1}, {0, 0, 0, 0}},
      {"loss over the wrap", {65534, 1, 2}, {2, 0, 0, 0}},
      {"swap over the wrap", {65534, 0, 65535, 1}, {0, 1, 0, 0}},
      {"duplicate over the wrap", {65534, 65535, 0, 65535, 1}, {0, 0, 1, 0}},
      {"restart", {100, 101, 40'000, 40'001, 40'002}, {0, 0, 0, 1}},
      {"restart with a loss right behind it", {100, 40'000, 40'001, 40'003}, {1, 0, 0, 1}},
      {"a stray is no restart", {100, 101, 40'000, 102, 103}, {0, 1, 0, 0}},
      {"two strays apart are no restart", {100, 40'000, 101, 40'001, 102}, {0, 2, 0, 0}},
      {"back by more than misorder, confirmed", {1000, 1001, 800, 801}, {0, 0, 0, 1}},
      {"ahead by less than dropout", {1000, 3999, 4000}, {2998, 0, 0, 0}},
      {"ahead by dropout, confirmed", {1000, 4001, 4002}, {0, 0, 0, 1}},
  }));
  INFO(one.name);
  CHECK(after(one.numbers) == one.expected);
}

TEST_CASE("each width of numbers wraps and sees what is missing there") {
  const unsigned bytes = GENERATE(1U, 2U, 4U, 8U);
  CAPTURE(bytes);
  const auto space = numbers_of(bytes);
  SequenceTracker tracker{};
  const auto missing = [](std::uint64_t i) { return i % 50 == 49; };
  std::uint64_t lost = 0;
  std::uint64_t twice = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    if (missing(i) && i < 4990) {
      ++lost;
      continue;
    }
    tracker.see(space, (space.mask - 700 + i) & space.mask);
    if (i % 97 != 0) continue;
    tracker.see(space, (space.mask - 700 + i) & space.mask);
    ++twice;
  }
  CHECK(seen(tracker) == Seen{lost, 0, twice, 0});
}

TEST_CASE("an outage of seconds is a loss where numbers do not wrap") {
  SequenceTracker tracker{};
  const auto space = numbers_of(8);
  tracker.see(space, 1);
  tracker.see(space, 10'000'001);
  tracker.see(space, 10'000'002);
  CHECK(seen(tracker) == Seen{9'999'999, 0, 0, 0});
  for (const auto number : run(1, 3, space.mask))  // a new session begins at 1
    tracker.see(space, number);
  CHECK(seen(tracker) == Seen{9'999'999, 0, 0, 1});
}

TEST_CASE("datagrams that take several numbers lose and find messages") {
  SequenceTracker tracker{};
  const auto space = numbers_of(8);
  tracker.see(space, 10, 3);
  tracker.see(space, 20, 5);  // 13 to 19 are missing
  CHECK(tracker.lost() == 7);
  tracker.see(space, 13, 4);  // comes late
  CHECK(seen(tracker) == Seen{3, 1, 0, 0});
  tracker.see(space, 13, 4);
  CHECK(seen(tracker) == Seen{3, 1, 1, 0});
  tracker.see(space, 25, 0);  // a heartbeat: nothing is missing
  CHECK(tracker.lost() == 3);
  tracker.see(space, 30, 0);  // a heartbeat tells that 25 to 29 are
  CHECK(seen(tracker) == Seen{8, 1, 1, 0});
  tracker.see(space, 25, 2);  // part of what the heartbeat missed
  CHECK(seen(tracker) == Seen{6, 2, 1, 0});
}

TEST_CASE("random faults within the window are counted exactly") {
  const auto seed = GENERATE(range(1U, 21U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::vector<std::uint64_t> sent;
  Seen expected{};
  const auto first = std::uint64_t{random()};
  for (std::uint64_t i = 0; i < 70'000; ++i) {
    const auto dice = random() % 100;
    const bool edge = i < 10 || i >= 69'990;
    if (dice == 0 && !edge) {
      ++expected.lost;
      continue;
    }
    sent.push_back((first + i) & 0xFFFF);
    if (dice == 1 && !edge) {
      sent.push_back(sent.back());
      ++expected.duplicated;
    }
    // The one before it comes after it, if neither that nor its neighbours are of another fault.
    const auto end = sent.size();
    if (dice == 2 && !edge && follows(sent[end - 3], sent[end - 2]) &&
        follows(sent[end - 2], sent[end - 1])) {
      std::swap(sent[end - 2], sent[end - 1]);
      ++expected.reordered;
      sent.push_back((first + ++i) & 0xFFFF);
    }
  }
  CHECK(after(sent) == expected);
}
