#include "expect_json.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "json_values.hpp"

namespace mcr::status {

namespace {

constexpr double ppm_of_percent = 10'000;

double seconds_of(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

void read_seconds(const json& number, std::chrono::microseconds& time) {
  constexpr double longest = 1e9;
  if (const auto seconds = read_number(number))
    time = std::chrono::round<std::chrono::microseconds>(
        std::chrono::duration<double>(std::clamp(*seconds, 0.0, longest)));
}

}  // namespace

json write_expect(const std::optional<Expectation>& expect) {
  if (!expect) return {};
  json object{{"min_pps", expect->min_pps},
              {"silent_after_s", seconds_of(expect->silent_after)},
              {"max_loss_percent", nullptr},
              {"max_cc_errors", nullptr},
              {"min_bps", write_unless_zero(expect->min_bps)},
              {"max_bps", write_unless_zero(expect->max_bps)},
              {"pids", expect->pids},
              {"within_s", seconds_of(expect->within)}};
  if (expect->max_loss_ppm) object["max_loss_percent"] = *expect->max_loss_ppm / ppm_of_percent;
  if (expect->max_cc_errors) object["max_cc_errors"] = *expect->max_cc_errors;
  return object;
}

std::optional<Expectation> read_expect(const json& object) {
  if (!object.is_object()) return std::nullopt;
  Expectation expect;
  expect.min_pps = read_count(at(object, "min_pps")).value_or(0);
  read_seconds(at(object, "silent_after_s"), expect.silent_after);
  if (const auto loss = read_number(at(object, "max_loss_percent")))
    expect.max_loss_ppm =
        static_cast<std::uint32_t>(std::lround(std::clamp(*loss, 0.0, 100.0) * ppm_of_percent));
  expect.max_cc_errors = read_count(at(object, "max_cc_errors"));
  expect.min_bps = read_count(at(object, "min_bps")).value_or(0);
  expect.max_bps = read_count(at(object, "max_bps")).value_or(0);
  for (const auto& pid : list(object, "pids"))
    if (const auto number = read_small<std::uint16_t>(pid)) expect.pids.push_back(*number);
  read_seconds(at(object, "within_s"), expect.within);
  return expect;
}

}  // namespace mcr::status
