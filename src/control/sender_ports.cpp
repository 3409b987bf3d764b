#include "mcr/control/sender_ports.hpp"

#include <algorithm>

#include "mcr/config/rule.hpp"

namespace mcr {

namespace {

bool same_kind(TxKey a, const TxKey& b) noexcept {
  a.source_port = b.source_port;
  return a == b;
}

bool needs_port(const Input& input, std::uint16_t port) noexcept {
  return !input.destination.is_multicast() && !input.local && port >= input.port &&
         port - input.port < static_cast<int>(input.ports);
}

bool needs_port(std::span<const Rule> rules, std::uint16_t port) {
  return std::ranges::any_of(rules, [port](const Rule& rule) {
    return std::ranges::any_of(rule.inputs,
                               [port](const Input& input) { return needs_port(input, port); });
  });
}

}  // namespace

SenderPorts::Answer SenderPorts::add(const TxKey& key, Clock::time_point now) {
  if (senders_.contains(key)) return Answer::known;
  const auto of_kind = std::ranges::count_if(
      senders_, [&](const auto& sender) { return same_kind(sender.first, key); });
  if (senders_.size() >= most || static_cast<std::size_t>(of_kind) >= most_of_kind)
    return Answer::full;
  senders_.emplace(key, Sender{now, false});
  return Answer::added;
}

void SenderPorts::used(const TxKey& key, Clock::time_point now) {
  const auto known = senders_.find(key);
  if (known != senders_.end() && !known->second.refused) known->second.since = now;
}

void SenderPorts::refuse(const TxKey& key, Clock::time_point now) {
  senders_[key] = {now, true};
}

void SenderPorts::leave_to_inputs(std::span<const Rule> rules, Clock::time_point now) {
  for (const auto& key : keys())
    if (needs_port(rules, key.source_port)) refuse(key, now);
}

bool SenderPorts::forget(Clock::time_point now) {
  bool changed = false;
  std::erase_if(senders_, [&](const auto& entry) {
    const auto& sender = entry.second;
    if (now - sender.since < patience) return false;
    changed = changed || !sender.refused;
    return true;
  });
  return changed;
}

std::vector<TxKey> SenderPorts::keys() const {
  std::vector<TxKey> keys;
  for (const auto& [key, sender] : senders_)
    if (!sender.refused) keys.push_back(key);
  return keys;
}

}  // namespace mcr
