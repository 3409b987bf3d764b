// merge = { by = "rtp", order = "first" }, merge = { by = "rtp", order = "sequence", window =
// "50ms", pace = true }, failover = { after = "300ms", hold = "10s", ... }
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string_view>

#include "choice.hpp"
#include "diagnostics.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/redundancy.hpp"
#include "raw_rule.hpp"
#include "reader.hpp"

namespace mcr {
namespace {

constexpr Choices<Merge::By, 3> merge_keys_by_word{{{"rtp", Merge::By::rtp},
                                                    {"moldudp64", Merge::By::moldudp64},
                                                    {"content", Merge::By::content}}};
constexpr Choices<Merge::Order, 2> orders{
    {{"first", Merge::Order::first}, {"sequence", Merge::Order::sequence}}};
constexpr Choices<Failover::Revert, 3> reverts{{{"auto", Failover::Revert::automatic},
                                                {"manual", Failover::Revert::manual},
                                                {"never", Failover::Revert::never}}};

struct RawMerge {
  Field<Merge> by;
  Field<Merge::Order> order;
  Field<std::chrono::microseconds> window;
  Field<bool> pace;
};

constexpr Key<Merge> by_keys[] = {
    {"sequence",
     [](const Value& v, Merge& m) {
       m.by = Merge::By::sequence;
       m.numbers = read_sequence(v);
     },
     shape::needed(shape::table("sequence"))},
};

std::optional<Merge> read_by(const Value& value) {
  Merge merge;
  if (value.is_string()) {
    const auto by = read_choice(value, merge_keys_by_word);
    if (!by) return std::nullopt;
    merge.by = *by;
    return merge;
  }
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  read_keys<Merge>(*table, "`by`", by_keys, merge, value.at(), value.diagnostics());
  if (table->empty()) value.refuse("needs `sequence`");
  return merge;
}

constexpr Key<RawMerge> merge_keys[] = {
    {"by", [](const Value& v, RawMerge& m) { m.by.set(v.at(), read_by(v)); },
     shape::needed(shape::words({"rtp", "moldudp64", "content"}, shape::table("by")))},
    {"order", [](const Value& v, RawMerge& m) { m.order.set(v.at(), read_choice(v, orders)); },
     shape::needed(shape::words(orders))},
    {"window",
     [](const Value& v, RawMerge& m) {
       m.window.set(v.at(), v.duration(limits::merge_window_max, limits::merge_window_min));
     },
     shape::duration},
    {"pace", [](const Value& v, RawMerge& m) { m.pace.set(v.at(), v.boolean()); }, shape::boolean},
};

void refuse_contradictions(const RawMerge& raw, const Merge& merge, Diagnostics& diagnostics) {
  constexpr auto sequence = Merge::Order::sequence;
  if (merge.order == sequence && merge.by == Merge::By::content)
    diagnostics.add(raw.order.at, "order: by = \"content\" has no numbers; \"first\" is wanted");
  const auto refuse = [&](const auto& field, std::string_view key) {
    if (field.present && merge.order != sequence)
      diagnostics.add(field.at, fmt::format("{}: only for order = \"sequence\"", key));
  };
  refuse(raw.window, "window");
  refuse(raw.pace, "pace");
}

constexpr Key<Failover> failover_keys[] = {
    {"after",
     [](const Value& v, Failover& f) {
       f.after =
           v.duration(limits::failover_after_max, limits::failover_after_min).value_or(f.after);
     },
     shape::duration},
    {"hold",
     [](const Value& v, Failover& f) {
       f.hold = v.duration(limits::failover_hold_max).value_or(f.hold);
     },
     shape::duration},
    {"revert",
     [](const Value& v, Failover& f) { f.revert = read_choice(v, reverts).value_or(f.revert); },
     shape::words(reverts)},
    {"min_stay",
     [](const Value& v, Failover& f) {
       f.min_stay = v.duration(limits::failover_hold_max).value_or(f.min_stay);
     },
     shape::duration},
};

}  // namespace

std::optional<Merge> read_merge(const Value& value) {
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  RawMerge raw;
  read_keys<RawMerge>(*table, "`merge`", merge_keys, raw, value.at(), value.diagnostics());
  if (!raw.by.present || !raw.order.present) value.refuse("needs `by` and `order`");
  if (!raw.order.value || !raw.by.value) return std::nullopt;
  auto merge = *raw.by.value;
  merge.order = *raw.order.value;
  merge.window = raw.window.value.value_or(merge.window);
  merge.pace = raw.pace.value.value_or(false);
  refuse_contradictions(raw, merge, value.diagnostics());
  return merge;
}

std::optional<Failover> read_failover(const Value& value) {
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  Failover failover;
  read_keys<Failover>(*table, "`failover`", failover_keys, failover, value.at(),
                      value.diagnostics());
  return failover;
}

std::vector<KeyTable> redundancy_key_tables() {
  return {key_table<RawMerge>("merge", merge_keys), key_table<Merge>("by", by_keys),
          key_table<Failover>("failover", failover_keys)};
}

}  // namespace mcr
