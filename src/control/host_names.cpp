#include "mcr/control/host_names.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "mcr/base/log.hpp"
#include "mcr/config/limits.hpp"
#include "mcr/config/rule.hpp"

namespace mcr {

namespace {

std::set<std::string_view> hosts_of(std::span<const Rule> rules) {
  std::set<std::string_view> names;
  for (const auto& rule : rules)
    for (const auto& output : rule.outputs)
      if (rule.enabled && output.host) names.insert(output.host.name);
  return names;
}

std::vector<IpAddress> in_order(std::vector<IpAddress> addresses) {
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (addresses.size() > limits::addresses_per_host) addresses.resize(limits::addresses_per_host);
  return addresses;
}

}  // namespace

void HostNames::want(std::span<const Rule> rules, Clock::time_point now) {
  for (const auto name : hosts_of(rules)) {
    book_.try_emplace(std::string(name));
    asking_.try_emplace(std::string(name), Asking{.next = now});
  }
}

void HostNames::keep(std::span<const Rule> rules) {
  if (book_.empty()) return;
  const auto names = hosts_of(rules);
  const auto is_gone = [&](const auto& entry) { return !names.contains(entry.first); };
  std::erase_if(book_, is_gone);
  std::erase_if(asking_, is_gone);
}

std::vector<std::string> HostNames::due(Clock::time_point now) {
  std::vector<std::string> names;
  for (auto& [name, asking] : asking_) {
    if (asking.asked || asking.next > now) continue;
    asking.asked = true;
    names.push_back(name);
  }
  return names;
}

bool HostNames::take(const NameLookup::Answer& answer, std::chrono::microseconds every,
                     Clock::time_point now) {
  const auto entry = asking_.find(answer.name);
  if (entry == asking_.end()) return false;  // no rule names this host any more
  auto& asking = entry->second;
  auto& host = book_.find(answer.name)->second;
  asking.asked = false;
  asking.next = now + (answer.trouble.empty() ? every : std::min<Clock::duration>(every, retry));
  const bool told = std::exchange(asking.trouble, answer.trouble) == answer.trouble;
  HostAddresses after{in_order(answer.addresses), answer.trouble};
  if (!answer.known && !host.addresses.empty()) after = host;
  if (!told && !answer.trouble.empty())
    log::warning(
        "host not resolved: name={} reason={}{}", answer.name, log::value(answer.trouble),
        after.addresses.empty() ? "" : fmt::format(" kept={}", fmt::join(after.addresses, ",")));
  if (after == host) return false;
  host = std::move(after);
  if (!host.addresses.empty())
    log::notice("host resolved: name={} addresses={}", answer.name, fmt::join(host.addresses, ","));
  return true;
}

}  // namespace mcr
