#include "mcr/rules/stream_inspection.hpp"

#include "mcr/config/rule.hpp"

namespace mcr {

namespace {

stream::Format format_of(const Inspection& wanted) noexcept {
  const auto& numbers = wanted.numbers;
  return {static_cast<stream::Format::Wanted>(wanted.kind),
          {numbers.offset, numbers.bytes, numbers.little_endian, numbers.step_offset,
           numbers.step_bytes}};
}

// Both name the same kinds in the same order.
static_assert(static_cast<int>(Inspection::Kind::automatic) ==
              static_cast<int>(stream::Format::Wanted::automatic));
static_assert(static_cast<int>(Inspection::Kind::sequence) ==
              static_cast<int>(stream::Format::Wanted::sequence));

}  // namespace

StreamInspection::StreamInspection(const Inspection& wanted, std::size_t workers,
                                   std::size_t number)
    : workers_(workers), memory_(workers * sizeof(stream::Inspector) / sizeof(Line) + page_lines) {
  static_assert(sizeof(stream::Inspector) % sizeof(Line) == 0);
  inspectors_ = {reinterpret_cast<stream::Inspector*>(&memory_[number % page_lines]),
                 format_of(wanted)};
}

StreamInspections::Key StreamInspections::key_of(const Rule& rule, const Input& input) {
  return {rule.name, input.interface, {input.destination, input.port}, input.vlan, input.local};
}

std::shared_ptr<const StreamInspection> StreamInspections::find(const Rule& rule,
                                                                const Input& input) const {
  const auto known = known_.find(key_of(rule, input));
  return known == known_.end() ? nullptr : known->second.inspection.lock();
}

std::shared_ptr<const StreamInspection> StreamInspections::get(const Rule& rule,
                                                               const Input& input) {
  if (!rule.inspect) return nullptr;
  std::erase_if(known_, [](const auto& one) { return one.second.inspection.expired(); });
  auto& known = known_[key_of(rule, input)];
  auto inspection = known.inspection.lock();
  if (inspection && known.wanted == *rule.inspect) return inspection;
  inspection = std::make_shared<const StreamInspection>(*rule.inspect, workers_, made_++);
  known = {*rule.inspect, inspection};
  return inspection;
}

}  // namespace mcr
