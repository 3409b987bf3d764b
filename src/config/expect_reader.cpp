// expect = { min_pps = 100, silent_after = "2s", max_loss = "0.1%", ... }: what a rule should hear.
// resolve.cpp judges if it can be known of the rule (`inspect`).
#include <fmt/format.h>

#include <algorithm>

#include "mcr/config/limits.hpp"
#include "raw_rule.hpp"
#include "reader.hpp"

namespace mcr {

namespace {

std::optional<std::vector<std::uint16_t>> read_pids(const Value& value) {
  const auto* array = value.array("PIDs");
  if (array == nullptr) return std::nullopt;
  if (array->empty()) value.refuse("is empty; leave it out to expect none");
  if (array->size() > limits::expected_pids) {
    value.refuse(
        fmt::format("has {} PIDs, at most {} are allowed", array->size(), limits::expected_pids));
    return std::nullopt;
  }
  std::vector<std::uint16_t> pids;
  for (const auto& node : *array) {
    const Value element = value.element(node);
    const auto number = element.integer(0, limits::pid);
    if (!number) continue;
    const auto pid = static_cast<std::uint16_t>(*number);
    if (std::ranges::find(pids, pid) != pids.end())
      element.refuse(fmt::format("PID {} is named twice", pid));
    pids.push_back(pid);
  }
  std::ranges::sort(pids);
  return pids;
}

constexpr Key<RawExpectation> expect_keys[] = {
    {"min_pps",
     [](const Value& v, RawExpectation& e) {
       e.min_pps.set(v.at(), v.integer(1, limits::max_pps));
     },
     shape::integer(1, limits::max_pps)},
    {"silent_after",
     [](const Value& v, RawExpectation& e) {
       e.silent_after.set(v.at(), v.duration(limits::silent_after_max, limits::silent_after_min));
     },
     shape::duration},
    {"max_loss", [](const Value& v, RawExpectation& e) { e.max_loss.set(v.at(), v.percentage()); },
     shape::percentage},
    {"max_cc_errors",
     [](const Value& v, RawExpectation& e) {
       e.max_cc_errors.set(v.at(), v.integer(0, limits::expected_cc_errors));
     },
     shape::integer(0, limits::expected_cc_errors)},
    {"min_bps", [](const Value& v, RawExpectation& e) { e.min_bps.set(v.at(), v.bit_rate()); },
     shape::bit_rate},
    {"max_bps", [](const Value& v, RawExpectation& e) { e.max_bps.set(v.at(), v.bit_rate()); },
     shape::bit_rate},
    {"pids", [](const Value& v, RawExpectation& e) { e.pids.set(v.at(), read_pids(v)); },
     shape::list(shape::integer(0, limits::pid), limits::expected_pids)},
    {"within",
     [](const Value& v, RawExpectation& e) {
       e.within.set(v.at(), v.duration(limits::within_max, limits::within_min));
     },
     shape::duration},
};

}  // namespace

std::optional<RawExpectation> read_expect(const Value& value) {
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  RawExpectation raw;
  read_keys<RawExpectation>(*table, "`expect`", expect_keys, raw, value.at(), value.diagnostics());
  if (table->empty()) value.refuse("is empty; say what must come, such as `min_pps`");
  return raw;
}

KeyTable expect_key_table() {
  auto table = key_table<RawExpectation>("expect", expect_keys);
  table.least_keys = 1;
  return table;
}

}  // namespace mcr
