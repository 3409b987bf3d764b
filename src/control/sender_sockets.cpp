#include "mcr/control/sender_sockets.hpp"

#include <algorithm>
#include <utility>

#include "mcr/base/log.hpp"

namespace mcr {

SenderSockets::Change SenderSockets::follow(SenderPorts& ports, const std::vector<TableTx>& tx,
                                            const SlotAllocator<TxKey>& slots,
                                            Clock::time_point now) {
  note_use(ports, slots, now);
  Change change;
  const auto on_note = [&](const SenderNotes::Note& note) {
    const auto known = std::ranges::find(tx, note.tx_slot, &TableTx::slot);
    if (known == tx.end() || !known->key.raw) return;  // of an earlier table
    auto key = known->key;
    key.source_port = note.source_port;
    key.raw = false;
    if (add(ports, key, known->interface, now)) change.added.push_back(key);
  };
  for (const auto& worker : workers_)
    worker->sockets().sender_notes.drain(on_note);
  change.forgotten = ports.forget(now);
  if (change.forgotten) told_full_ = false;
  return change;
}

void SenderSockets::note_use(SenderPorts& ports, const SlotAllocator<TxKey>& slots,
                             Clock::time_point now) {
  for (const auto& key : ports.keys()) {
    const auto slot = slots.find(key);
    if (!slot) continue;
    for (const auto& worker : workers_)
      if (worker->sockets().tx[*slot].used.exchange(false, std::memory_order_relaxed))
        ports.used(key, now);
  }
}

bool SenderSockets::add(SenderPorts& ports, const TxKey& key, const std::string& interface,
                        Clock::time_point now) {
  switch (ports.add(key, now)) {
    case SenderPorts::Answer::known:
      return false;
    case SenderPorts::Answer::full:
      if (!std::exchange(told_full_, true))
        log::notice("more source ports than sockets for them, the rest goes slower: interface={}",
                    log::value(interface));
      return false;
    case SenderPorts::Answer::added:
      break;
  }
  if (sockets_.hold_source_port(key.source_port)) return true;
  ports.refuse(key, now);
  return false;
}

}  // namespace mcr
