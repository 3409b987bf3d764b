#include "mcr/redundancy/leg_registry.hpp"

#include <algorithm>

#include "mcr/config/rule.hpp"

namespace mcr::redundancy {

LegRegistry::LegRegistry() = default;
LegRegistry::~LegRegistry() = default;
LegRegistry::LegRegistry(LegRegistry&&) noexcept = default;
LegRegistry& LegRegistry::operator=(LegRegistry&&) noexcept = default;

Input LegRegistry::identity_of(const Input& input) {
  auto identity = input;
  identity.priority = 0;
  identity.warm = true;
  return identity;
}

/// False: there are no numbers left for all of them.
bool LegRegistry::add_inputs(Known& known, const Rule& rule) {
  for (const auto& input : rule.inputs) {
    const auto identity = identity_of(input);
    if (std::ranges::find(known.inputs, identity) == known.inputs.end())
      known.inputs.push_back(identity);
  }
  return known.inputs.size() <= limits::legs;
}

std::shared_ptr<Legs> LegRegistry::find(const Rule& rule) const {
  const auto known = known_.find(rule.name);
  return known == known_.end() ? nullptr : known->second.legs.lock();
}

void LegRegistry::sweep() {
  std::erase_if(given_,
                [](const auto& legs) { return legs.use_count() == 1 && !legs->expected(); });
  std::erase_if(known_, [](const auto& one) { return one.second.legs.expired(); });
}

bool LegRegistry::same_legs(const Known& known, const Rule& rule) {
  return known.merge.has_value() == rule.merge.has_value() &&
         (!rule.merge || known.merge->same_but_for_waiting(*rule.merge));
}

std::shared_ptr<Legs> LegRegistry::get(const Rule& rule) {
  if (!rule.merge && !rule.failover) return nullptr;
  if (const auto before = known_.find(rule.name); before != known_.end()) {
    auto next = before->second;
    auto legs = next.legs.lock();
    if (legs && same_legs(next, rule) && add_inputs(next, rule)) {
      if (rule.merge) legs->set_waiting(*rule.merge);
      before->second.inputs = next.inputs;
      return legs;
    }
  }
  auto legs = std::make_shared<Legs>(rule.merge);
  given_.push_back(legs);
  Known known{rule.merge, {}, legs};
  static_cast<void>(add_inputs(known, rule));
  const auto best = std::ranges::min_element(rule.inputs, {}, &Input::priority);
  if (best != rule.inputs.end())
    legs->put_on_air(static_cast<std::size_t>(best - rule.inputs.begin()));
  known_.insert_or_assign(rule.name, std::move(known));
  return legs;
}

std::size_t LegRegistry::number_of(const Rule& rule, const Input& input) const {
  const auto known = known_.find(rule.name);
  if (known == known_.end()) return 0;
  const auto& inputs = known->second.inputs;
  const auto at = std::ranges::find(inputs, identity_of(input));
  return std::min(static_cast<std::size_t>(at - inputs.begin()), limits::legs - 1);
}

}  // namespace mcr::redundancy
