// The worker's table has an entry for each input and destination; the same destination may have
// several, of different rules. The kernel decides by frame, and so by destination: it takes a
// destination only if it can take every entry of it. Each rule that the kernel cannot take blocks
// its destinations for all others.
//
// Cells are laid out in the order of relay.h. A search in the kernel looks at a bounded number of
// cells; a table that is too crowded for that is made twice as large.
#include "mcr/fastpath/plain_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "mcr/config/limits.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/config/sources.hpp"
#include "mcr/fastpath/eligibility.hpp"

namespace mcr::fastpath {

namespace {

constexpr std::uint32_t ipv4_udp_headers = 28;
constexpr std::uint32_t ipv6_udp_headers = 48;

static_assert(sizeof(mcr_cell) == 64);
static_assert(limits::sources_per_input + 1 < 1U << MCR_MOST_HALVINGS);  // excluding n makes n + 1

struct Key {
  unsigned interface = 0;
  Endpoint destination;

  auto operator<=>(const Key&) const = default;
};

/// An entry with its outputs.
struct Leg {
  mcr_entry entry{};
  std::vector<mcr_step> outputs;
  std::uint32_t most_payload = 0;
  Consume consume = Consume::automatic;
};

void write_address(std::uint32_t (&to)[4], const IpAddress& address) noexcept {
  std::memset(to, 0, sizeof to);
  const auto bytes = address.bytes();
  std::memcpy(to, bytes.data(), bytes.size());
}

std::uint8_t family_of(const IpAddress& address) noexcept {
  return address.is_v6() ? MCR_IPV6 : MCR_IPV4;
}

std::uint8_t ttl_mode(const Ttl& ttl) noexcept {
  if (ttl.mode == Ttl::Mode::preserve) return MCR_TTL_PRESERVED;
  return ttl.mode == Ttl::Mode::decrement ? MCR_TTL_DECREMENTED : MCR_TTL_FIXED;
}

std::uint32_t most_payload(const Interface& interface, Family family) noexcept {
  const auto headers = family == Family::ipv6 ? ipv6_udp_headers : ipv4_udp_headers;
  return interface.mtu > headers ? interface.mtu - headers : 0;
}

std::uint8_t consume_of(const std::vector<Leg>& legs) noexcept {
  const auto says = [](Consume what) {
    return [what](const Leg& leg) { return leg.consume == what; };
  };
  if (std::ranges::any_of(legs, says(Consume::no))) return MCR_PASS_ON;
  return std::ranges::all_of(legs, says(Consume::yes)) ? MCR_CONSUME : MCR_PASS_IF_HEARD;
}

class Compiler {
 public:
  Compiler(const std::vector<Rule>& rules, const Interfaces& interfaces,
           const std::vector<RuleStatus>& statuses, const SlotAllocators& slots,
           std::uint16_t source_port, const Refusals& refusals)
      : rules_(rules),
        interfaces_(interfaces),
        statuses_(statuses),
        slots_(slots),
        source_port_(source_port),
        refusals_(refusals) {}

  PlainTable compile() && {
    result_.paths.resize(rules_.size());
    for (std::size_t i = 0; i < rules_.size(); ++i)
      why_.push_back(why_worker(rules_[i], interfaces_));
    for (std::size_t i = 0; i < rules_.size(); ++i)
      note_blocked(i);
    for (std::size_t i = 0; i < rules_.size(); ++i)
      add(i);
    if (!legs_.empty()) lay_out();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool receives(std::size_t rule, std::size_t input) const {
    return statuses_[rule].state == RuleState::active &&
           statuses_[rule].input_reasons[input].empty();
  }

  template <typename Action>
  void for_destinations(const Input& input, Action&& action) const {
    const auto index = interfaces_.find(input.interface)->index;
    for (std::uint32_t address = 0; address < input.addresses; ++address)
      for (std::uint32_t port = 0; port < input.ports; ++port)
        action(Key{index, input.destinations().at(address, port)}, address, port);
  }

  /// Destinations that only the worker can serve as this rule wants it. Frames with a tag and those
  /// that this host sends are not the kernel's, so that they block nothing.
  void note_blocked(std::size_t at) {
    const auto& rule = rules_[at];
    if (why_[at].empty()) return;
    for (std::size_t i = 0; i < rule.inputs.size(); ++i)
      if (receives(at, i) && why_worker(rule.inputs[i], interfaces_).empty())
        for_destinations(rule.inputs[i],
                         [&](const Key& key, auto, auto) { blocked_.emplace(key, rule.name); });
  }

  void add(std::size_t at) {
    const auto& rule = rules_[at];
    note_own(rule, statuses_[at]);
    auto& path = result_.paths[at];
    path.reason = why_[at];
    if (!path.reason.empty()) return;
    if (auto part = why_in_part(rule, interfaces_); !part.empty()) why_not(path, std::move(part));
    const auto outputs = outputs_of(at);
    for (std::size_t i = 0; i < rule.inputs.size(); ++i)
      if (receives(at, i) && why_worker(rule.inputs[i], interfaces_).empty())
        add_input(at, rule.inputs[i], outputs);
    if (path.kernel && !path.reason.empty()) path.reason = "in part: " + path.reason;
  }

  static void why_not(RulePath& path, std::string reason) {
    if (path.reason.empty()) path.reason = std::move(reason);
  }

  /// For each group and port that the rule maps, its outputs.
  std::vector<Leg> outputs_of(std::size_t at) {
    const auto& rule = rules_[at];
    const auto mapped = mapped_destinations(rule);
    std::vector<Leg> runs(mapped.size());
    for (std::size_t run = 0; run < runs.size(); ++run) {
      auto& leg = runs[run];
      leg.entry.rule = *slots_.rules.find(rule.name);
      leg.entry.allow_loop = rule.allow_loop ? 1 : 0;
      leg.most_payload = std::numeric_limits<std::uint32_t>::max();
      leg.consume = rule.consume;
      for (std::size_t i = 0; i < rule.outputs.size(); ++i) {
        const auto& output = rule.outputs[i];
        const bool usable = statuses_[at].output_reasons[i].empty();
        const auto to = output.destinations().mapped_from(mapped, run);
        leg.outputs.push_back(make_output(rule, output, to, usable));
        if (usable)
          leg.most_payload = std::min(
              leg.most_payload,
              most_payload(*interfaces_.find(output.interface), output.destination.family()));
      }
    }
    return runs;
  }

  mcr_step make_output(const Rule& rule, const Output& output, const Endpoint& to, bool usable) {
    mcr_step step{};
    step.kind = MCR_OUTPUT;
    auto& made = step.output;
    made = {};
    made.slot = *slots_.outputs.find({rule.name, output.interface, to});
    if (!usable) return step;
    const auto& interface = *interfaces_.find(output.interface);
    made.interface = interface.index;
    write_address(made.destination, to.address);
    made.destination_port = htons(to.port);
    step.ttl_mode = ttl_mode(output.ttl);
    made.ttl = output.ttl.value;
    step.dscp_preserved = output.dscp.preserve ? 1 : 0;
    made.traffic_class = static_cast<std::uint8_t>(output.dscp.value << 2U);
    step.source_preserved = output.source.mode == Source::Mode::preserve ? 1 : 0;
    if (step.source_preserved == 0)
      write_address(made.source, *source_address(output, interfaces_));
    made.source_port = htons(source_port_of(output));
    std::ranges::copy(*interface.link_address, made.link_source);
    return step;
  }

  /// 0: the sender's.
  [[nodiscard]] std::uint16_t source_port_of(const Output& output) const {
    if (output.source_port != 0) return output.source_port;
    return output.source.mode == Source::Mode::preserve ? std::uint16_t{0} : source_port_;
  }

  /// As RuleTable::is_own() has it: of all outputs, also those that the worker sends.
  void note_own(const Rule& rule, const RuleStatus& status) {
    if (!rule.enabled) return;
    for (std::size_t i = 0; i < rule.outputs.size(); ++i) {
      const auto& output = rule.outputs[i];
      if (!status.output_reasons[i].empty() || output.source.mode == Source::Mode::preserve)
        continue;
      own_.insert({*source_address(output, interfaces_), source_port_of(output)});
    }
  }

  void add_input(std::size_t at, const Input& input, const std::vector<Leg>& runs) {
    const auto& rule = rules_[at];
    auto& path = result_.paths[at];
    const auto index = interfaces_.find(input.interface)->index;
    if (const auto refused = refusals_.find(index); refused != refusals_.end())
      return why_not(path, refused->second);
    const auto mapped = mapped_destinations(rule);
    const auto first_source = static_cast<std::uint32_t>(sources_.size());
    const auto ranges = source_ranges(input);
    sources_.insert(sources_.end(), ranges.begin(), ranges.end());
    for_destinations(input, [&](const Key& key, std::uint32_t address, std::uint32_t port) {
      if (const auto other = blocked_.find(key); other != blocked_.end())
        return why_not(
            path, fmt::format("rule {} needs the worker for {}", other->second, key.destination));
      const auto run =
          (mapped.addresses > 1 ? address : 0) * mapped.ports + (mapped.ports > 1 ? port : 0);
      auto leg = runs[run];
      leg.entry.first_source = first_source;
      leg.entry.sources = static_cast<std::uint32_t>(ranges.size());
      legs_[key].push_back(std::move(leg));
      path.kernel = true;
    });
  }

  // ---- the cells ----

  [[nodiscard]] std::size_t steps() const {
    std::size_t count = 0;
    for (const auto& [key, legs] : legs_)
      for (const auto& leg : legs)
        count += 1 + leg.outputs.size();
    return count;
  }

  void lay_out() {
    auto buckets = std::bit_ceil(2 * legs_.size());
    auto owns = own_.empty() ? std::size_t{0} : std::bit_ceil(2 * own_.size());
    while (!fits(buckets, owns)) {
      buckets *= 2;
      owns *= 2;
    }
  }

  /// Lays all out with these numbers of cells, or gives up. False: too crowded.
  bool fits(std::size_t buckets, std::size_t owns) {
    const auto first_own = 1 + buckets;
    const auto first_step = first_own + owns;
    const auto first_source = first_step + steps();
    const auto count = first_source + sources_.size();
    if (count > PlainTable::most_cells) {
      give_up();
      return true;
    }
    result_.cells.assign(count, mcr_cell{});
    auto& head = result_.cells[0].head;
    head = {1, static_cast<std::uint32_t>(buckets), static_cast<std::uint32_t>(first_own),
            static_cast<std::uint32_t>(owns)};
    if (!place_own(head)) return false;
    auto step = first_step;
    for (const auto& [key, legs] : legs_)
      if (!place(head, key, legs, step, static_cast<std::uint32_t>(first_source))) return false;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      auto& range = result_.cells[first_source + i].sources;
      write_address(range.first, sources_[i].first);
      write_address(range.last, sources_[i].last);
    }
    return true;
  }

  void give_up() {
    result_.cells.clear();
    for (auto& path : result_.paths)
      if (path.kernel) path = {false, "the rules are too many for one table in the kernel"};
    legs_.clear();
    result_.interfaces.clear();
    result_.rules.clear();
    result_.outputs.clear();
  }

  bool place_own(const mcr_head& head) {
    for (const auto& endpoint : own_) {
      mcr_own own{};
      write_address(own.address, endpoint.address);
      own.port = htons(endpoint.port);
      own.family = family_of(endpoint.address);
      auto* cell = free_cell(head.first_own, head.owns, mcr_hash(own.address, own.port, 0),
                             [](const mcr_cell& taken) { return taken.own.family; });
      if (cell == nullptr) return false;
      cell->own = own;
    }
    return true;
  }

  template <typename Taken>
  mcr_cell* free_cell(std::uint32_t first, std::uint32_t count, std::uint32_t hash, Taken&& taken) {
    for (std::uint32_t i = 0; i < MCR_MOST_PROBES; ++i) {
      auto& cell = result_.cells[first + ((hash + i) & (count - 1))];
      if (taken(cell) == 0) return &cell;
    }
    return nullptr;
  }

  /// A destination with its steps. `step`: the next free cell for them.
  bool place(const mcr_head& head, const Key& key, const std::vector<Leg>& legs, std::size_t& step,
             std::uint32_t first_source) {
    mcr_bucket bucket{};
    write_address(bucket.address, key.destination.address);
    bucket.interface = key.interface;
    bucket.port = htons(key.destination.port);
    bucket.family = family_of(key.destination.address);
    bucket.consume = consume_of(legs);
    bucket.first_step = static_cast<std::uint32_t>(step);
    bucket.most_payload = std::numeric_limits<std::uint32_t>::max();
    for (const auto& leg : legs) {
      bucket.most_payload = std::min(bucket.most_payload, leg.most_payload);
      place(leg, step, first_source);
    }
    bucket.steps = static_cast<std::uint32_t>(step) - bucket.first_step;
    result_.interfaces.insert(key.interface);
    auto* cell = free_cell(head.first_bucket, head.buckets,
                           mcr_hash(bucket.address, bucket.port, bucket.interface),
                           [](const mcr_cell& taken) { return taken.bucket.family; });
    if (cell == nullptr) return false;
    cell->bucket = bucket;
    return true;
  }

  void place(const Leg& leg, std::size_t& step, std::uint32_t first_source) {
    auto& entry = result_.cells[step++].step;
    entry.kind = MCR_ENTRY;
    entry.entry = leg.entry;
    entry.entry.first_source += first_source;
    result_.rules.insert(leg.entry.rule);
    for (const auto& output : leg.outputs) {
      result_.cells[step++].step = output;
      result_.outputs.insert(output.output.slot);
    }
  }

  const std::vector<Rule>& rules_;
  const Interfaces& interfaces_;
  const std::vector<RuleStatus>& statuses_;
  const SlotAllocators& slots_;
  const std::uint16_t source_port_;
  const Refusals& refusals_;
  PlainTable result_;
  std::vector<std::string> why_;  ///< one per rule, of why_worker()
  std::map<Key, std::string> blocked_;
  std::map<Key, std::vector<Leg>> legs_;
  std::set<Endpoint> own_;
  std::vector<SourceRange> sources_;
};

}  // namespace

PlainTable compile_plain_table(const std::vector<Rule>& rules, const Interfaces& interfaces,
                               const std::vector<RuleStatus>& statuses, const SlotAllocators& slots,
                               std::uint16_t source_port, const Refusals& refusals) {
  return Compiler(rules, interfaces, statuses, slots, source_port, refusals).compile();
}

std::set<unsigned> wanted_interfaces(const std::vector<Rule>& rules, const Interfaces& interfaces,
                                     const std::vector<RuleStatus>& statuses) {
  std::set<unsigned> wanted;
  for (std::size_t at = 0; at < rules.size(); ++at) {
    const auto& rule = rules[at];
    if (statuses[at].state != RuleState::active || !why_worker(rule, interfaces).empty()) continue;
    for (std::size_t i = 0; i < rule.inputs.size(); ++i)
      if (statuses[at].input_reasons[i].empty() && why_worker(rule.inputs[i], interfaces).empty())
        wanted.insert(interfaces.find(rule.inputs[i].interface)->index);
  }
  return wanted;
}

}  // namespace mcr::fastpath
