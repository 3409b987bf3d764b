#include "mcr/host/tc_filters.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

constexpr std::uint32_t sequence = 1;

struct Close {
  void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
};

/// An attribute's text, "" if it is of another type.
std::string_view text_of(const nlattr* attribute, std::uint16_t type) {
  if (mnl_attr_get_type(attribute) != type || mnl_attr_validate(attribute, MNL_TYPE_STRING) < 0)
    return {};
  const auto* text = mnl_attr_get_str(attribute);
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

int read_option(const nlattr* attribute, void* data) {
  auto& filter = *static_cast<TcFilter*>(data);
  if (const auto name = text_of(attribute, TCA_BPF_NAME); !name.empty()) filter.program = name;
  return MNL_CB_OK;
}

/// The kind comes before its options.
int read_attribute(const nlattr* attribute, void* data) {
  auto& filter = *static_cast<TcFilter*>(data);
  if (const auto kind = text_of(attribute, TCA_KIND); !kind.empty()) filter.kind = kind;
  if (mnl_attr_get_type(attribute) == TCA_OPTIONS && filter.kind == "bpf")
    mnl_attr_parse_nested(attribute, read_option, data);
  return MNL_CB_OK;
}

int add_filter(const nlmsghdr* message, void* data) {
  if (message->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(message) < sizeof(tcmsg))
    return MNL_CB_OK;
  const auto* info = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
  TcFilter filter;
  filter.priority = TC_H_MAJ(info->tcm_info) >> 16U;
  filter.handle = info->tcm_handle;
  mnl_attr_parse(message, sizeof(tcmsg), read_attribute, &filter);
  // The kernel tells of each priority itself, too, without a handle.
  if (filter.handle != 0) static_cast<std::vector<TcFilter>*>(data)->push_back(filter);
  return MNL_CB_OK;
}

void ask(mnl_socket* socket, unsigned interface_index, TcHook hook) {
  alignas(nlmsghdr) std::array<char, 128> request{};
  auto* header = mnl_nlmsg_put_header(request.data());
  header->nlmsg_type = RTM_GETTFILTER;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = sequence;
  auto* filter = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(tcmsg)));
  filter->tcm_family = AF_UNSPEC;
  filter->tcm_ifindex = static_cast<int>(interface_index);
  filter->tcm_parent =
      TC_H_MAKE(TC_H_CLSACT, hook == TcHook::ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
  if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
    throw_errno("ask for", "traffic control filters");
}

}  // namespace

std::vector<TcFilter> tc_filters(unsigned interface_index, TcHook hook) {
  const std::unique_ptr<mnl_socket, Close> socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    throw_errno("open", "netlink");
  ask(socket.get(), interface_index, hook);
  std::vector<TcFilter> filters;
  alignas(nlmsghdr) std::array<char, 32768> buffer{};
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const auto received = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (received < 0) throw_errno("read", "traffic control filters");
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(received), sequence,
                      mnl_socket_get_portid(socket.get()), add_filter, &filters);
    if (more < 0 && errno == EINVAL) return {};  // there is no such hook
    if (more < 0) throw_errno("read", "traffic control filters");
  }
  std::ranges::stable_sort(filters, {}, &TcFilter::priority);
  return filters;
}

}  // namespace mcr
