// The kernel's part of receiving is a softirq: it goes before every thread of its CPU. A worker
// that is pinned there gets what is left of the CPU, which is next to nothing while frames come
// faster than one CPU takes them: then most of them are lost before the worker, in a full socket.
#include "doctor_placement.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "mcr/config/rule.hpp"
#include "mcr/fastpath/eligibility.hpp"

namespace mcr {

namespace {

Cpus common(const Cpus& some, const Cpus& others) {
  Cpus result;
  std::ranges::set_intersection(some, others, std::inserter(result, result.end()));
  return result;
}

Cpus without(const Cpus& some, const Cpus& others) {
  Cpus result;
  std::ranges::set_difference(some, others, std::inserter(result, result.end()));
  return result;
}

/// The interfaces whose frames come to workers.
std::set<std::string> received_from(std::span<const Rule> rules, FastPathMode mode,
                                    const HostFacts& host) {
  const bool fast_path = mode != FastPathMode::off && host.no_fast_path.empty();
  std::set<std::string> names;
  const auto add = [&](const std::string& name) {
    const auto* interface = host.interfaces.find(name);
    names.insert(interface == nullptr ? name : interface->name);
  };
  for (const auto& rule : rules) {
    if (!rule.enabled) continue;
    const bool plain = fast_path && fastpath::why_worker(rule, host.interfaces).empty();
    for (const auto& input : rule.inputs)
      if (!input.local && !(plain && fastpath::why_worker(input, host.interfaces).empty()))
        add(input.interface);
  }
  return names;
}

/// "cpus = [2, 3] in [daemon]"
std::string keys_for(const Cpus& cpus, std::size_t workers) {
  const auto count = std::min(cpus.size(), workers);
  const std::vector<unsigned> first(cpus.begin(), std::next(cpus.begin(), std::ptrdiff_t(count)));
  return fmt::format("{}cpus = [{}] in [daemon]",
                     count < workers ? fmt::format("workers = {}, ", count) : "",
                     fmt::join(first, ", "));
}

std::string cpu_text(const Cpus& cpus) {
  return fmt::format("{} {}", cpus.size() == 1 ? "CPU" : "CPUs", fmt::join(cpus, ", "));
}

}  // namespace

void judge_placement(std::span<const Rule> rules, std::span<const std::optional<unsigned>> places,
                     FastPathMode mode, const HostFacts& host, std::vector<Finding>& findings) {
  Cpus pinned;
  for (const auto& place : places)
    if (place) pinned.insert(*place);
  const auto inputs = received_from(rules, mode, host);
  auto free = host.allowed_cpus;
  for (const auto& [name, facts] : host.details)
    for (const auto& work : facts.receive_work)
      if (inputs.contains(name)) free = without(free, work.cpus);
  if (free.empty()) return;
  for (const auto& [name, facts] : host.details) {
    Cpus shared;
    std::string file;  // of the first that is shared
    for (const auto& work : facts.receive_work) {
      const auto both = common(work.cpus, pinned);
      if (!both.empty() && file.empty()) file = work.file;
      shared.insert(both.begin(), both.end());
    }
    if (shared.empty() || !inputs.contains(name)) continue;
    findings.push_back(
        {free.size() < places.size() ? Severity::note : Severity::warning, "interface " + name,
         fmt::format("the kernel receives its frames on {}, where a worker is pinned, too: under "
                     "load the worker hardly runs there, and most datagrams are lost",
                     cpu_text(shared)),
         fmt::format("{}; or another CPU in {}", keys_for(free, places.size()), file)});
  }
}

}  // namespace mcr
