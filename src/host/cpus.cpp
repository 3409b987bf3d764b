// A card's interrupt runs on one CPU, and so does the softirq that takes its frames off the card.
// With receive packet steering (RPS) that CPU hands the frames to another one. The other one
// does the rest, up to the packet sockets (kernel document networking/scaling.rst). Both go before
// any thread of their CPU. A driver names its interrupts as it likes, so they are told by words.
#include "mcr/host/cpus.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <optional>

namespace mcr {

namespace {

namespace fs = std::filesystem;

constexpr unsigned most_cpus = 8192;  // CONFIG_NR_CPUS is at most that

std::string read_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<unsigned> read_number(std::string_view text, int base = 10) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (text = trimmed(text); !text.empty();) {
    const auto end = std::min(text.find(','), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// The only folder in there is named after the driver's request; "": there is none.
std::string name_of_interrupt(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (entry.is_directory(none)) return entry.path().filename().string();
  return "";
}

/// The numbers of its interrupts (MSI). A virtio device is below the PCI device that has them.
std::map<unsigned, std::string> interrupts_of(const std::string& interface, const fs::path& root) {
  std::map<unsigned, std::string> names;
  std::error_code none;
  const auto device = fs::canonical(root / "sys/class/net" / interface / "device", none);
  if (none) return names;
  for (const auto& folder : {device, device.parent_path()})
    for (const auto& entry : fs::directory_iterator(folder / "msi_irqs", none))
      if (const auto number = read_number(entry.path().filename().string()))
        names.emplace(*number, name_of_interrupt(root / "proc/irq" / std::to_string(*number)));
  return names;
}

void add_interrupts(const std::string& interface, const fs::path& root,
                    std::vector<ReceiveWork>& work) {
  for (const auto number : receive_interrupts(interrupts_of(interface, root), interface)) {
    const auto folder = fmt::format("proc/irq/{}", number);
    auto cpus = read_cpu_list(read_line(root / folder / "effective_affinity_list"));
    if (cpus.size() == 1)
      work.push_back({fmt::format("/{}/smp_affinity_list", folder), std::move(cpus)});
  }
}

void add_steering(const std::string& interface, const fs::path& root,
                  std::vector<ReceiveWork>& work) {
  const auto queues = "sys/class/net/" + interface + "/queues";
  std::error_code none;
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(root / queues, none))
    if (auto name = entry.path().filename().string(); name.starts_with("rx-")) names.insert(name);
  for (const auto& name : names) {
    auto cpus = read_cpu_mask(read_line(root / queues / name / "rps_cpus"));
    if (!cpus.empty())
      work.push_back({fmt::format("/{}/{}/rps_cpus", queues, name), std::move(cpus)});
  }
}

/// `interface` and all below it.
void add_stack(const std::string& interface, const fs::path& root, std::set<std::string>& stack) {
  if (!stack.insert(interface).second) return;
  std::error_code none;
  constexpr std::string_view below = "lower_";
  for (const auto& entry : fs::directory_iterator(root / "sys/class/net" / interface, none))
    if (const auto name = entry.path().filename().string(); name.starts_with(below))
      add_stack(name.substr(below.size()), root, stack);
}

}  // namespace

Cpus allowed_cpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  ::sched_getaffinity(0, sizeof mask, &mask);
  Cpus cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &mask)) cpus.insert(cpu);
  return cpus;
}

Cpus read_cpu_list(std::string_view text) {
  Cpus cpus;
  for (const auto part : split(text)) {
    const auto dash = std::min(part.find('-'), part.size());
    const auto first = read_number(part.substr(0, dash));
    const auto last = dash == part.size() ? first : read_number(part.substr(dash + 1));
    if (!first || !last || *last >= most_cpus) return {};
    for (unsigned cpu = *first; cpu <= *last; ++cpu)
      cpus.insert(cpu);
  }
  return cpus;
}

Cpus read_cpu_mask(std::string_view text) {
  constexpr unsigned bits = 32;
  Cpus cpus;
  const auto words = split(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto word = read_number(words[i], 16);
    if (!word) return {};
    const auto first = static_cast<unsigned>(words.size() - 1 - i) * bits;
    for (unsigned bit = 0; bit < bits; ++bit)
      if ((*word >> bit & 1U) != 0) cpus.insert(first + bit);
  }
  return cpus;
}

std::set<unsigned> receive_interrupts(const std::map<unsigned, std::string>& names,
                                      const std::string& interface) {
  constexpr std::array<std::string_view, 3> words{"rx", "input", "comp"};
  std::set<unsigned> all;
  std::set<unsigned> receiving;
  for (const auto& [number, given] : names) {
    all.insert(number);
    std::string name = given;
    if (const auto at = name.find(interface); at != std::string::npos)
      name.erase(at, interface.size());
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (std::ranges::any_of(words, [&](auto word) { return name.find(word) != name.npos; }))
      receiving.insert(number);
  }
  return receiving.empty() ? all : receiving;
}

std::vector<ReceiveWork> receive_work(const std::string& interface, const fs::path& root) {
  std::set<std::string> stack;
  add_stack(interface, root, stack);
  std::vector<ReceiveWork> work;
  for (const auto& each : stack) {
    add_interrupts(each, root, work);
    add_steering(each, root, work);
  }
  return work;
}

}  // namespace mcr
