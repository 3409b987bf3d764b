#include "mcr/host/cpus.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "catch.hpp"

using namespace mcr;

namespace {

namespace fs = std::filesystem;

/// A file system with a few files.
struct Root {
  fs::path path;

  Root() {
    std::string pattern = (fs::temp_directory_path() / "mcr-cpus-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() { fs::remove_all(path); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
  }
  /// `cpus`: its effective_affinity_list.
  void interrupt(const std::string& device, int number, const std::string& name,
                 const std::string& cpus) const {
    const auto folder = "proc/irq/" + std::to_string(number) + "/";
    write(device + "/msi_irqs/" + std::to_string(number), "msix\n");
    write(folder + "effective_affinity_list", cpus + "\n");
    write(folder + "smp_affinity_list", "0-3\n");
    fs::create_directories(path / folder / name);
  }
  void link(const std::string& name, const std::string& target) const {
    fs::create_directories((path / name).parent_path());
    fs::create_symlink(path / target, path / name);
  }
};

}  // namespace

TEST_CASE("cpus: lists and masks are read as the kernel writes them") {
  CHECK(read_cpu_list("3\n") == Cpus{3});
  CHECK(read_cpu_list("0-2,8\n") == Cpus{0, 1, 2, 8});
  CHECK(read_cpu_mask("c\n") == Cpus{2, 3});
  CHECK(read_cpu_mask("00000001,0000000c\n") == Cpus{2, 3, 32});
  CHECK(read_cpu_mask("00000000,00000000\n").empty());
  for (const auto* wrong : {"", "\n", "x", "1-", "-1", "2,,3", "0-99999999", "3-x"}) {
    INFO(wrong);
    CHECK(read_cpu_list(wrong).empty());
  }
  CHECK(read_cpu_mask("xyz").empty());
}

TEST_CASE("cpus: the interrupts that receive are known by their names") {
  struct Card {
    const char* interface;
    std::map<unsigned, std::string> names;
    std::set<unsigned> receiving;
  };
  const std::vector<Card> cards{
      {"eth0", {{37, "virtio2-config"}, {38, "virtio2-input.0"}, {39, "virtio2-output.0"}}, {38}},
      {"eth0", {{50, "eth0"}, {51, "eth0-TxRx-0"}, {52, "eth0-TxRx-1"}}, {51, 52}},
      {"rx0", {{60, "rx0"}, {61, "rx0-rx-0"}, {62, "rx0-tx-0"}}, {61}},
      {"p1", {{70, "mlx5_async0@pci:0000:03:00.0"}, {71, "mlx5_comp0@pci:0000:03:00.0"}}, {71}},
      {"eth0", {{16, "eth0"}}, {16}},
      {"eth0", {}, {}},
  };
  for (const auto& [interface, names, receiving] : cards)
    CHECK(receive_interrupts(names, interface) == receiving);
}

TEST_CASE("cpus: a card's interrupts and its steering are read from the kernel's files") {
  const Root root;
  // A virtio device is below the PCI device that has the interrupts.
  const std::string card = "sys/devices/pci0000:00/0000:00:03.0";
  const std::string net = card + "/virtio2/net/eth0";
  root.write(net + "/queues/rx-0/rps_cpus", "0\n");
  root.write(net + "/queues/tx-0/xps_cpus", "3\n");
  root.link("sys/class/net/eth0", net);
  root.link(net + "/device", card + "/virtio2");
  root.interrupt(card, 37, "virtio2-config", "0");
  root.interrupt(card, 38, "virtio2-input.0", "1");
  root.interrupt(card, 39, "virtio2-output.0", "0");
  const ReceiveWork input{"/proc/irq/38/smp_affinity_list", {1}};
  CHECK(receive_work("eth0", root.path) == std::vector{input});

  SECTION("with steering, other CPUs receive, too") {
    root.write(net + "/queues/rx-0/rps_cpus", "c\n");
    CHECK(receive_work("eth0", root.path) ==
          std::vector{input, {"/sys/class/net/eth0/queues/rx-0/rps_cpus", {2, 3}}});
  }
  SECTION("a VLAN's frames are received where those of the interface below it are") {
    root.link("sys/class/net/eth0.7/lower_eth0", net);
    CHECK(receive_work("eth0.7", root.path) == std::vector{input});
  }
  SECTION("an interrupt that may go to several CPUs tells nothing") {
    root.write("proc/irq/38/effective_affinity_list", "0-3\n");
    CHECK(receive_work("eth0", root.path).empty());
  }
}

TEST_CASE("cpus: nothing is known of a veth without steering") {
  const Root root;
  root.write("sys/class/net/veth0/queues/rx-0/rps_cpus", "0\n");
  CHECK(receive_work("veth0", root.path).empty());
  CHECK(receive_work("missing", root.path).empty());
  root.write("sys/class/net/veth0/queues/rx-0/rps_cpus", "2\n");
  CHECK(receive_work("veth0", root.path) ==
        std::vector<ReceiveWork>{{"/sys/class/net/veth0/queues/rx-0/rps_cpus", {1}}});
}

TEST_CASE("cpus: this thread may use some") {
  CHECK_FALSE(allowed_cpus().empty());
}
