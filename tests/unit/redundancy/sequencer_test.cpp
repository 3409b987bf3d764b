#include "mcr/redundancy/sequencer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "catch.hpp"
#include "datagrams.hpp"
#include "mcr/redundancy/legs.hpp"

using namespace mcr;
using namespace mcr::redundancy;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t us = 1000;
constexpr std::uint64_t ms = 1000 * us;

Merge in_sequence(Merge merge, std::chrono::microseconds window, bool pace = false) {
  merge.order = Merge::Order::sequence;
  merge.window = window;
  merge.pace = pace;
  return merge;
}

/// A worker with the legs of one rule: time moves in steps, and what is due is let go
/// after what came at that time.
struct Line {
  struct Out {
    std::uint32_t tag;
    std::uint64_t at;
    std::uint64_t came;
  };

  explicit Line(const Merge& merge) : legs(merge) {}

  /// "" if it goes on, now or later.
  std::string bring(std::size_t leg, const Bytes& datagram, std::uint32_t tag) {
    auto& sequencer = *legs.sequencer();
    if (const auto drop = legs.judge(leg, datagram, now))
      return std::string(input_drop_names[static_cast<std::size_t>(*drop)]);
    const auto place = legs.place();
    if (place.begin == place.end) {
      out.push_back({tag, now, now});
      return "";
    }
    if (!sequencer.is_next(place)) {
      if (sequencer.has_room_for(place) && room != 0) {
        hold(place, tag);
        return "";
      }
      while (auto* before = sequencer.take_before(place))
        let_go(before);
      sequencer.go_early();
    }
    out.push_back({tag, now, now});
    sequencer.pass(place);
    while (auto* ready = sequencer.take_ready())
      let_go(ready);
    return "";
  }
  std::string bring(std::size_t leg, std::uint16_t number) {
    return bring(leg, rtp(number), number);
  }
  void until(std::uint64_t time) {
    auto& sequencer = *legs.sequencer();
    while (!sequencer.empty() && sequencer.due_ns() <= time) {
      now = std::max(now, sequencer.due_ns());
      while (auto* due = sequencer.take_due(now))
        let_go(due);
      while (auto* ready = sequencer.take_ready())
        let_go(ready);
    }
    now = std::max(now, time);
  }
  [[nodiscard]] std::vector<std::uint32_t> tags() const {
    std::vector<std::uint32_t> result;
    for (const auto& one : out)
      result.push_back(one.tag);
    return result;
  }
  [[nodiscard]] std::uint64_t waiting() const { return legs.counts().waiting.get(); }
  [[nodiscard]] std::uint64_t early() const { return legs.counts().early.get(); }
  [[nodiscard]] std::uint64_t lost() const {
    return legs.counts().span.get() - legs.counts().numbers.get();
  }

  Legs legs;
  std::vector<Out> out;
  std::size_t room = 1'000'000;
  std::uint64_t now = 1'000'000 * ms;

 private:
  void hold(const Place& place, std::uint32_t tag) {
    --room;
    Waiting waiting;
    waiting.place = place;
    waiting.packet.ttl = 1;
    waiting.packet.datagrams = tag;
    const auto at = free_.empty() ? memory_.size() : free_.back();
    if (free_.empty())
      memory_.push_back(waiting);
    else
      free_.pop_back();
    memory_[at] = waiting;
    memory_[at].packet.segment = static_cast<std::uint32_t>(at);
    legs.sequencer()->hold(memory_[at], now);
  }
  void let_go(const Waiting* waiting) {
    ++room;
    out.push_back({waiting->packet.datagrams, now, waiting->came_ns});
    free_.push_back(waiting->packet.segment);
  }

  std::deque<Waiting> memory_;
  std::vector<std::size_t> free_;
};

using Tags = std::vector<std::uint32_t>;

/// It knows everything: each number's first copy goes on in order, unless something higher had to
/// go before it came.
class Model {
 public:
  /// `first`: the first number that comes.
  Model(bool pace, std::chrono::nanoseconds window, std::uint32_t first)
      : pace_(pace), window_(static_cast<std::uint64_t>(window.count())), settled_(first) {}

  std::string bring(std::uint32_t number, std::uint64_t now) {
    if (seen_.contains(number)) return "duplicate";
    if (number < settled_) return "late";
    seen_.insert(number);
    waiting_.emplace(number, now + window_);
    follow();
    return "";
  }
  /// The highest one whose time has come takes all below it along.
  void until(std::uint64_t now) {
    auto last = waiting_.end();
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at)
      if (at->second <= now) last = at;
    if (last == waiting_.end()) return;
    for (++last; waiting_.begin() != last;)
      leave();
    follow();
  }
  [[nodiscard]] const Tags& gone() const { return gone_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  void leave() {
    gone_.push_back(waiting_.begin()->first);
    settled_ = waiting_.begin()->first + 1;
    waiting_.erase(waiting_.begin());
  }
  void follow() {
    while (!pace_ && !waiting_.empty() && waiting_.begin()->first == settled_)
      leave();
  }

  bool pace_;
  std::uint64_t window_;
  std::map<std::uint32_t, std::uint64_t> waiting_;  ///< and when each has to leave
  std::set<std::uint32_t> seen_;
  std::uint32_t settled_;  ///< all below this has gone, or never will
  Tags gone_;
};

struct Copy {
  std::uint64_t at;  ///< us
  std::size_t leg;
  std::uint32_t number;
};

/// 2 to 8 legs, each with losses, skew, jitter and doubles of its own.
std::vector<Copy> random_copies(std::mt19937& random) {
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution(0U, most)(random); };
  const std::size_t count = 2 + up_to(6);
  const auto first = up_to(1) == 0 ? 64'500U : up_to(65'535);
  std::vector<Copy> copies;
  for (std::size_t leg = 0; leg < count; ++leg) {
    const auto loss = up_to(40);
    const auto skew = up_to(80'000);
    const auto jitter = 1 + up_to(6'000);
    for (std::uint32_t n = 0; n < 3'000; ++n)
      for (auto times = up_to(99) < loss ? 0 : up_to(99) < 3 ? 2 : 1; times != 0; --times)
        copies.push_back({std::uint64_t{n} * 100 + skew + up_to(jitter), leg, first + n});
  }
  std::ranges::stable_sort(copies, {}, &Copy::at);
  return copies;
}

}  // namespace

TEST_CASE("sequence: without a hole nothing waits") {
  Line line(in_sequence(by_rtp, 50ms));
  for (std::uint16_t n = 65'500; n != 200; ++n) {
    CHECK(line.bring(0, n).empty());
    CHECK(line.bring(1, n) == "duplicate");
    line.until(line.now + ms);
  }
  CHECK(line.waiting() == 0);
  CHECK(std::ranges::all_of(line.out, [](const auto& one) { return one.at == one.came; }));
  CHECK(line.out.size() == 236);
}

TEST_CASE("sequence: what follows a hole waits for it, and goes at once when it is filled") {
  Line line(in_sequence(by_rtp, 50ms));
  for (const auto n : std::initializer_list<std::uint16_t>{1, 2, 4, 5, 7})
    CHECK(line.bring(0, n).empty());
  CHECK(line.tags() == Tags{1, 2});
  CHECK(line.waiting() == 3);
  line.until(line.now + 40 * ms);
  CHECK(line.bring(1, 3).empty());
  CHECK(line.tags() == Tags{1, 2, 3, 4, 5});
  CHECK(line.waiting() == 1);
  line.until(line.now + 9 * ms);
  CHECK(line.tags().size() == 5);
  line.until(line.now + ms);
  CHECK(line.tags() == Tags{1, 2, 3, 4, 5, 7});
  CHECK(line.bring(1, 6) == "late");
  CHECK(line.lost() == 1);
  CHECK(line.legs.leg(1).late.get() == 1);
}

TEST_CASE("sequence: a hole waits no longer than what first showed it") {
  Line line(in_sequence(by_rtp, 10ms));
  CHECK(line.bring(0, 1).empty());
  CHECK(line.bring(0, 3).empty());
  line.until(line.now + 6 * ms);
  CHECK(line.bring(0, 5).empty());  // another hole, which has its own time
  line.until(line.now + 4 * ms);
  CHECK(line.tags() == Tags{1, 3});
  CHECK(line.bring(1, 4).empty());
  CHECK(line.tags() == Tags{1, 3, 4, 5});
}

TEST_CASE("sequence: what came after a higher number does not wait for its own time") {
  Line line(in_sequence(by_rtp, 10ms));
  CHECK(line.bring(0, 1).empty());
  CHECK(line.bring(0, 5).empty());
  line.until(line.now + 9 * ms);
  CHECK(line.bring(1, 3).empty());  // 2 and 4 are missing
  line.until(line.now + ms);
  CHECK(line.tags() == Tags{1, 3, 5});
  CHECK(line.waiting() == 0);
}

TEST_CASE("sequence with pace: a constant delay, whichever leg brings it") {
  Line line(in_sequence(by_rtp, 50ms, true));
  const auto begin = line.now;
  for (std::uint16_t n = 0; n < 300; ++n) {
    line.until(begin + n * ms);
    if (n % 7 != 3) CHECK(line.bring(0, n).empty());
    if (n >= 40) {
      const auto behind = static_cast<std::uint16_t>(n - 40);
      CHECK(line.bring(1, behind) == (behind % 7 == 3 ? "" : "duplicate"));
    }
  }
  line.until(line.now + 100 * ms);
  REQUIRE(line.out.size() > 290);
  for (const auto& [tag, at, came] : line.out) {
    const bool filled_in = tag % 7 == 3;  // it leaves with its successor
    REQUIRE(at == begin + (tag + (filled_in ? 1 : 0)) * ms + 50 * ms);
  }
  CHECK(std::ranges::is_sorted(line.tags()));
}

TEST_CASE("sequence: what bears no number goes on at once") {
  Line line(in_sequence(by_rtp, 50ms));
  const Bytes rtcp{std::byte{0x80}, std::byte{200}, std::byte{0}, std::byte{1}};
  CHECK(line.bring(0, 1).empty());
  CHECK(line.bring(0, 3).empty());
  CHECK(line.bring(0, rtcp, 1000).empty());
  CHECK(line.bring(1, rtcp, 1000) == "duplicate");
  CHECK(line.tags() == Tags{1, 1000});
}

TEST_CASE("sequence: a leg behind by more than the window fills nothing") {
  Line line(in_sequence(by_rtp, 50ms));
  const auto begin = line.now;
  std::size_t late = 0;
  for (std::uint16_t n = 0; n < 500; ++n) {
    line.until(begin + n * ms);
    if (n % 10 != 5) CHECK(line.bring(0, n).empty());
    if (n < 63) continue;
    const auto behind = static_cast<std::uint16_t>(n - 63);
    const auto fate = line.bring(1, behind);
    CHECK(fate == (behind % 10 == 5 ? "late" : "duplicate"));
    late += std::size_t{fate == "late"};
  }
  CHECK(late == 44);
  CHECK(line.legs.leg(1).skew.median_us() > 50'000);
  CHECK(std::ranges::is_sorted(line.tags()));
  for (const auto& one : line.out)
    CHECK(one.at - one.came <= 50 * ms);
}

TEST_CASE("sequence: where there is no room it goes early, in order, and counted") {
  Line line(in_sequence(by_rtp, 50ms));
  SECTION("no memory") {
    line.room = 2;
    for (const auto n : std::initializer_list<std::uint16_t>{1, 3, 5, 7, 8, 10})
      CHECK(line.bring(0, n).empty());
    CHECK(line.tags() == Tags{1, 3, 5, 7, 8});
    CHECK(line.early() == 3);
    CHECK(line.waiting() == 1);
    CHECK(line.bring(1, 4) == "late");
    CHECK(line.bring(1, 9).empty());
    CHECK(line.tags() == Tags{1, 3, 5, 7, 8, 9, 10});
  }
  SECTION("a hole of too many numbers") {
    line.now += 1;
    CHECK(line.bring(0, 1).empty());
    for (std::uint16_t n = 2; n < 16'000; n += 2)
      static_cast<void>(line.bring(0, static_cast<std::uint16_t>(n + 1)));
    for (std::uint16_t n = 16'001; n < 20'001; ++n)
      CHECK(line.bring(0, n).empty());
    CHECK(line.early() > 0);
    CHECK(std::ranges::is_sorted(line.tags()));
  }
}

TEST_CASE("sequence: the sender begins anew, and the new run follows the old one") {
  Line line(in_sequence(by_rtp, 50ms));
  CHECK(line.bring(0, rtp(1), 1).empty());
  CHECK(line.bring(1, rtp(1), 1) == "duplicate");
  CHECK(line.bring(0, rtp(3), 3).empty());
  CHECK(line.bring(0, rtp(7, 2), 107).empty());
  CHECK(line.bring(0, rtp(9, 2), 109).empty());
  CHECK(line.bring(1, rtp(2), 2).empty());
  CHECK(line.tags() == Tags{1, 2, 3});
  CHECK(line.bring(1, rtp(4), 4).empty());
  CHECK(line.bring(1, rtp(8, 2), 108).empty());
  line.until(line.now + 50 * ms);
  CHECK(line.tags() == Tags{1, 2, 3, 4, 107, 108, 109});
  CHECK(line.bring(0, rtp(10, 2), 110).empty());
  CHECK(line.tags().back() == 110);
}

TEST_CASE("sequence: a leg that turns to another stream does not stop the others") {
  Line line(in_sequence(by_rtp, 50ms));
  const auto begin = line.now;
  std::size_t others = 0;
  for (std::uint16_t n = 0; n < 2'000; ++n) {
    line.until(begin + n * ms);
    REQUIRE(line.bring(0, n).empty());
    if (n < 100)
      REQUIRE(line.bring(1, n) == "duplicate");
    else
      others += std::size_t{line.bring(1, rtp(n, 9, 5), 10'000U + n).empty()};
  }
  line.until(line.now + 100 * ms);
  CHECK(others <= 50);
  auto tags = line.tags();
  std::erase_if(tags, [](std::uint32_t tag) { return tag >= 10'000; });
  CHECK(tags.size() == 2'000);
  CHECK(std::ranges::is_sorted(tags));
}

TEST_CASE("sequence: another window holds for what waits already") {
  auto merge = in_sequence(by_rtp, 50ms);
  Line line(merge);
  CHECK(line.bring(0, 1).empty());
  CHECK(line.bring(0, 3).empty());
  merge.window = 20ms;
  line.legs.set_waiting(merge);
  line.until(line.now + 20 * ms);
  CHECK(line.tags() == Tags{1, 3});
}

TEST_CASE("sequence: MoldUDP64 in order, whatever each datagram holds") {
  Line line(in_sequence(by_mold, 50ms));
  CHECK(line.bring(0, mold(1, 3), 1).empty());
  CHECK(line.bring(0, mold(9, 2), 9).empty());
  CHECK(line.bring(0, mold(6, 3), 6).empty());
  CHECK(line.bring(1, mold(1, 3), 1) == "duplicate");
  CHECK(line.tags() == Tags{1});
  CHECK(line.bring(1, mold(4, 2), 4).empty());
  CHECK(line.tags() == Tags{1, 4, 6, 9});
}

TEST_CASE("sequence: the sorted union, as far as the window allows, and none twice") {
  const auto seed = GENERATE(range(0U, 60U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution(0U, most)(random); };
  const bool pace = up_to(1) == 0;
  const auto window = std::chrono::milliseconds(1 + up_to(60));
  const auto kind = up_to(2);
  const auto copies = random_copies(random);
  const auto& by = kind == 0 ? by_rtp : kind == 1 ? by_mold : by_number;
  Line line(in_sequence(by, window, pace));
  Model model(pace, window, copies.front().number);
  for (const auto& [at, leg, number] : copies) {
    const auto now = 1'000'000 * ms + at * us;
    line.until(now);
    model.until(now);
    const auto datagram = kind == 0   ? rtp(static_cast<std::uint16_t>(number))
                          : kind == 1 ? mold(number, 1)
                                      : numbered(number);
    REQUIRE(line.bring(leg, datagram, number) == model.bring(number, now));
    REQUIRE(line.waiting() == model.waiting());
  }
  line.until(line.now + 1'000 * ms);
  model.until(line.now);
  CHECK(line.tags() == model.gone());
  CHECK(std::ranges::is_sorted(model.gone()));
  CHECK(line.early() == 0);
  CHECK(line.legs.counts().numbers.get() == model.gone().size());
  for (const auto& one : line.out)
    CHECK(one.at - one.came <=
          static_cast<std::uint64_t>(std::chrono::nanoseconds(window).count()));
}

TEST_CASE("sequence: a million a second, where 16-bit numbers wrap each 65 ms") {
  constexpr std::uint32_t count = 140'000;
  const std::uint64_t lag = GENERATE(0U, 10'000U);
  CAPTURE(lag);
  std::mt19937 random(1);
  Line line(in_sequence(by_rtp, 12ms));
  std::set<std::uint32_t> wanted;
  std::uint64_t wrong = 0;
  const auto begin = line.now;
  const auto bring = [&](std::size_t leg, std::uint64_t number) {
    const bool is_new = wanted.insert(static_cast<std::uint32_t>(number)).second;
    const auto what = line.bring(leg, rtp(static_cast<std::uint16_t>(number)),
                                 static_cast<std::uint32_t>(number));
    wrong += std::uint64_t{what != (is_new ? "" : "duplicate")};
  };
  for (std::uint64_t at = 0; at < count + lag; ++at) {
    line.until(begin + at * us);
    if (at == 0 || (at < count && random() % 20 != 0)) bring(0, at);
    if (at >= lag && random() % 20 != 0) bring(1, at - lag);
  }
  line.until(line.now + 100 * ms);
  CHECK(line.tags() == Tags(wanted.begin(), wanted.end()));
  CHECK(wrong == 0);
  CHECK(wanted.size() < count);
  CHECK(line.early() == 0);
  CHECK(line.legs.counts().resets.get() == 0);
}
