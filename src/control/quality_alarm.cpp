//            something is not as expected
//   content --------------------------------> degraded
//      ^                                         |
//      +-----------------------------------------+
//        all is as expected, over `within`; or the rule is silent or does not run, which has a
//        reason of its own
//
// A window goes from an earlier look to this one. It is `within` long; while the rule has been
// heard for less it is shorter, and then only what cannot be mended any more counts: continuity
// errors.
//
// The socket's drops are counted when they happen. The gap that they leave shows when the frames
// before it have been read, perhaps one look later, and is loss for good one look after that. So a
// window knows also of drops in the two looks before it.
#include "mcr/control/quality_alarm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace mcr {

namespace {

using std::chrono::seconds;
using Time = QualityLook::Time;

/// Looks are a second apart, more or less.
constexpr std::chrono::milliseconds half_a_look{500};
/// A long window moves in so many steps, so that few looks are kept.
constexpr int steps = 10;

constexpr double percent = 100;
constexpr std::uint64_t million = 1'000'000;
constexpr std::size_t most_pids = 4;  // that are named

std::uint64_t growth(std::uint64_t from, std::uint64_t to) noexcept {
  return to - std::min(from, to);
}

std::string whole_seconds(Time::duration time) {
  return fmt::format("{} s", std::chrono::round<seconds>(time).count());
}

/// "12.3 Mbit/s"
std::string rate_text(double bps) {
  constexpr std::array units{"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
  std::size_t unit = 0;
  for (; bps >= 1000 && unit + 1 < units.size(); ++unit)
    bps /= 1000;
  return fmt::format("{:.4g} {}", bps, units[unit]);
}

/// "PID 257", "PIDs 256, 257"
std::string pids_text(const std::vector<std::uint16_t>& pids) {
  std::string text = pids.size() == 1 ? "PID " : "PIDs ";
  for (std::size_t i = 0; i < std::min(most_pids, pids.size()); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", pids[i]);
  if (pids.size() > most_pids) text += fmt::format(" and {} more", pids.size() - most_pids);
  return text;
}

/// One window judged: each function appends a sentence, or nothing.
class Judgement {
 public:
  Judgement(const Expectation& expect, const QualityWindow& window)
      : expect_(expect), window_(window), length_(window.to.at - window.from.at) {}

  void loss() {
    const auto lost = growth(window_.from.lost, window_.to.lost);
    const auto sent = lost + growth(window_.from.received, window_.to.received);
    if (!window_.whole || !expect_.max_loss_ppm || lost * million <= sent * *expect_.max_loss_ppm)
      return;
    const auto share = percent * static_cast<double>(lost) / static_cast<double>(sent);
    const auto most = percent * *expect_.max_loss_ppm / static_cast<double>(million);
    add(fmt::format("{} of {} datagrams lost in {} ({:.3g}%, at most {:g}% expected); last {} ago",
                    lost, sent, whole_seconds(length_), share, most,
                    whole_seconds(window_.to.at - window_.last_lost)));
    whose(lost);
  }

  void continuity() {
    const auto errors = growth(window_.from.cc_errors, window_.to.cc_errors);
    if (!expect_.max_cc_errors || errors <= *expect_.max_cc_errors) return;
    std::vector<std::uint16_t> pids;
    for (const auto& pid : window_.to.pids)
      if (pid.cc_errors > window_.from.of(pid.pid).cc_errors) pids.push_back(pid.pid);
    const auto most = *expect_.max_cc_errors;
    add(fmt::format("{} TS continuity error{}{} in {}{}; last {} ago", errors,
                    errors == 1 ? "" : "s", pids.empty() ? "" : " on " + pids_text(pids),
                    whole_seconds(length_),
                    most == 0 ? "" : fmt::format(", at most {} expected", most),
                    whole_seconds(window_.to.at - window_.last_cc_error)));
    whose(0);
  }

  void pids() {
    if (!window_.whole) return;
    std::vector<std::uint16_t> missing;
    for (const auto pid : expect_.pids)
      if (window_.to.of(pid).packets == window_.from.of(pid).packets) missing.push_back(pid);
    if (missing.empty()) return;
    add(fmt::format("{} missing for {}", pids_text(missing), whole_seconds(length_)));
    whose(0);
  }

  void rate() {
    if (!window_.whole) return;
    const auto bits = 8 * static_cast<double>(growth(window_.from.bytes, window_.to.bytes));
    const auto bps = bits / std::chrono::duration<double>(length_).count();
    const bool few = expect_.min_bps != 0 && bps < static_cast<double>(expect_.min_bps);
    const bool many = expect_.max_bps != 0 && bps > static_cast<double>(expect_.max_bps);
    if (!few && !many) return;
    add(fmt::format("{} over {}, expected at {} {}", rate_text(bps), whole_seconds(length_),
                    few ? "least" : "most",
                    rate_text(static_cast<double>(few ? expect_.min_bps : expect_.max_bps))));
    if (few) whose(0);
  }

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  void add(const std::string& sentence) { text_ += (text_.empty() ? "" : ". ") + sentence; }

  /// The path is not blamed for what was lost here. `lost` datagrams; 0: nobody knows how many. A
  /// frame has at least one.
  void whose(std::uint64_t lost) {
    const auto own = growth(window_.from.own_drops, window_.to.own_drops);
    if (own == 0 || std::exchange(told_whose_, true)) return;
    const auto frames = fmt::format("{} frame{}", own, own == 1 ? "" : "s");
    if (lost != 0 && own >= lost)
      text_ += fmt::format("; MCR itself dropped {} at its receive socket meanwhile", frames);
    else
      text_ += fmt::format(
          "; the path's loss cannot be told from MCR's own: it dropped {} at its receive socket "
          "meanwhile",
          frames);
  }

  const Expectation& expect_;
  const QualityWindow& window_;
  const Time::duration length_;
  std::string text_;
  bool told_whose_ = false;
};

}  // namespace

PidCount QualityLook::of(std::uint16_t pid) const noexcept {
  const auto found = std::ranges::find(pids, pid, &PidCount::pid);
  return found == pids.end() ? PidCount{pid} : *found;
}

std::string shortcomings(const Expectation& expect, const QualityWindow& window) {
  Judgement judgement(expect, window);
  judgement.loss();
  judgement.continuity();
  judgement.pids();
  judgement.rate();
  return std::move(judgement).take();
}

void QualityAlarm::begin(QualityLook look) {
  looks_.clear();
  earlier_drops_ = look.own_drops;
  last_ = std::move(look);
}

/// The first look is the latest that is `within` ago.
void QualityAlarm::move_window(const Expectation& expect, const QualityLook& look) {
  const auto old = [&](const QualityLook& one) {
    return look.at - one.at >= expect.within - half_a_look;
  };
  const auto first = std::ranges::find_if_not(looks_, old);
  if (first - looks_.begin() > 1) looks_.erase(looks_.begin(), first - 1);
}

QualityAlarm::Event QualityAlarm::update(const Expectation& expect, bool hears, QualityLook look) {
  const bool was_degraded = degraded();
  reason_.clear();
  const bool anew = look.received < last_.received || look.bytes < last_.bytes;
  if (!hears || anew || last_.at == Time{}) begin(look);
  if (!hears) return was_degraded ? Event::ended : Event::none;
  if (look.lost > last_.lost) last_lost_ = look.at;
  if (look.cc_errors > last_.cc_errors) last_cc_error_ = look.at;
  move_window(expect, look);
  const auto step = expect.within / steps - half_a_look;
  if (looks_.empty() || look.at - looks_.back().at >= step) {
    looks_.push_back(look);
    looks_.back().own_drops = earlier_drops_;
  }
  const auto& from = looks_.front();
  const bool whole = look.at - from.at >= expect.within - half_a_look;
  own_loss_ = growth(from.own_drops, look.own_drops) != 0;
  reason_ = shortcomings(expect, {from, look, whole, last_lost_, last_cc_error_});
  earlier_drops_ = last_.own_drops;
  last_ = std::move(look);
  if (degraded() && !was_degraded) since_ = last_.at;
  if (degraded() == was_degraded) return Event::none;
  return was_degraded ? Event::ended : Event::began;
}

std::chrono::seconds QualityAlarm::lasted(QualityLook::Time now) const noexcept {
  return std::chrono::round<seconds>(now - since_);
}

}  // namespace mcr
