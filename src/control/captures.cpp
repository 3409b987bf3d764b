// The captures that run. Who reads one holds it; when nobody does any more, the next tick takes it
// away from the workers.
#include <algorithm>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/control/relay.hpp"
#include "mcr/control/try_or_log.hpp"

namespace mcr {

namespace {

constexpr std::size_t most_captures = 4;

}  // namespace

std::shared_ptr<CaptureReader> Relay::capture(const std::string& rule, CaptureWish wish) {
  end_captures();
  const auto wanted = std::ranges::find(rules(), rule, &Rule::name);
  if (wanted == rules().end()) throw Failure(ExitCode::usage, fmt::format("no rule \"{}\"", rule));
  if (const auto at = static_cast<std::size_t>(wanted - rules().begin()); path_of(at).kernel)
    throw Failure(ExitCode::unavailable,
                  fmt::format("rule \"{}\" goes the kernel's way, where no capture sees it; with "
                              "`inspect` it goes the worker's",
                              rule));
  if (captures_.size() == most_captures)
    throw Failure(ExitCode::unavailable,
                  fmt::format("{} captures run already, which is the most", most_captures));
  wish.rule = *slots_.rules.find(rule);
  for (const auto& output : wanted->outputs)
    for (std::size_t n = 0; n < output.destinations().size(); ++n)
      wish.outputs.push_back(
          *slots_.outputs.find(output_key(rule, output, output.destinations().at(n))));
  std::ranges::sort(wish.outputs);
  auto past = past_for(rule, wish);
  auto reader = std::make_shared<CaptureReader>(
      std::make_shared<const Capture>(std::move(wish), workers_.size()), std::move(past));
  captures_.push_back({rule, reader, reader->capture()});
  publish_captures();
  log::notice("capture begins: rule={}", log::value(rule));
  return reader;
}

/// Returns the past that the capture looks back at; null: it does not.
std::shared_ptr<const Past> Relay::past_for(const std::string& rule,
                                            const CaptureWish& wish) const {
  if (wish.since_ns == 0) return nullptr;
  if (std::ranges::any_of(captures_, [&](const RunningCapture& each) {
        return each.capture->reads_past(wish.rule);
      }))
    throw Failure(
        ExitCode::unavailable,
        fmt::format("another capture still reads what came before for rule \"{}\"", rule));
  auto past = slots_.pasts.find(rule);
  if (past == nullptr)
    throw Failure(ExitCode::usage,
                  fmt::format("rule \"{}\" keeps nothing of what came before: that needs its key "
                              "`capture_before`",
                              rule));
  return past;
}

std::string Relay::read_capture(CaptureReader& reader) const {
  if (reader.awaits_past()) {
    if (!std::ranges::all_of(workers_, [](const auto& each) { return each->reclaim_captures(); }))
      return {};
    reader.open_past();
  }
  return reader.take(rules_.latest());
}

void Relay::publish_captures() {
  Captures captures;
  for (const auto& each : captures_)
    captures.push_back(each.capture);
  for (const auto& worker : workers_)
    worker->capture_for(captures);
}

bool Relay::captures_rule(std::uint32_t slot) const noexcept {
  return std::ranges::any_of(
      captures_, [&](const RunningCapture& each) { return each.capture->wish().rule == slot; });
}

bool Relay::captures_output(std::uint32_t slot) const noexcept {
  return std::ranges::any_of(captures_, [&](const RunningCapture& each) {
    return std::ranges::binary_search(each.capture->wish().outputs, slot);
  });
}

/// Those that nobody reads any more.
void Relay::end_captures() {
  const auto ended = std::erase_if(captures_, [this](const RunningCapture& each) {
    if (!each.reader.expired()) return false;
    capture_missed_ += each.capture->missed();
    log::notice("capture ends: rule={} missed={}", log::value(each.rule), each.capture->missed());
    return true;
  });
  if (ended != 0) publish_captures();
  for (const auto& worker : workers_)
    worker->reclaim_captures();
}

std::uint64_t Relay::capture_missed() const noexcept {
  auto sum = capture_missed_;
  for (const auto& each : captures_)
    sum += each.capture->missed();
  return sum;
}

}  // namespace mcr
