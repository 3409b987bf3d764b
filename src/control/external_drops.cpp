#include "mcr/control/external_drops.hpp"

#include <fmt/format.h>

namespace mcr {

namespace {

std::string describe(const std::string& interface, DropPlace place, std::uint64_t frames) {
  const auto line = [&](std::string_view where, std::string_view remedy) {
    return fmt::format("frames lost outside the relay: {} frames={}{} do=\"{}\"", where, frames,
                       interface.empty() ? "" : " interface=" + interface, remedy);
  };
  switch (place) {
    case DropPlace::nic:
      return line("the NIC had no room",
                  fmt::format("ethtool -G {0} rx N (ethtool -g {0} shows the most)", interface));
    case DropPlace::stack:
      return line("between driver and socket",
                  fmt::format("look at /proc/net/softnet_stat and ethtool -S {}", interface));
    case DropPlace::backlog:
      return line("a CPU's input queue was full", "sysctl -w net.core.netdev_max_backlog=10000");
    case DropPlace::socket:
      return line("the receive socket was full",
                  fmt::format("raise receive_buffer in [interface.{}]", interface));
    case DropPlace::discipline:
      return line("the queueing discipline dropped",
                  fmt::format("tc -s qdisc show dev {}", interface));
    case DropPlace::driver:
      break;
  }
  return line("the driver dropped on sending", fmt::format("ethtool -S {}", interface));
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
    const auto gained = frames > entry.seen ? frames - entry.seen : 0;
    if (place != DropPlace::stack || gained >= least_of_stack) entry.untold += gained;
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
