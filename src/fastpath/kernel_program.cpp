// libbpf loads the program from the skeleton that bpftool has made of it; it is part of this
// executable. Counters have one value for each possible CPU, and are read in batches: one system
// call for thousands of them.
#include "mcr/fastpath/kernel_program.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <relay.skel.h>
#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/fastpath/plain_table.hpp"
#include "mcr/host/tc_filters.hpp"
#include "mcr/rules/counters.hpp"

namespace mcr::fastpath {

namespace {

constexpr std::uint32_t most_interfaces = 4096;
constexpr std::uint32_t handle = 1;
constexpr std::uint32_t batch = 2048;

static_assert(input_drop_names.size() <= MCR_INPUT_DROPS);
static_assert(output_drop_names.size() <= MCR_OUTPUT_DROPS);

int tell(libbpf_print_level, const char* format, va_list arguments) {
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string_view line(text.data());
  while (line.ends_with('\n'))
    line.remove_suffix(1);
  log::debug("libbpf: {}", line);
  return 0;
}

[[noreturn]] void fail(int result, std::string_view operation, std::string_view subject = {}) {
  throw OsError(-result, operation, subject);
}

IpAddress address_of(const std::uint32_t (&words)[4], std::uint8_t family) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), words, bytes.size());
  if (family == MCR_IPV6) return IpAddress::v6(bytes);
  return IpAddress::v4(std::span<const std::uint8_t, 4>(bytes.data(), 4));
}

void add(RuleCount& sum, const mcr_rule_counters& counters) {
  sum.rx_datagrams += counters.rx_datagrams;
  sum.rx_bytes += counters.rx_bytes;
  if (counters.last_seen_ns <= sum.last_seen_ns) return;
  sum.last_seen_ns = counters.last_seen_ns;
  sum.last_source = {address_of(counters.source, counters.family), ntohs(counters.source_port)};
}

void add(OutputCount& sum, const mcr_output_counters& counters) {
  sum.matched += counters.matched;
  sum.tx_datagrams += counters.tx_datagrams;
  sum.tx_bytes += counters.tx_bytes;
  for (std::size_t i = 0; i < sum.drops.size(); ++i)
    sum.drops[i] += counters.drops[i];
}

void add(InterfaceCount& sum, const mcr_interface_counters& counters) {
  sum.frames += counters.frames;
  sum.datagrams += counters.datagrams;
}

void add(SumCount& sum, const mcr_totals& counters) {
  sum.rx_datagrams += counters.rx_datagrams;
  sum.tx_datagrams += counters.tx_datagrams;
  for (std::size_t i = 0; i < sum.tx_drops.size(); ++i)
    sum.tx_drops[i] += counters.tx_drops[i];
}

/// Reads all of a map whose values are `Values`, one for each of `cpus`.
template <typename Values, typename Sum>
void read_all(const bpf_map* map, std::size_t cpus, std::unordered_map<std::uint32_t, Sum>& sums) {
  static_assert(sizeof(Values) % 8 == 0);
  std::vector<std::uint32_t> keys(batch);
  std::vector<Values> values(batch * cpus);
  std::uint32_t in = 0;
  std::uint32_t out = 0;
  for (bool first = true, last = false; !last; first = false) {
    std::uint32_t count = batch;
    const int result = ::bpf_map_lookup_batch(::bpf_map__fd(map), first ? nullptr : &in, &out,
                                              keys.data(), values.data(), &count, nullptr);
    if (result != 0 && result != -ENOENT) fail(result, "read counters of", "the kernel's way");
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t cpu = 0; cpu < cpus; ++cpu)
        add(sums[keys[i]], values[i * cpus + cpu]);
    last = result == -ENOENT;
    in = out;
  }
}

/// Makes an element for each key that has none.
template <typename Values>
void make_elements(const bpf_map* map, const std::set<std::uint32_t>& keys, std::size_t cpus) {
  const std::vector<Values> zeros(cpus);
  for (const auto key : keys) {
    const int result = ::bpf_map_update_elem(::bpf_map__fd(map), &key, zeros.data(), BPF_NOEXIST);
    if (result != 0 && result != -EEXIST) fail(result, "make counters for", "the kernel's way");
  }
}

std::set<std::uint32_t> indices(const std::set<unsigned>& interfaces) {
  return {interfaces.begin(), interfaces.end()};
}

bpf_tc_hook hook_of(unsigned interface, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = static_cast<int>(interface);
  hook.attach_point = point;
  return hook;
}

bool is_ours(const TcFilter& filter) {
  return filter.kind == "bpf" && filter.program.starts_with(KernelProgram::name);
}

bool has_filters(unsigned interface) noexcept {
  try {
    return !tc_filters(interface, TcHook::ingress).empty() ||
           !tc_filters(interface, TcHook::egress).empty();
  } catch (const std::exception&) {
    return true;  // not known: let it be
  }
}

}  // namespace

struct KernelProgram::Loaded {
  mcr_relay* skeleton = nullptr;
  std::size_t cpus = 0;

  ~Loaded() { mcr_relay__destroy(skeleton); }
};

KernelProgram::KernelProgram(std::uint32_t mark) : loaded_(std::make_unique<Loaded>()) {
  ::libbpf_set_print(tell);
  loaded_->cpus = static_cast<std::size_t>(std::max(1, ::libbpf_num_possible_cpus()));
  loaded_->skeleton = mcr_relay__open();
  if (loaded_->skeleton == nullptr) throw_errno("open", "the kernel's program");
  auto& maps = loaded_->skeleton->maps;
  ::bpf_map__set_max_entries(maps.mcr_rules, slots::rules);
  ::bpf_map__set_max_entries(maps.mcr_outputs, slots::outputs);
  ::bpf_map__set_max_entries(maps.mcr_interfaces, most_interfaces);
  ::bpf_map__set_max_entries(maps.mcr_udp_only, most_interfaces);
  loaded_->skeleton->rodata->mcr_mark = mark;
  if (const int result = mcr_relay__load(loaded_->skeleton); result != 0)
    fail(result, "load", "the kernel's program");
}

KernelProgram::~KernelProgram() = default;

Fd KernelProgram::fd() const noexcept {
  return Fd(::bpf_program__fd(loaded_->skeleton->progs.mcr_relay));
}

UniqueFd KernelProgram::make_table(const PlainTable& table) {
  const auto& maps = loaded_->skeleton->maps;
  make_elements<mcr_rule_counters>(maps.mcr_rules, table.rules, loaded_->cpus);
  make_elements<mcr_output_counters>(maps.mcr_outputs, table.outputs, loaded_->cpus);
  make_elements<mcr_interface_counters>(maps.mcr_interfaces, indices(table.interfaces),
                                        loaded_->cpus);
  bpf_map_create_opts options{};
  options.sz = sizeof options;
  options.map_flags = BPF_F_INNER_MAP;
  auto count = static_cast<std::uint32_t>(table.cells.size());
  UniqueFd map(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "mcr_cells", sizeof(std::uint32_t),
                                sizeof(mcr_cell), count, &options));
  if (map.get() < 0) fail(map.get(), "make a table for", "the kernel's way");
  std::vector<std::uint32_t> keys(count);
  std::iota(keys.begin(), keys.end(), 0U);
  if (const int result =
          ::bpf_map_update_batch(map.get(), keys.data(), table.cells.data(), &count, nullptr);
      result != 0)
    fail(result, "fill a table for", "the kernel's way");
  return map;
}

int KernelProgram::use_table(Fd table) noexcept {
  const auto outer = ::bpf_map__fd(loaded_->skeleton->maps.mcr_table);
  const std::uint32_t zero = 0;
  const int inner = table.get();
  const int result = table.valid() ? ::bpf_map_update_elem(outer, &zero, &inner, BPF_ANY)
                                   : ::bpf_map_delete_elem(outer, &zero);
  return result == -ENOENT ? 0 : -result;
}

void KernelProgram::set_udp_only(unsigned interface, bool only) noexcept {
  const auto map = ::bpf_map__fd(loaded_->skeleton->maps.mcr_udp_only);
  const std::uint8_t yes = 1;
  if (only)
    ::bpf_map_update_elem(map, &interface, &yes, BPF_ANY);
  else
    ::bpf_map_delete_elem(map, &interface);
}

void KernelProgram::read(FastCounters& counters) const {
  const auto& maps = loaded_->skeleton->maps;
  counters = {};
  read_all<mcr_rule_counters>(maps.mcr_rules, loaded_->cpus, counters.rules);
  read_all<mcr_output_counters>(maps.mcr_outputs, loaded_->cpus, counters.outputs);
  read_all<mcr_interface_counters>(maps.mcr_interfaces, loaded_->cpus, counters.interfaces);
  std::vector<mcr_totals> totals(loaded_->cpus);
  const std::uint32_t zero = 0;
  if (const int result = ::bpf_map_lookup_elem(::bpf_map__fd(maps.mcr_sums), &zero, totals.data());
      result != 0)
    fail(result, "read sums of", "the kernel's way");
  for (const auto& one : totals)
    add(counters.sums, one);
}

void KernelProgram::forget_rule(std::uint32_t slot) noexcept {
  ::bpf_map_delete_elem(::bpf_map__fd(loaded_->skeleton->maps.mcr_rules), &slot);
}

void KernelProgram::forget_output(std::uint32_t slot) noexcept {
  ::bpf_map_delete_elem(::bpf_map__fd(loaded_->skeleton->maps.mcr_outputs), &slot);
}

void KernelProgram::forget_interface(std::uint32_t index) noexcept {
  ::bpf_map_delete_elem(::bpf_map__fd(loaded_->skeleton->maps.mcr_interfaces), &index);
}

bool is_built_in() noexcept {
  return true;
}

bool attach(Fd program, unsigned interface, std::uint32_t priority) {
  auto hook = hook_of(interface, BPF_TC_INGRESS);
  const int made = ::bpf_tc_hook_create(&hook);
  if (made != 0 && made != -EEXIST) fail(made, "make", "the hook of traffic control");
  for (const auto& filter : tc_filters(interface, TcHook::ingress))
    if (filter.priority == priority && !is_ours(filter))
      fail(-EEXIST, "attach", fmt::format("a filter of priority {}", priority));
  bpf_tc_opts options{};
  options.sz = sizeof options;
  options.prog_fd = program.get();
  options.flags = BPF_TC_F_REPLACE;
  options.handle = handle;
  options.priority = priority;
  if (const int result = ::bpf_tc_attach(&hook, &options); result != 0)
    fail(result, "attach", "the kernel's program");
  return made == 0;
}

int detach(unsigned interface, std::uint32_t priority, bool hook) noexcept {
  auto ingress = hook_of(interface, BPF_TC_INGRESS);
  bpf_tc_opts options{};
  options.sz = sizeof options;
  options.handle = handle;
  options.priority = priority;
  const int result = ::bpf_tc_detach(&ingress, &options);
  if (hook && !has_filters(interface)) {
    auto both =
        hook_of(interface, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
    ::bpf_tc_hook_destroy(&both);
  }
  return result == -ENOENT || result == -EINVAL ? 0 : -result;
}

bool is_attached(unsigned interface, std::uint32_t priority) {
  const auto filters = tc_filters(interface, TcHook::ingress);
  return std::ranges::any_of(filters, [priority](const TcFilter& filter) {
    return filter.priority == priority && is_ours(filter);
  });
}

}  // namespace mcr::fastpath
