// One function for each place that knows: the kernel, this process, each interface. Things that can
// be tried are tried (io_uring, the kernel's way), and let go again.
#include "mcr/status/host_facts.hpp"

#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/dataplane/buffers.hpp"
#include "mcr/dataplane/tx.hpp"
#include "mcr/dataplane/worker.hpp"
#include "mcr/dataplane/zerocopy_features.hpp"
#include "mcr/fastpath/instance.hpp"
#include "mcr/fastpath/kernel_program.hpp"
#include "mcr/host/capabilities.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/host/igmp_report_socket.hpp"
#include "mcr/host/netlink.hpp"
#include "mcr/host/softnet.hpp"

namespace mcr {

namespace {

namespace fs = std::filesystem;

constexpr std::array sysctl_keys{"net.core.rmem_max", "net.core.wmem_max", "net.core.optmem_max",
                                 "net.ipv4.igmp_max_memberships", "net.ipv4.igmp_max_msf"};

std::optional<std::uint64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> read_sysctl(std::string key) {
  std::ranges::replace(key, '.', '/');
  return read_number("/proc/sys/" + key);
}

/// Tries what a worker of mcr run needs.
void inspect_kernel(HostFacts& host) {
  utsname name{};
  if (::uname(&name) == 0) {
    // NOLINTNEXTLINE(cert-err34-c): what is no number stays 0
    std::sscanf(name.release, "%u.%u", &host.kernel_major, &host.kernel_minor);
  }
  try {
    const auto ring = Worker::make_ring();
    host.zero_copy_send = zerocopy_features().supported;
    const Buffers buffers(*ring);
    if (zerocopy_features().registered_pieces)
      host.registered_buffers = buffers.registered() ? buffers.count() : 0;
  } catch (const Failure& failure) {
    host.io_uring = failure.exit_code() == ExitCode::os       ? IoUring::no_memory
                    : read_sysctl("kernel.io_uring_disabled") ? IoUring::forbidden
                                                              : IoUring::missing;
  } catch (const std::exception&) {
    host.io_uring = read_sysctl("kernel.io_uring_disabled") ? IoUring::forbidden : IoUring::missing;
  }
}

void inspect_process(HostFacts& host) {
  host.net_raw = has_capability(CAP_NET_RAW);
  host.net_admin = has_capability(CAP_NET_ADMIN);
  host.ipc_lock = has_capability(CAP_IPC_LOCK);
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max != RLIM_INFINITY)
    host.memlock = limit.rlim_max;  // up to here mcr run raises it by itself
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) host.descriptors = limit.rlim_max;
  host.allowed_cpus = allowed_cpus();
  host.cpus = static_cast<unsigned>(host.allowed_cpus.size());
}

/// Loads the program and lets it go.
void inspect_fast_path(HostFacts& host) {
  try {
    const fastpath::KernelProgram program(fastpath::Instance::first_mark);
  } catch (const std::exception& error) {
    host.no_fast_path = error.what();
  }
}

bool has_multicast_flag(const std::string& interface) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  return ::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0 ||
         (request.ifr_flags & IFF_MULTICAST) != 0;
}

unsigned receive_queues(const fs::path& device) {
  std::error_code none;
  unsigned count = 0;
  for (const auto& entry : fs::directory_iterator(device / "queues", none))
    if (entry.path().filename().string().starts_with("rx-")) ++count;
  return count;
}

std::string driver_of(const std::string& interface) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return "";
  return {info.driver, ::strnlen(info.driver, sizeof info.driver)};
}

/// Its own name for a bridge, its master's for a port of one.
std::string bridge_of(const std::string& interface, const fs::path& device) {
  std::error_code none;
  if (fs::exists(device / "bridge", none)) return interface;
  const auto master = fs::read_symlink(device / "brport" / "bridge", none);
  return none ? "" : master.filename().string();
}

InterfaceFacts inspect_interface(const std::string& name) {
  const fs::path devices = "/sys/class/net";
  const auto device = devices / name;
  const auto features = read_features(name);
  const auto feature = [&](const char* key) {
    const auto known = features.find(key);
    return known == features.end() ? std::nullopt : std::optional(known->second);
  };
  InterfaceFacts facts;
  facts.multicast = has_multicast_flag(name);
  facts.gro = feature("rx-gro");
  facts.udp_gro_forwarding = feature("rx-udp-gro-forwarding");
  facts.udp_segmentation = feature("tx-udp-segmentation");
  facts.tx_checksum = computes_checksums(features);
  facts.receive_queues = receive_queues(device);
  facts.receive_work = receive_work(name);
  facts.driver = driver_of(name);
  for (const auto& each : {std::string("all"), name})
    facts.rp_filter =
        std::max(facts.rp_filter,
                 static_cast<unsigned>(
                     read_number("/proc/sys/net/ipv4/conf/" + each + "/rp_filter").value_or(0)));
  facts.igmp_version = igmp_version(name);
  facts.bridge = bridge_of(name, device);
  if (!facts.bridge.empty()) {
    const auto bridge = devices / facts.bridge / "bridge";
    facts.snooping = read_number(bridge / "multicast_snooping") == std::uint64_t{1};
    facts.querier = read_number(bridge / "multicast_querier") == std::uint64_t{1};
  }
  return facts;
}

void inspect_avahi(HostFacts& host) {
  std::ifstream file("/etc/avahi/avahi-daemon.conf");
  for (std::string line; std::getline(file, line);) {
    std::erase(line, ' ');
    if (line == "enable-reflector=yes") host.avahi_reflects = true;
  }
}

/// A first look at thousands of destinations would take long: a sample does.
void inspect_next_hops(std::span<const Rule> rules, HostFacts& host) {
  constexpr std::size_t most = 1000;
  NextHopLookup lookup;
  for (const auto& rule : rules)
    for (const auto& output : rule.outputs) {
      const auto* interface = host.interfaces.find(output.interface);
      if (!rule.enabled || !output.destination || output.destination.is_multicast() ||
          interface == nullptr || interface->is_broadcast(output.destination))
        continue;
      const std::pair key(interface->name, output.destination);
      if (host.next_hops.size() < most && !host.next_hops.contains(key))
        host.next_hops.emplace(key, lookup.find({interface->index, output.destination, {}}));
    }
}

/// A relay that runs shares its ports with us.
void inspect_source_ports(std::span<const Rule> rules, HostFacts& host) {
  for (const auto& rule : rules)
    for (const auto& output : rule.outputs) {
      const auto* interface = host.interfaces.find(output.interface);
      if (!rule.enabled || interface == nullptr) continue;
      const auto key = tx_key(output, *interface);
      if (key.raw || key.source_port == 0 || host.refused.tx.contains(key)) continue;
      try {
        [[maybe_unused]] const auto socket = open_tx_socket(interface->name, key);
      } catch (const OsError& error) {
        host.refused.tx.emplace(key, Reason(error.what(), error.code()));
      }
    }
}

}  // namespace

HostFacts inspect_host(std::span<const Rule> rules) {
  HostFacts host;
  inspect_kernel(host);
  inspect_process(host);
  inspect_fast_path(host);
  inspect_avahi(host);
  host.softnet_dropped = read_softnet().dropped;
  for (const auto* key : sysctl_keys)
    if (const auto value = read_sysctl(key)) host.sysctls.emplace(key, *value);
  host.interfaces = Netlink().snapshot();
  inspect_next_hops(rules, host);
  inspect_source_ports(rules, host);
  for (const auto& name : interfaces_of(rules))
    if (const auto* interface = host.interfaces.find(name))
      host.details.try_emplace(interface->name, inspect_interface(interface->name));
  return host;
}

}  // namespace mcr
