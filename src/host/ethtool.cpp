#include "mcr/host/ethtool.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/base/kernel_features.hpp"

namespace mcr {

namespace {

constexpr std::string_view merging_feature = "rx-gro";
constexpr std::string_view udp_feature = "rx-udp-gro-forwarding";

/// The structures of linux/ethtool.h end in arrays of unknown length: a request is words.
using Request = std::vector<std::uint32_t>;

bool ask(const std::string& interface, void* request) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq argument{};
  interface.copy(argument.ifr_name, sizeof argument.ifr_name - 1);
  argument.ifr_data = static_cast<char*>(request);
  return ::ioctl(socket.get(), SIOCETHTOOL, &argument) >= 0;
}

std::uint32_t count_features(const std::string& interface) {
  Request request(sizeof(ethtool_sset_info) / 4 + 1);
  auto* info = reinterpret_cast<ethtool_sset_info*>(request.data());
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = 1ULL << ETH_SS_FEATURES;
  return ask(interface, info) && info->sset_mask != 0 ? info->data[0] : 0;
}

/// Feature names in the order of their bits.
std::vector<std::string> feature_names(const std::string& interface) {
  const auto count = count_features(interface);
  Request request((sizeof(ethtool_gstrings) + std::size_t{count} * ETH_GSTRING_LEN) / 4 + 1);
  auto* strings = reinterpret_cast<ethtool_gstrings*>(request.data());
  strings->cmd = ETHTOOL_GSTRINGS;
  strings->string_set = ETH_SS_FEATURES;
  strings->len = count;
  if (count == 0 || !ask(interface, strings)) return {};
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto* name =
        reinterpret_cast<const char*>(strings->data) + std::size_t{i} * ETH_GSTRING_LEN;
    names.emplace_back(name, ::strnlen(name, ETH_GSTRING_LEN));
  }
  return names;
}

/// Where the two features are; past the end: not known.
struct FeatureBits {
  std::size_t merging;
  std::size_t udp;
  std::size_t count;

  explicit FeatureBits(const std::string& interface) {
    const auto names = feature_names(interface);
    count = names.size();
    merging = udp = count;
    for (std::size_t i = 0; i < count; ++i) {
      if (names[i] == merging_feature) merging = i;
      if (names[i] == udp_feature) udp = i;
    }
  }
  [[nodiscard]] bool known() const { return merging < count && udp < count; }
  [[nodiscard]] std::uint32_t blocks() const { return static_cast<std::uint32_t>(count + 31) / 32; }
};

std::uint32_t mask_of(std::size_t bit) {
  return 1U << bit % 32;
}

}  // namespace

std::map<std::string, bool> read_features(const std::string& interface) {
  const auto names = feature_names(interface);
  const auto blocks = static_cast<std::uint32_t>(names.size() + 31) / 32;
  Request request((sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block)) / 4);
  auto* answer = reinterpret_cast<ethtool_gfeatures*>(request.data());
  answer->cmd = ETHTOOL_GFEATURES;
  answer->size = blocks;
  std::map<std::string, bool> features;
  if (names.empty() || !ask(interface, answer)) return features;
  for (std::size_t i = 0; i < names.size(); ++i)
    features[names[i]] = (answer->features[i / 32].active & mask_of(i)) != 0;
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
  return GroSetting{merging->second, udp->second};
}

void write_gro(const std::string& interface, const GroSetting& setting) {
  const FeatureBits bits(interface);
  if (!bits.known()) throw OsError(EOPNOTSUPP, "set UDP GRO", "of " + interface);
  Request request((sizeof(ethtool_sfeatures) + bits.blocks() * sizeof(ethtool_set_features_block)) /
                  4);
  auto* features = reinterpret_cast<ethtool_sfeatures*>(request.data());
  features->cmd = ETHTOOL_SFEATURES;
  features->size = bits.blocks();
  const auto wish = [&](std::size_t bit, bool on) {
    auto& block = features->features[bit / 32];
    block.valid |= mask_of(bit);
    if (on) block.requested |= mask_of(bit);
  };
  wish(bits.merging, setting.merging);
  wish(bits.udp, setting.udp_forwarding);
  if (!ask(interface, features)) throw_errno("set UDP GRO", "of " + interface);
  if (read_gro(interface) != setting) throw OsError(EOPNOTSUPP, "set UDP GRO", "of " + interface);
}

bool superframes_are_described() {
  return kernel_is_at_least(6, 2);
}

}  // namespace mcr
