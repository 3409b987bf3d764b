#include "mcr/control/send_refusals.hpp"

#include <fmt/format.h>

#include <utility>

#include "mcr/base/log.hpp"
#include "mcr/rules/send_refusal.hpp"

namespace mcr {

namespace {

struct Refused {
  std::uint64_t datagrams = 0;
  RefusalCode code = 0;
};

Refused refused_at(std::uint32_t slot, std::span<const CounterBlock* const> workers) {
  Refused sum;
  for (const auto* worker : workers) {
    const auto& counters = worker->outputs[slot];
    sum.datagrams += counters.refused.get();
    if (const auto code = counters.last_refusal.get(); code != 0) sum.code = code;
  }
  return sum;
}

std::string describe(const OutputKey& output, RefusalCode code, std::uint64_t datagrams) {
  const auto& [rule, interface, destination, host] = output;
  return fmt::format(
      "sends refused: rule={} interface={} destination={} datagrams={} by={} error={} "
      "do={}",
      log::value(rule), interface, destination, datagrams, refuser(code),
      log::value(describe_refusal(code).text),
      log::value(refusal_remedy(code, interface, destination.address.str())));
}

}  // namespace

std::vector<std::string> SendRefusals::report(const SlotAllocator<OutputKey>& outputs,
                                              std::span<const CounterBlock* const> workers,
                                              Clock::time_point now) {
  std::vector<std::string> lines;
  std::uint64_t refusals = 0;
  for (const auto* worker : workers)
    refusals += worker->worker.refused.get();
  if (std::exchange(seen_, refusals) == refusals) return lines;
  std::map<OutputKey, Known> known;
  for (const auto& [output, slot] : outputs.entries()) {
    const auto [datagrams, code] = refused_at(slot, workers);
    if (datagrams == 0) continue;
    const auto before = known_.extract(output);
    auto entry = before ? before.mapped() : Known{};
    // A counter that fell is that of a new owner of the slot.
    entry.untold += datagrams >= entry.seen ? datagrams - entry.seen : datagrams;
    entry.seen = datagrams;
    if (entry.untold != 0 && (now >= entry.quiet_until || code != entry.code)) {
      lines.push_back(describe(output, code, std::exchange(entry.untold, 0)));
      entry.code = code;
      entry.quiet_until = now + pause;
    }
    known.emplace(output, entry);
  }
  known_ = std::move(known);
  return lines;
}

}  // namespace mcr
