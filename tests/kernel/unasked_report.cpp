// Fact: the kernel reports a membership when it changes and when it is asked, and no further join
// makes it report again. A report from a raw socket does what an answer would do, with Router Alert
// and a TTL of 1, and leaves the memberships as they are.
#include <sstream>
#include <vector>

#include "mcr/host/igmp_report_socket.hpp"
#include "packet.hpp"

namespace {

using Frame = std::vector<unsigned char>;

/// The next IGMP frame within 300 ms, or nothing.
Frame next_igmp(int packets) {
  Frame frame(2048);
  ssize_t size = 0;
  while ((size = ::recv(packets, frame.data(), frame.size(), 0)) > 0) {
    frame.resize(static_cast<std::size_t>(size));
    if (size > 34 && frame[23] == IPPROTO_IGMP) return frame;
    frame.resize(2048);
  }
  return {};
}

std::string memberships() {
  std::stringstream text;
  for (const auto* path : {"/proc/net/igmp", "/proc/net/mcfilter"})
    text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

int main() {
  world::enter();
  // Its first reports come at random within this time, ms.
  world::write_file("/proc/sys/net/ipv4/conf/default/igmpv3_unsolicited_report_interval", "10");
  const int away = world::peer();
  const int packets = world::packets(away);
  const int first = world::need(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  world::need(world::join(first, "239.1.1.1", "near") == 0 ? 0 : -1, "join");
  world::expect(!next_igmp(packets).empty(), "the first join is reported");
  while (!next_igmp(packets).empty()) {
  }
  const int second = world::need(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  world::need(world::join(second, "239.1.1.1", "near") == 0 ? 0 : -1, "join");
  world::expect(next_igmp(packets).empty(), "a second join of the group is not");

  const auto before = memberships();
  const unsigned index = ::if_nametoindex("near");
  const mcr::GroupReport group[] = {{mcr::IpAddress::parse("239.1.1.1").value(), {}}};
  const auto socket = mcr::open_report_socket("near", index, mcr::Family::ipv4);
  for (const auto& message : mcr::membership_reports(group, mcr::ReportVersion::igmp3, 1400))
    world::expect(mcr::send_report(socket, index, message) == 0, "a raw socket sends a report");
  const auto frame = next_igmp(packets);
  world::expect(frame.size() >= 14 + 24 + 16, "it arrives");
  world::expect(frame[14] == 0x46 && frame[34] == 0x94, "with the option Router Alert");
  world::expect(frame[22] == 1, "with a TTL of 1");
  world::expect(frame[38] == 0x22, "as a report of IGMPv3");
  world::expect(memberships() == before, "no membership has changed");
}
