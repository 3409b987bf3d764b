// The kernel has no question for this. So each place where somebody can take frames from an
// interface is looked at by itself; what cannot be read counts as an audience.
#include "mcr/host/audience.hpp"

// Before the kernel's headers: since Linux 6.12 <linux/netfilter.h> declares the same, and gives
// way to these only if they are first.
#include <netinet/in.h>

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>
#include <vector>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

// <linux/netfilter.h> does not go with <netinet/in.h>.
constexpr std::uint8_t any_family = 0;     // NFPROTO_UNSPEC
constexpr std::uint8_t netdev_family = 5;  // NFPROTO_NETDEV
constexpr std::uint32_t inet_ingress = 5;  // NF_INET_INGRESS

// Hexadecimal digits of an address in /proc/net.
constexpr std::size_t ipv4_digits = 8;
constexpr std::size_t ipv6_digits = 32;

std::vector<std::string> columns_of(const std::string& line) {
  std::istringstream text(line);
  std::vector<std::string> columns;
  for (std::string column; text >> column;)
    columns.push_back(column);
  return columns;
}

std::uint64_t number(std::string_view text, int base = 10) noexcept {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

struct Close {
  void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
};

int read_hook(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == NFTA_HOOK_HOOKNUM &&
      mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
    *static_cast<std::uint32_t*>(data) = ntohl(mnl_attr_get_u32(attribute));
  return MNL_CB_OK;
}

struct Chain {
  std::uint8_t family = 0;
  bool ingress = false;
};

int read_chain(const nlattr* attribute, void* data) {
  auto& chain = *static_cast<Chain*>(data);
  if (mnl_attr_get_type(attribute) != NFTA_CHAIN_HOOK) return MNL_CB_OK;
  std::uint32_t hook = 0;
  mnl_attr_parse_nested(attribute, read_hook, &hook);
  chain.ingress = chain.family == netdev_family || hook == inet_ingress;
  return MNL_CB_OK;
}

int look_for_ingress(const nlmsghdr* message, void* data) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) return MNL_CB_OK;
  Chain chain;
  chain.family = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(message))->nfgen_family;
  mnl_attr_parse(message, sizeof(nfgenmsg), read_chain, &chain);
  if (chain.ingress) *static_cast<bool*>(data) = true;
  return MNL_CB_OK;
}

/// Chains of nftables at the ingress of any interface. A flow table hangs there by itself and has a
/// chain that feeds it. Throws OsError.
bool has_ingress_chain() {
  constexpr std::uint32_t sequence = 1;
  const std::unique_ptr<mnl_socket, Close> socket(
      mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
  if (!socket) return false;  // no netfilter
  if (mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) throw_errno("bind", "nfnetlink");
  alignas(nlmsghdr) std::array<char, 16384> buffer{};
  auto* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_GETCHAIN;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = sequence;
  static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)))->nfgen_family =
      any_family;
  if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0)
    throw_errno("ask", "nfnetlink");
  bool found = false;
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const auto received = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (received < 0) throw_errno("read", "nfnetlink");
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(received), sequence,
                      mnl_socket_get_portid(socket.get()), look_for_ingress, &found);
    if (more < 0 && (errno == EINVAL || errno == EOPNOTSUPP)) return false;  // no nftables
    if (more < 0) throw_errno("read", "nfnetlink");
  }
  return found;
}

bool is_zero(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  return !(file >> text) || text == "0";  // a missing file: it cannot be switched on
}

/// A bridge, a bond, a macvlan, a VRF take frames before the host's own protocols.
bool has_link_above(const std::string& interface) {
  std::error_code error;
  const std::filesystem::directory_iterator folder("/sys/class/net/" + interface, error);
  if (error) return true;
  for (const auto& entry : folder)
    if (entry.path().filename().string().starts_with("upper_")) return true;
  return false;
}

bool routes_multicasts(const std::string& interface) {
  return !is_zero(fmt::format("/proc/sys/net/ipv4/conf/{}/mc_forwarding", interface)) ||
         !is_zero(fmt::format("/proc/sys/net/ipv6/conf/{}/mc_forwarding", interface));
}

}  // namespace

bool has_packet_socket(std::istream& text, unsigned index, const SocketInodes& own) {
  std::string line;
  std::getline(text, line);  // the names of the columns
  while (std::getline(text, line)) {
    const auto columns = columns_of(line);  // sk RefCnt Type Proto Iface R Rmem User Inode
    if (columns.size() < 9) return true;
    const auto protocol = number(columns[3], 16);
    const auto interface = number(columns[4]);
    if (protocol == 0 || protocol == ETH_P_ALL) continue;
    if (interface != 0 && interface != index) continue;
    if (!own.contains(number(columns[8]))) return true;
  }
  return false;
}

bool has_raw_udp_socket(std::istream& text, const SocketInodes& own) {
  std::string line;
  std::getline(text, line);
  while (std::getline(text, line)) {
    // sl local_address:protocol rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
    const auto columns = columns_of(line);
    if (columns.size() < 10) return true;
    const auto colon = columns[1].rfind(':');
    if (colon == std::string::npos) return true;
    if (number(std::string_view(columns[1]).substr(colon + 1), 16) != IPPROTO_UDP) continue;
    if (!own.contains(number(columns[9]))) return true;
  }
  return false;
}

std::set<std::uint16_t> udp_ports_heard(std::istream& text) {
  std::set<std::uint16_t> ports;
  std::string line;
  std::getline(text, line);
  while (std::getline(text, line)) {
    // sl local_address:port ...; an address is words in host byte order, which end with their first
    // byte
    const auto columns = columns_of(line);
    const auto colon = columns.size() < 2 ? std::string::npos : columns[1].find(':');
    if (colon != ipv4_digits && colon != ipv6_digits) continue;
    const auto address = std::string_view(columns[1]).substr(0, colon);
    const auto first = number(address.substr(6, 2), 16);
    const bool multicast = colon == ipv4_digits ? first >> 4U == 0xE : first == 0xFF;
    if (multicast || address.find_first_not_of('0') == std::string_view::npos)
      ports.insert(
          static_cast<std::uint16_t>(number(std::string_view(columns[1]).substr(colon + 1), 16)));
  }
  return ports;
}

std::set<std::uint16_t> udp_ports_heard() {
  std::ifstream ipv4("/proc/net/udp");
  std::ifstream ipv6("/proc/net/udp6");
  auto ports = udp_ports_heard(ipv4);
  ports.merge(udp_ports_heard(ipv6));
  return ports;
}

bool has_audience(const std::string& interface, unsigned index, const SocketInodes& own) {
  try {
    std::ifstream packet("/proc/net/packet");
    std::ifstream raw("/proc/net/raw");
    std::ifstream raw6("/proc/net/raw6");
    return !packet || !raw || has_packet_socket(packet, index, own) ||
           has_raw_udp_socket(raw, own) || has_raw_udp_socket(raw6, own) ||
           has_link_above(interface) || routes_multicasts(interface) || has_ingress_chain();
  } catch (const std::exception&) {
    return true;
  }
}

}  // namespace mcr
