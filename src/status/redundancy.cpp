// Each view has its keys side by side for both directions, and its line for people.
#include "mcr/status/redundancy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "json_values.hpp"
#include "text_values.hpp"

namespace mcr::status {

namespace {

std::string time_text(double us) {
  return us < 1000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000);
}

std::string count_text(const std::optional<std::uint64_t>& count, std::string_view what) {
  return count ? fmt::format(", {} {}", grouped(*count), what) : "";
}

}  // namespace

std::string_view path_class(double skew_us, double stream_bps) {
  const double most_of_c_us = stream_bps < 270e6 ? 450'000 : 150'000;
  if (skew_us <= 150) return "D";
  if (skew_us <= 10'000) return "A";
  if (skew_us <= 50'000) return "B";
  return skew_us <= most_of_c_us ? "C" : "none";
}

json to_json(const MergedLeg& leg) {
  return {{"received", leg.received},
          {"unique", leg.unique},
          {"duplicates", leg.duplicates},
          {"late", leg.late},
          {"standby", leg.standby},
          {"missing", write(leg.missing)},
          {"skew_us", {{"p50", write(leg.skew_p50_us)}, {"max", write(leg.skew_max_us)}}},
          {"class", leg.path_class},
          {"up", leg.up},
          {"copy", leg.copy}};
}

std::optional<MergedLeg> leg_from_json(const json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto count = [&](const char* key) { return read_count(at(object, key)).value_or(0); };
  MergedLeg leg;
  leg.received = count("received");
  leg.unique = count("unique");
  leg.duplicates = count("duplicates");
  leg.late = count("late");
  leg.standby = count("standby");
  leg.missing = read_count(at(object, "missing"));
  leg.skew_p50_us = read_number(at(at(object, "skew_us"), "p50"));
  leg.skew_max_us = read_number(at(at(object, "skew_us"), "max"));
  leg.path_class = read_text(at(object, "class"));
  leg.up = read_bool(at(object, "up"));
  leg.copy = read_bool(at(object, "copy"));
  return leg;
}

void write_failover_input(json& object, const FailoverInput& input) {
  object["priority"] = input.priority;
  object["on_air"] = input.on_air;
  object["joined"] = input.joined;
  object["healthy"] = input.healthy;
  object["why"] = input.why;
}

std::optional<FailoverInput> failover_input_from_json(const json& input) {
  if (!at(input, "on_air").is_boolean()) return std::nullopt;
  return FailoverInput{read_count(at(input, "priority")).value_or(0),
                       read_bool(at(input, "on_air")), at(input, "joined") != json(false),
                       read_bool(at(input, "healthy")), read_text(at(input, "why"))};
}

json to_json(const MergeView& merge) {
  return {{"by", merge.by},
          {"recovered", write(merge.recovered)},
          {"lost", write(merge.lost)},
          {"waiting", merge.waiting},
          {"resets", merge.resets},
          {"mismatches", merge.mismatches},
          {"order", merge.order},
          {"window_s", write(merge.window_s)},
          {"pace", merge.pace},
          {"waiting_most", merge.waiting_most},
          {"early", merge.early}};
}

std::optional<MergeView> merge_from_json(const json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto count = [&](const char* key) { return read_count(at(object, key)).value_or(0); };
  return MergeView{read_text(at(object, "by")),
                   read_count(at(object, "recovered")),
                   read_count(at(object, "lost")),
                   count("waiting"),
                   count("resets"),
                   count("mismatches"),
                   read_text(at(object, "order")),
                   read_number(at(object, "window_s")),
                   read_bool(at(object, "pace")),
                   count("waiting_most"),
                   count("early")};
}

json to_json(const FailoverView& failover) {
  json last;
  if (failover.last)
    last = {{"from", failover.last->from},
            {"to", failover.last->to},
            {"reason", failover.last->reason},
            {"age_s", failover.last->age_s}};
  return {{"on_air", failover.on_air},     {"backup", failover.backup},
          {"by_hand", failover.by_hand},   {"by_hand_left_s", write(failover.by_hand_left_s)},
          {"switches", failover.switches}, {"last", std::move(last)}};
}

std::optional<FailoverView> failover_from_json(const json& object) {
  if (!object.is_object()) return std::nullopt;
  FailoverView failover;
  failover.on_air = read_count(at(object, "on_air")).value_or(0);
  failover.backup = read_bool(at(object, "backup"));
  failover.by_hand = read_bool(at(object, "by_hand"));
  failover.by_hand_left_s = read_number(at(object, "by_hand_left_s"));
  failover.switches = read_count(at(object, "switches")).value_or(0);
  const auto& last = at(object, "last");
  if (last.is_object())
    failover.last = {read_count(at(last, "from")).value_or(0),
                     read_count(at(last, "to")).value_or(0), read_text(at(last, "reason")),
                     read_number(at(last, "age_s")).value_or(0)};
  return failover;
}

std::string leg_line(const MergedLeg& leg) {
  auto text = fmt::format("brought {}: {} first, {} again", grouped(leg.received),
                          grouped(leg.unique), grouped(leg.duplicates));
  if (leg.late != 0) text += fmt::format(", {} late", grouped(leg.late));
  if (leg.standby != 0) text += fmt::format(", {} not merged", grouped(leg.standby));
  text += count_text(leg.missing, "missing");
  if (leg.skew_p50_us && leg.skew_max_us)
    text +=
        fmt::format("; behind the first by {}, at most {}: class {}", time_text(*leg.skew_p50_us),
                    time_text(*leg.skew_max_us), shown(leg.path_class));
  return text;
}

std::string failover_line(const FailoverInput& input) {
  if (!input.joined) return fmt::format("priority {}, {}", input.priority, shown(input.why));
  return fmt::format("priority {}, {}{}", input.priority, input.on_air ? "on air" : "stands by",
                     input.healthy ? "" : ", not healthy: " + shown(input.why));
}

std::string merge_line(const MergeView& merge) {
  auto text = fmt::format("merged by {}{}{}, {} times anew, {} no copies", shown(merge.by),
                          count_text(merge.recovered, "recovered"), count_text(merge.lost, "lost"),
                          grouped(merge.resets), grouped(merge.mismatches));
  if (!merge.window_s) return text;
  text += fmt::format("; in sequence, {} {}: {} of at most {} datagrams wait",
                      merge.pace ? "all wait for" : "waits for at most",
                      time_text(*merge.window_s * 1e6), grouped(merge.waiting),
                      grouped(merge.waiting_most));
  if (merge.early != 0)
    text += fmt::format(", {} went early for want of room", grouped(merge.early));
  return text;
}

std::string failover_line(const FailoverView& failover) {
  auto text =
      fmt::format("input {} is on air{}", failover.on_air, failover.by_hand ? " by hand" : "");
  if (failover.by_hand_left_s)
    text += fmt::format(" for {} more", duration(*failover.by_hand_left_s));
  text += fmt::format("; switched {}",
                      failover.switches == 1 ? "once" : fmt::format("{} times", failover.switches));
  if (failover.last)
    text += fmt::format(", last from {} to {} {} ago: {}", failover.last->from, failover.last->to,
                        duration(failover.last->age_s), shown(failover.last->reason));
  return text;
}

}  // namespace mcr::status
