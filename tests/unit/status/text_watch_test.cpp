#include "mcr/status/text_watch.hpp"

#include <algorithm>
#include <sstream>

#include "catch.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/status/text.hpp"
#include "status_builder.hpp"

using mcr::drops_of;
using mcr::Status;
using mcr::status::FrameOrder;
using mcr::status::FrameShape;
using mcr::status::LastMinute;
using mcr::status::render_frame;
using mcr::status::Rule;

namespace {

Rule rule(const std::string& name, double pps, std::uint64_t sent, std::uint64_t dropped) {
  Rule result;
  result.name = name;
  result.state = mcr::RuleState::active;
  result.rx_datagrams = 100;
  result.rate_pps = pps;
  result.rate_bps = pps * 8000;
  result.outputs.emplace_back();
  result.outputs[0].tx_datagrams = sent;
  drops_of(result.outputs[0].drops, "egress_full") = dropped;
  return result;
}

Status status(std::vector<Rule> rules) {
  Status result;
  result.process.version = "0.1.0";
  result.process.uptime_s = 60;
  result.rules = std::move(rules);
  result.totals.emplace().kernel_drops = 0;
  return result;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    result.push_back(line);
  return result;
}

/// The first words of the lines under the table's head.
std::vector<std::string> names(const std::string& text) {
  std::vector<std::string> result;
  bool table = false;
  for (const auto& line : lines(text)) {
    if (table) result.push_back(line.substr(0, line.find(' ')));
    table = table || line.starts_with("RULE");
  }
  return result;
}

}  // namespace

TEST_CASE("frame: rates between two statuses, with the reason of what drops") {
  const auto before = status({rule("a", 1000, 5000, 10)});
  auto now = status({rule("a", 1000, 7000, 110)});
  now.totals->kernel_drops = 40;
  const auto text = render_frame(before, now, 2.0, {});
  INFO(text);
  CHECK(lines(text)[0] == "mcr 0.1.0, up 60s: 1 rule, 0 not running");
  CHECK(lines(text)[1] ==
        "in 1.00k/s, 8.00Mbit/s; out 1.00k/s; drops 50/s; frames lost in the kernel 20/s");
  CHECK(lines(text)[3].starts_with("RULE"));
  CHECK(lines(text)[4] == "a     active  1.00k  8.00M  1.00k      50  egress_full 50/s");
}

TEST_CASE("frame: without drops now, those that were are told; the first frame has no rates") {
  const auto now = status({rule("a", 1000, 7000, 110)});
  CHECK(lines(render_frame(now, now, 1.0, {}))[4].ends_with("0  had egress_full 110"));
  const auto first = lines(render_frame(Status(), now, 0, {}))[4];
  CHECK(first.find(" 0       0  had egress_full 110") != std::string::npos);
}

TEST_CASE("frame: orders; what does not run is first in each") {
  auto stopped = rule("x", 0, 0, 0);
  stopped.state = mcr::RuleState::waiting;
  stopped.reason = {"interface eth7 does not exist"};
  const auto before = status({rule("b", 5, 0, 0), rule("a", 9, 0, 0), rule("c", 7, 0, 0), stopped});
  const auto now = status({rule("b", 5, 0, 8), rule("a", 9, 0, 0), rule("c", 7, 0, 9), stopped});
  using Names = std::vector<std::string>;
  const auto in = [&](FrameOrder order) {
    return names(render_frame(before, now, 1, {80, 0, order}));
  };
  CHECK(in(FrameOrder::rate) == Names{"x", "a", "c", "b"});
  CHECK(in(FrameOrder::drops) == Names{"x", "c", "b", "a"});
  CHECK(in(FrameOrder::name) == Names{"x", "a", "b", "c"});
  CHECK(render_frame(before, now, 1, {}).find("eth7 does not exist") != std::string::npos);
}

TEST_CASE("frame: fits the screen, says how many are left out, and keeps to its width") {
  std::vector<Rule> rules;
  for (int i = 0; i < 1000; ++i)
    rules.push_back(rule("a-rather-long-name-of-a-rule-" + std::to_string(i), i, 0, 5));
  const auto now = status(rules);
  const auto text = render_frame(now, now, 1, {80, 24, FrameOrder::rate});
  INFO(text);
  CHECK(lines(text).size() <= 24);
  CHECK(lines(text).back() == "981 below");
  CHECK(lines(render_frame(now, now, 1, {})).size() > 1000);
  for (const auto& line : lines(text))
    CHECK(line.size() <= 80);
}

TEST_CASE("frame: scrolls and searches") {
  std::vector<Rule> rules;
  for (int i = 0; i < 100; ++i)
    rules.push_back(rule("r" + std::to_string(100 + i), 0, 0, 0));
  rules[7].reason = {"interface eth7 does not exist"};
  rules[7].state = mcr::RuleState::waiting;
  const auto now = status(rules);
  FrameShape shape{80, 24, FrameOrder::name};
  shape.first = 10;
  const auto scrolled = render_frame(now, now, 1, shape);
  INFO(scrolled);
  CHECK(names(scrolled).front() == "r110");  // r107 is the first of all: it does not run
  CHECK(lines(scrolled).back() == "10 above, 71 below");
  shape.first = 1000;
  CHECK(lines(render_frame(now, now, 1, shape)).back() == "81 above");
  shape.search = "eth7";
  const auto found = render_frame(now, now, 1, shape);
  CHECK(names(found).front() == "r107");
  CHECK(lines(found).back() == "search: eth7");
  shape.search = "nothing";
  CHECK(lines(render_frame(now, now, 1, shape)).back() == "search: nothing");
}

TEST_CASE("frame: a note that is too long ends with a whole word") {
  auto stopped = rule("x", 0, 0, 0);
  stopped.state = mcr::RuleState::waiting;
  stopped.reason = {"interface with-a-long-name0 does not exist on this host at the moment"};
  const auto now = status({stopped});
  const auto line = lines(render_frame(now, now, 1, {80, 0, FrameOrder::rate}))[4];
  INFO(line);
  CHECK(line.size() <= 80);
  CHECK(line.ends_with(" .."));
  const auto shown = line.substr(line.find("interface"), line.size() - line.find("interface") - 3);
  CHECK(stopped.reason.text.starts_with(shown + ' '));
}

TEST_CASE("frame: states that are trouble and drops are coloured, if that is wanted") {
  auto waiting = rule("w", 0, 0, 0);
  waiting.state = mcr::RuleState::waiting;
  auto failed = rule("x", 0, 0, 0);
  failed.state = mcr::RuleState::failed;
  auto disabled = rule("y", 0, 0, 0);
  disabled.state = mcr::RuleState::disabled;
  const auto before = status({rule("a", 9, 0, 0), rule("b", 8, 0, 0), waiting, failed, disabled});
  auto now = before;
  drops_of(now.rules[1].outputs[0].drops, "egress_full") = 5;
  FrameShape shape;
  const auto plain = render_frame(before, now, 1, shape);
  CHECK(plain.find('\x1b') == std::string::npos);
  shape.colour = true;
  auto coloured = render_frame(before, now, 1, shape);
  INFO(coloured);
  for (const auto* painted : {"\x1b[33mwaiting\x1b[0m ", "\x1b[31mfailed\x1b[0m  ",
                              "\x1b[2mdisabled\x1b[0m", "   \x1b[33m5\x1b[0m  egress_full"})
    CHECK(coloured.find(painted) != std::string::npos);
  CHECK(coloured.find("active  ") != std::string::npos);
  for (const std::string code : {"\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"})
    for (auto at = coloured.find(code); at != std::string::npos; at = coloured.find(code))
      coloured.erase(at, code.size());
  CHECK(coloured == plain);  // the columns stay
}

TEST_CASE("frame: the last minute stands at the end of a line that has the room") {
  LastMinute past;
  const auto at = [&](double seconds, double pps) {
    past.add(status({rule("a", pps, 0, 0), rule("b", 0, 0, 0)}), seconds);
  };
  at(100, 1000);
  at(104, 0);  // the same five seconds: 500 in the mean
  at(106, 500);
  CHECK(past.of("a") == "          ██");
  at(116, 1000);  // five seconds were not seen
  CHECK(past.of("a") == "        ▅▅ █");
  CHECK(past.of("b") == "        ▁▁ ▁");
  CHECK(past.of("c").empty());
  const auto now = status({rule("a", 1000, 0, 0), rule("b", 0, 0, 0)});
  FrameShape shape{100, 24, FrameOrder::rate};
  shape.last_minute = &past;
  const auto text = render_frame(now, now, 1, shape);
  INFO(text);
  CHECK(lines(text)[3].ends_with("LAST MINUTE"));
  CHECK(lines(text)[4].ends_with("        ▅▅ █"));
  shape.columns = 80;  // where there is room for one, a note is more important
  auto noted = now;
  noted.rules[1].reason = {"interface eth7 does not exist"};
  const auto narrow = lines(render_frame(now, noted, 1, shape));
  CHECK(narrow[3].ends_with("DROP/S"));
  CHECK(narrow[4].ends_with("        ▅▅ █"));
  CHECK(narrow[5].ends_with("  interface eth7 does not exist"));
  at(1000, 7);
  CHECK(past.of("a") == "           █");
}

TEST_CASE("frame: one rule in full has its colour and its last minute, if that is wanted") {
  auto waiting = rule("w", 7, 0, 0);
  waiting.state = mcr::RuleState::waiting;
  const auto now = status({waiting, rule("a", 7, 0, 0)});
  LastMinute past;
  past.add(now, 100);
  CHECK(mcr::status::render_rule_frame(now, "w", {}) == mcr::status::render_rule(now, "w"));
  CHECK(mcr::status::render_rule_frame(now, "none", {}) == mcr::status::render_rule(now, "none"));
  FrameShape shape;
  shape.last_minute = &past;
  shape.colour = true;
  const auto text = mcr::status::render_rule_frame(now, "w", shape);
  CHECK(text.starts_with("w: \x1b[33mwaiting\x1b[0m\n  last minute            █\n"));
  CHECK(mcr::status::render_rule_frame(now, "a", shape).starts_with("a: active\n  last minute"));
}

TEST_CASE("frame: a rule that loops is as bad as one that is silent") {
  auto looping = rule("l", 0, 0, 0);
  looping.state = mcr::RuleState::looping;
  FrameShape shape;
  shape.colour = true;
  CHECK(render_frame(status({looping}), status({looping}), 1, shape).find("\x1b[31mlooping") !=
        std::string::npos);
}

TEST_CASE("frame: whatever is missing, it is rendered, and nothing reaches the terminal raw") {
  for (const auto& odd : {Status(), status({Rule()})}) {
    CHECK_FALSE(render_frame(odd, odd, 1, {}).empty());
    CHECK_FALSE(render_frame(status({}), odd, -1, {}).empty());
  }
  const auto evil = render_frame(Status(), status({rule("a\x1b[2J", 1, 1, 1)}), 1, {});
  CHECK(evil.find('\x1b') == std::string::npos);
}

TEST_CASE("frame: a narrow screen has the state and what is wrong, in lines that fit") {
  auto dropping = rule("a-long-name-of-a-rule", 1e6, 7000, 110);
  auto waiting = rule("b", 0, 0, 0);
  waiting.state = mcr::RuleState::waiting;
  waiting.reason = {"interface eth7 does not exist", 0};
  const auto before = status({rule("a-long-name-of-a-rule", 1e6, 5000, 10), waiting});
  for (unsigned columns : {1U, 40U, 50U, 63U, 64U, 80U}) {
    const auto text =
        render_frame(before, status({dropping, waiting}), 1, {columns, 0, FrameOrder::rate});
    INFO(text);
    for (const auto& line : lines(text))
      CHECK(mcr::text_width(line) <= std::max(columns, 40U));
    CHECK(text.find("waiting") != std::string::npos);
    CHECK(text.find("egress_") != std::string::npos);
  }
}
