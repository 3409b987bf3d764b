// CPUs of this host: those that we may use, and those that do the kernel's part of receiving from
// an interface. Reads /proc/irq and /sys/class/net; what is not there is not known.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mcr {

using Cpus = std::set<unsigned>;  ///< as the kernel numbers them

/// The CPUs that the calling thread may run on; see sched_getaffinity(2).
[[nodiscard]] Cpus allowed_cpus();

/// A part of receiving, and the CPUs that do it.
struct ReceiveWork {
  /// Decides where: "/proc/irq/38/smp_affinity_list", "/sys/class/net/eth0/queues/rx-0/rps_cpus".
  std::string file;
  Cpus cpus;

  friend bool operator==(const ReceiveWork&, const ReceiveWork&) = default;
};

/// Those parts of an interface's receiving whose CPUs the kernel tells: the interrupts of the
/// network card (an interrupt that may go to several CPUs is left out), and receive packet
/// steering, RPS. A bond, bridge or VLAN has those of the interfaces below it. A veth without RPS
/// has none: there the sender's CPU receives. `root`: where the file system begins.
[[nodiscard]] std::vector<ReceiveWork> receive_work(const std::string& interface,
                                                    const std::filesystem::path& root = "/");

/// "0-2,8": {0, 1, 2, 8}. What is no list is empty.
[[nodiscard]] Cpus read_cpu_list(std::string_view text);
/// "00000001,0000000c": {2, 3, 32}. Words have 32 bits, the highest first.
[[nodiscard]] Cpus read_cpu_mask(std::string_view text);

/// The interrupts of a network card that are about receiving. `names`: of all that it has, by
/// number: "eth0-TxRx-0", "virtio2-input.0", "mlx5_comp0@pci:0000:03:00.0".
[[nodiscard]] std::set<unsigned> receive_interrupts(const std::map<unsigned, std::string>& names,
                                                    const std::string& interface);

}  // namespace mcr
