// The outputs of one host stand side by side, and are folded into one before they are made anew.
// So rules that have addresses already can be given others, and whoever has them need not keep the
// configuration beside them.
//
// A name may have addresses of both families. Those are left out that the interface has no source
// address for, if it has one for others: a host on an IPv4 network means nothing wrong by its IPv6
// address. All other addresses that cannot be sent to are shown.
#include "mcr/rules/host_outputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "mcr/config/limits.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/rules/rule_state.hpp"

namespace mcr {

namespace {

bool of_one_host(const Output& a, const Output& b) {
  return a.host && a.host.name == b.host.name && a.interface == b.interface && a.port == b.port;
}

/// The output as configured.
Output without_address(Output output) {
  if (!output.host) return output;
  output.destination = {};
  output.host.refusal.clear();
  return output;
}

std::string about(const Output& output, std::string_view trouble) {
  return fmt::format("host '{}': {}", output.host.name, trouble);
}

/// The number of outputs as configured.
std::size_t configured(std::span<const Output> outputs) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    count += i == 0 || !of_one_host(outputs[i - 1], outputs[i]) ? 1 : 0;
  return count;
}

/// One rule's outputs, made anew.
class HostOutputs {
 public:
  /// `room`: how many outputs may come to be more than there are as configured.
  HostOutputs(const Rule& rule, const HostBook& hosts, const Interfaces& interfaces,
              std::size_t room)
      : rule_(rule), hosts_(hosts), interfaces_(interfaces), room_(room) {}

  std::vector<Output> made() {
    const std::span before(rule_.outputs);
    for (std::size_t first = 0, end = 0; first < before.size(); first = end) {
      end = first + 1;
      while (end < before.size() && of_one_host(before[first], before[end]))
        ++end;
      if (before[first].host)
        add(before.subspan(first, end - first));
      else
        outputs_.push_back(before[first]);
    }
    return std::move(outputs_);
  }

  [[nodiscard]] std::size_t room() const { return room_; }

 private:
  void add(std::span<const Output> before) {
    const auto wanted = without_address(before.front());
    const auto known = hosts_.find(wanted.host.name);
    if (known == hosts_.end() || known->second.addresses.empty())
      return add_without_address(wanted, known == hosts_.end() || known->second.trouble.empty()
                                             ? "its addresses are not known yet"
                                             : known->second.trouble);
    auto outputs = outputs_to(wanted, known->second.addresses);
    if (outputs.empty())
      return add_without_address(wanted, wanted.host.family == Family::ipv4
                                             ? "it has no IPv4 address, as `source` wants"
                                             : "it has no IPv6 address, as `source` wants");
    if (!wanted.host.all) outputs = {one_of(outputs, before)};
    add_as_many_as_fit(wanted, std::move(outputs));
  }

  void add_without_address(Output output, std::string_view trouble) {
    output.host.refusal = about(output, trouble);
    outputs_.push_back(std::move(output));
  }

  /// An output for each address that comes into question.
  [[nodiscard]] std::vector<Output> outputs_to(const Output& wanted,
                                               std::span<const IpAddress> addresses) const {
    std::vector<Output> outputs;
    for (const auto& address : addresses) {
      if (wanted.host.family != Family::none && wanted.host.family != address.family()) continue;
      auto& output = outputs.emplace_back(wanted);
      output.destination = address;
      if (const auto why = refusal(output); !why.empty())
        output.host.refusal = about(output, fmt::format("{} is {}", address, why));
    }
    if (std::ranges::any_of(outputs, [this](const Output& o) { return has_source(o); }))
      std::erase_if(outputs, [this](const Output& o) { return !has_source(o); });
    return outputs;
  }

  [[nodiscard]] bool has_source(const Output& output) const {
    return output.source.mode == Source::Mode::preserve ||
           interfaces_.find(output.interface) == nullptr ||
           source_address(output, interfaces_) != nullptr;
  }

  [[nodiscard]] std::string_view refusal(const Output& output) const {
    const auto& to = output.destination;
    const auto* interface = interfaces_.find(output.interface);
    if (to.is_multicast()) return "a group";
    if (to.is_unspecified() || to.is_broadcast() ||
        (interface != nullptr && interface->is_broadcast(to)))
      return "no address of a single host";
    if (to.is_loopback() || interfaces_.has(to)) return "an address of this host";
    const auto same_place = [&](const auto& other) {
      return other.interface == output.interface &&
             other.destinations().overlaps(output.destinations());
    };
    if (!rule_.allow_loop && std::ranges::any_of(rule_.inputs, [&](const Input& input) {
          return input.vlan == 0 && same_place(input);
        }))
      return "the rule's own input";
    const auto is_there = [&](const Output& other) {
      return same_place(other) && other.host.refusal.empty();
    };
    const bool fixed = std::ranges::any_of(
        rule_.outputs, [&](const Output& other) { return !other.host && is_there(other); });
    return fixed || std::ranges::any_of(outputs_, is_there) ? "an output of the rule already" : "";
  }

  /// The address that is used now, if it can stay; else the first that can be sent to.
  [[nodiscard]] static Output one_of(std::span<const Output> outputs,
                                     std::span<const Output> before) {
    const auto fine = [](const Output& output) { return output.host.refusal.empty(); };
    for (const auto& output : outputs)
      if (fine(output) && output.destination == before.front().destination) return output;
    const auto first = std::ranges::find_if(outputs, fine);
    return first == outputs.end() ? outputs.front() : *first;
  }

  /// If there are too many, the last place tells how many are left out.
  void add_as_many_as_fit(const Output& wanted, std::vector<Output> outputs) {
    const auto places = room_ + 1;
    const bool fit = outputs.size() <= places;
    const auto kept = fit ? outputs.size() : room_;
    const auto left_out = outputs.size() - kept;
    room_ -= std::min(outputs.size() - 1, room_);
    outputs.resize(kept);
    std::ranges::move(outputs, std::back_inserter(outputs_));
    if (!fit)
      add_without_address(wanted, fmt::format("{} of its addresses are left out: a rule has at "
                                              "most {} outputs, and all rules {}",
                                              left_out, limits::outputs_per_rule, limits::outputs));
  }

  const Rule& rule_;
  const HostBook& hosts_;
  const Interfaces& interfaces_;
  std::size_t room_;
  std::vector<Output> outputs_;
};

bool has_host(const Rule& rule) {
  return std::ranges::any_of(rule.outputs, [](const Output& output) { return bool(output.host); });
}

}  // namespace

void put_addresses(std::vector<Rule>& rules, const HostBook& hosts, const Interfaces& interfaces) {
  if (std::ranges::none_of(rules, has_host)) return;
  std::size_t room = limits::outputs;
  for (const auto& rule : rules)
    room -= std::min(room, configured(rule.outputs) * mapped_destinations(rule).size());
  for (auto& rule : rules) {
    if (!has_host(rule)) continue;
    const auto size = mapped_destinations(rule).size();
    const auto most = std::min(room / size, limits::outputs_per_rule - configured(rule.outputs));
    HostOutputs outputs(rule, hosts, interfaces, most);
    auto made = outputs.made();
    room -= (most - outputs.room()) * size;
    rule.outputs = std::move(made);
  }
}

}  // namespace mcr
