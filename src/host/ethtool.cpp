// Features are read and written by the generic netlink family "ethtool" (Linux 5.6, kernel document
// networking/ethtool-netlink.rst). A request goes over a socket of its own: it is rare, and nothing
// of an earlier one can be in the way.
//
// Sets of bits come as lists with names. A set with a mask lists every bit that exists and marks
// those that are on; one without a mask lists only those that are on.
#include "mcr/host/ethtool.hpp"

#include <libmnl/libmnl.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>

#include "mcr/base/error.hpp"
#include "mcr/base/kernel_features.hpp"
#include "mcr/host/gro_wait.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

constexpr std::string_view merging_feature = "rx-gro";
constexpr std::string_view udp_feature = "rx-udp-gro-forwarding";
constexpr std::uint32_t sequence = 1;

using OnAttribute = std::function<void(const nlattr*)>;

void for_each_nested(const nlattr* nest, const OnAttribute& on_attribute) {
  const auto call = [](const nlattr* attribute, void* data) {
    (*static_cast<const OnAttribute*>(data))(attribute);
    return MNL_CB_OK;
  };
  mnl_attr_parse_nested(nest, call, const_cast<OnAttribute*>(&on_attribute));
}

std::string_view text_of(const nlattr* attribute) {
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

/// A request of generic netlink, and its answer in the same memory.
class Exchange {
 public:
  Exchange(std::uint16_t family, std::uint8_t command, std::uint8_t version) {
    auto* header = mnl_nlmsg_put_header(buffer_.data());
    header->nlmsg_type = family;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header->nlmsg_seq = sequence;
    auto* generic =
        static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(header, sizeof(genlmsghdr)));
    generic->cmd = command;
    generic->version = version;
  }

  [[nodiscard]] nlmsghdr* request() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

  /// Sends the request, and calls with each attribute of the answer. Returns 0 or the errno value.
  int run(const OnAttribute& on_attribute) {
    const Socket socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    if (!socket.valid()) return errno;
    if (::send(socket.get(), request(), request()->nlmsg_len, 0) < 0) return errno;
    while (true) {
      const auto received = ::recv(socket.get(), buffer_.data(), buffer_.size(), 0);
      if (received < 0 && errno == EINTR) continue;
      if (received < 0) return errno;
      if (const auto end = read(static_cast<int>(received), on_attribute)) return *end;
    }
  }

 private:
  /// The errno value of the acknowledgement, if it is among these messages.
  std::optional<int> read(int left, const OnAttribute& on_attribute) {
    const auto* message = request();
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_seq != sequence) continue;
      if (message->nlmsg_type == NLMSG_ERROR) {
        nlmsgerr error{};
        if (mnl_nlmsg_get_payload_len(message) < sizeof error) return EPROTO;
        std::memcpy(&error, mnl_nlmsg_get_payload(message), sizeof error);
        return -error.error;
      }
      const auto call = [](const nlattr* attribute, void* data) {
        (*static_cast<const OnAttribute*>(data))(attribute);
        return MNL_CB_OK;
      };
      mnl_attr_parse(message, sizeof(genlmsghdr), call, const_cast<OnAttribute*>(&on_attribute));
    }
    return std::nullopt;
  }

  alignas(nlmsghdr) std::array<char, 32768> buffer_{};
};

/// The number of the family "ethtool"; 0: the kernel has none.
std::uint16_t ethtool_family() {
  Exchange exchange(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
  mnl_attr_put_strz(exchange.request(), CTRL_ATTR_FAMILY_NAME, ETHTOOL_GENL_NAME);
  std::uint16_t family = 0;
  exchange.run([&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
        mnl_attr_get_payload_len(attribute) >= sizeof family)
      std::memcpy(&family, mnl_attr_get_payload(attribute), sizeof family);
  });
  return family;
}

void put_interface(Exchange& exchange, const std::string& interface) {
  auto* header = mnl_attr_nest_start(exchange.request(), ETHTOOL_A_FEATURES_HEADER);
  mnl_attr_put_strz(exchange.request(), ETHTOOL_A_HEADER_DEV_NAME, interface.c_str());
  mnl_attr_put_u32(exchange.request(), ETHTOOL_A_HEADER_FLAGS, ETHTOOL_FLAG_OMIT_REPLY);
  mnl_attr_nest_end(exchange.request(), header);
}

/// The names of the bits that a set lists.
void for_each_bit(const nlattr* set, const std::function<void(std::string_view)>& on_name) {
  for_each_nested(set, [&](const nlattr* bits) {
    if (mnl_attr_get_type(bits) != ETHTOOL_A_BITSET_BITS) return;
    for_each_nested(bits, [&](const nlattr* bit) {
      for_each_nested(bit, [&](const nlattr* part) {
        if (mnl_attr_get_type(part) == ETHTOOL_A_BITSET_BIT_NAME) on_name(text_of(part));
      });
    });
  });
}

/// A bit to switch on or, without its flag VALUE, off. What is not listed stays as it is.
void put_bit(nlmsghdr* request, std::string_view name, bool on) {
  auto* bit = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS_BIT);
  mnl_attr_put_strz(request, ETHTOOL_A_BITSET_BIT_NAME, std::string(name).c_str());
  if (on) mnl_attr_put(request, ETHTOOL_A_BITSET_BIT_VALUE, 0, nullptr);
  mnl_attr_nest_end(request, bit);
}

int set_gro(const std::string& interface, const GroSetting& setting) {
  Exchange exchange(ethtool_family(), ETHTOOL_MSG_FEATURES_SET, ETHTOOL_GENL_VERSION);
  put_interface(exchange, interface);
  auto* request = exchange.request();
  auto* wanted = mnl_attr_nest_start(request, ETHTOOL_A_FEATURES_WANTED);
  auto* bits = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS);
  put_bit(request, merging_feature, setting.merging);
  put_bit(request, udp_feature, setting.udp_forwarding);
  mnl_attr_nest_end(request, bits);
  mnl_attr_nest_end(request, wanted);
  return exchange.run([](const nlattr*) {});
}

}  // namespace

std::map<std::string, bool> read_features(const std::string& interface) {
  Exchange exchange(ethtool_family(), ETHTOOL_MSG_FEATURES_GET, ETHTOOL_GENL_VERSION);
  put_interface(exchange, interface);
  std::map<std::string, bool> features;
  exchange.run([&](const nlattr* attribute) {
    const auto type = mnl_attr_get_type(attribute);
    if (type != ETHTOOL_A_FEATURES_HW && type != ETHTOOL_A_FEATURES_ACTIVE) return;
    const bool active = type == ETHTOOL_A_FEATURES_ACTIVE;
    for_each_bit(attribute, [&](std::string_view name) {
      auto& feature = features[std::string(name)];
      feature = feature || active;
    });
  });
  return features;
}

std::optional<bool> computes_checksums(const std::map<std::string, bool>& features) {
  std::optional<bool> answer;
  for (const auto* name : {"tx-checksum-ip-generic", "tx-checksum-ipv4"})
    if (const auto known = features.find(name); known != features.end())
      answer = answer.value_or(false) || known->second;
  return answer;
}

bool takes_segments(const std::string& interface) {
  return kernel_is_at_least(6, 11) || computes_checksums(read_features(interface)) != false;
}

std::optional<GroSetting> read_gro(const std::string& interface) {
  const auto features = read_features(interface);
  const auto merging = features.find(std::string(merging_feature));
  const auto udp = features.find(std::string(udp_feature));
  if (merging == features.end() || udp == features.end()) return std::nullopt;
  return GroSetting{merging->second, udp->second, read_gro_wait(interface)};
}

void write_gro(const std::string& interface, const GroSetting& setting) {
  const auto fail = [&](int error) { throw OsError(error, "set UDP GRO", "of " + interface); };
  if (!read_gro(interface)) fail(EOPNOTSUPP);
  if (const int error = set_gro(interface, setting); error != 0) fail(error);
  const auto after = read_gro(interface);
  if (!after || !after->has_features_of(setting)) fail(EOPNOTSUPP);
}

bool superframes_are_described() {
  return kernel_is_at_least(6, 2);
}

}  // namespace mcr
