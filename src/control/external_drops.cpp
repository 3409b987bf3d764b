#include "mcr/control/external_drops.hpp"

#include <fmt/format.h>

#include "mcr/rules/remedies.hpp"

namespace mcr {

namespace {

struct Loss {
  std::string_view where;
  Trouble trouble;
};

Loss loss_at(DropPlace place) {
  switch (place) {
    case DropPlace::nic:
      return {"the NIC had no room", Trouble::nic_full};
    case DropPlace::backlog:
      return {"a CPU's input queue was full", Trouble::backlog_full};
    case DropPlace::socket:
      return {"the receive socket was full", Trouble::receive_buffer_full};
    case DropPlace::discipline:
      return {"the queueing discipline dropped", Trouble::discipline_drops};
    case DropPlace::driver:
      break;
  }
  return {"the driver dropped on sending", Trouble::driver_drops};
}

std::string describe(const std::string& interface, DropPlace place, std::uint64_t frames) {
  const auto [where, trouble] = loss_at(place);
  return fmt::format("frames lost outside the relay: {} frames={}{} do=\"{}\"", where, frames,
                     interface.empty() ? "" : " interface=" + interface,
                     remedy(trouble, interface));
}

}  // namespace

std::vector<std::string> ExternalDrops::report(std::span<const ExternalDropCount> counts,
                                               Clock::time_point now) {
  std::vector<std::string> lines;
  std::map<Key, Known> known;
  for (const auto& [interface, place, frames] : counts) {
    const auto before = known_.extract({interface, place});
    auto entry = before ? before.mapped() : Known{frames, 0, {}};
    // A counter that fell is a recreated interface's.
    entry.untold += frames > entry.seen ? frames - entry.seen : 0;
    entry.seen = frames;
    if (entry.untold != 0 && now >= entry.quiet_until) {
      lines.push_back(describe(interface, place, std::exchange(entry.untold, 0)));
      entry.quiet_until = now + pause;
    }
    known.insert_or_assign({interface, place}, entry);
  }
  known_ = std::move(known);
  return lines;
}

}  // namespace mcr
