// What workers tell of senders whose source ports are preserved, once a second: a port that went by
// a raw socket gets sockets of its own, one that is silent loses them (sender_ports.hpp).
#include <algorithm>
#include <utility>

#include "mcr/base/log.hpp"
#include "mcr/control/relay.hpp"

namespace mcr {

void Relay::follow_senders(Clock::time_point now) {
  note_use_of_senders(now);
  const auto added = new_senders(now);
  const bool forgot = senders_.forget(now);
  if (forgot) senders_told_full_ = false;
  if (added.empty() && !forgot) return;
  try {
    apply(Config(config_), Interfaces(interfaces_), now);
  } catch (const std::exception& error) {
    for (const auto& key : added)
      senders_.refuse(key, now);
    log::warning("no sockets for source ports of senders: error={}", log::value(error.what()));
  }
}

void Relay::note_use_of_senders(Clock::time_point now) {
  for (const auto& key : senders_.keys()) {
    const auto slot = slots_.tx.find(key);
    if (!slot) continue;
    for (const auto& worker : workers_)
      if (worker->sockets().tx[*slot].used.exchange(false, std::memory_order_relaxed))
        senders_.used(key, now);
  }
}

std::vector<TxKey> Relay::new_senders(Clock::time_point now) {
  std::vector<TxKey> added;
  const auto& tx = rules_.latest().tx();
  const auto take = [&](const SenderNotes::Note& note) {
    const auto known = std::ranges::find(tx, note.tx_slot, &TableTx::slot);
    if (known == tx.end() || !known->key.raw) return;  // of an earlier table
    auto key = known->key;
    key.source_port = note.source_port;
    key.raw = false;
    if (add_sender(key, known->interface, now)) added.push_back(key);
  };
  for (const auto& worker : workers_)
    worker->sockets().sender_notes.drain(take);
  return added;
}

bool Relay::add_sender(const TxKey& key, const std::string& interface, Clock::time_point now) {
  switch (senders_.add(key, now)) {
    case SenderPorts::Answer::known:
      return false;
    case SenderPorts::Answer::full:
      if (!std::exchange(senders_told_full_, true))
        log::notice("more source ports than sockets for them, the rest goes slower: interface={}",
                    log::value(interface));
      return false;
    case SenderPorts::Answer::added:
      break;
  }
  if (sockets_.hold_source_port(key.source_port)) return true;
  senders_.refuse(key, now);
  clean_ = false;  // its holder is to go
  return false;
}

/// A port is held for a unicast input, or for sending: the input needs it more.
void Relay::leave_ports_to_inputs(const Config& config, Clock::time_point now) {
  const auto takes = [](const Input& input, std::uint16_t port) {
    return !input.destination.is_multicast() && !input.local && port >= input.port &&
           port - input.port < static_cast<int>(input.ports);
  };
  for (const auto& key : senders_.keys())
    for (const auto& rule : config.rules)
      if (std::ranges::any_of(rule.inputs,
                              [&](const Input& input) { return takes(input, key.source_port); }))
        senders_.refuse(key, now);
}

}  // namespace mcr
