// One rule in full, each kind of drop with its advice (rules/remedies.hpp); one that only a newer
// daemon knows is shown without.

#include <fmt/format.h>

#include <algorithm>

#include "advice.hpp"
#include "mcr/config/dscp.hpp"
#include "mcr/rules/remedies.hpp"
#include "mcr/rules/send_refusal.hpp"
#include "mcr/status/text.hpp"
#include "mcr/status/text_stream.hpp"
#include "rule_view.hpp"
#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {
namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t most_memberships = 20;

const DropAdvice& advice_at(const ReceivedDrops& /*drops*/, std::size_t reason) {
  return advice_about(static_cast<InputDrop>(reason));
}
const DropAdvice& advice_at(const SentDrops& /*drops*/, std::size_t reason) {
  return advice_about(static_cast<OutputDrop>(reason));
}

template <typename AnyDrops>
std::string explained(const AnyDrops& drops) {
  std::string result;
  for (const auto& [reason, datagrams] : nonzero(drops)) {
    auto line = fmt::format("dropped {} {}", grouped(datagrams), reason);
    const auto known = std::ranges::find(AnyDrops::names, reason);
    if (known != AnyDrops::names.end()) {
      const auto at = static_cast<std::size_t>(known - AnyDrops::names.begin());
      const auto& [meaning, remedy] = advice_at(drops, at);
      line += fmt::format(": {}: {}", meaning, remedy);
    }
    result += wrapped(is_usual(reason) ? "      " : "    ! ", line, columns);
  }
  return result;
}

std::string sources_text(const Input& input) {
  std::string result;
  for (const auto& source : input.sources)
    result += (result.empty() ? " from " : ", ") + source.str();
  if (!input.excluded.empty()) result += input.sources.empty() ? " from all but " : " but not ";
  for (const auto& source : input.excluded)
    result += (&source == &input.excluded.front() ? "" : ", ") + source.str();
  return result;
}

std::string kind_text(const Input& input) {
  std::string result;
  if (input.vlan != 0) result += fmt::format(", VLAN {}", input.vlan);
  if (input.local) result += ", sent by this host";
  return result;
}

std::string membership_text(const Membership& membership) {
  const auto& source = membership.group.source;
  const auto& error = membership.error;
  return wrapped(
      membership.state == MembershipState::joined ? "    " : "    ! ",
      fmt::format("membership{} {}{}", source ? fmt::format(" from {}", source) : "",
                  in_words(membership.state), error.empty() ? "" : ": " + printable(error.text)),
      columns);
}

/// In a block of groups only those that are not joined are told one by one.
std::string memberships_text(std::vector<const Membership*> memberships) {
  std::string result;
  if (memberships.size() > most_memberships) {
    const auto all = memberships.size();
    std::erase_if(memberships,
                  [](const auto* each) { return each->state == MembershipState::joined; });
    result = fmt::format("    {} of {} memberships joined\n", grouped(all - memberships.size()),
                         grouped(all));
    if (memberships.size() > most_memberships) memberships.resize(most_memberships);
  }
  for (const auto* membership : memberships)
    result += membership_text(*membership);
  return result;
}

std::string seen(const Rule& rule) {
  auto age = last_seen(rule);
  return age == "never" || age == "-" ? age : age + " ago";
}

std::string leg_text(const MergedLeg& leg) {
  auto result = wrapped(leg.up ? "    " : "    ! ", leg_line(leg), columns);
  if (!leg.copy)
    result += wrapped("    ! ", "brings another stream than the others: it is not merged", columns);
  return result;
}

std::string inputs_part(const Status& status, const Rule& rule) {
  std::string result = "\ninput\n";
  for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
    const auto& input = rule.inputs[i];
    result += wrapped("  ", place(input) + kind_text(input) + sources_text(input), columns);
    result += memberships_text(memberships_for(status, input));
    if (i < rule.streams.size() && rule.streams[i])
      result += wrapped("    ", stream_line(*rule.streams[i]), columns);
    if (i < rule.legs.size() && rule.legs[i]) result += leg_text(*rule.legs[i]);
    if (i < rule.standing.size() && rule.standing[i])
      result += wrapped(rule.standing[i]->healthy ? "    " : "    ! ",
                        failover_line(*rule.standing[i]), columns);
  }
  if (rule.merge) result += wrapped("  ", merge_line(*rule.merge), columns);
  if (rule.failover)
    result += wrapped(rule.failover->backup || rule.failover->by_hand ? "  ! " : "  ",
                      failover_line(*rule.failover), columns);
  const auto source = rule.last_source ? fmt::format(" from {}", *rule.last_source) : "";
  result +=
      wrapped("  ",
              fmt::format("received {} datagrams, {} bytes; last one {}{}",
                          grouped(rule.rx_datagrams), grouped(rule.rx_bytes), seen(rule), source),
              columns);
  result += wrapped(
      "  ", fmt::format("now {} datagrams/s, {} bit/s", si(rule.rate_pps), si(rule.rate_bps)),
      columns);
  return result + explained(rule.drops);
}

std::string limit_text(const RateLimit& limit) {
  if (!limit) return "";
  const auto [pps, bps] = std::pair(Count(limit.pps), Count(limit.bps));
  auto result = limit.pps != 0 ? fmt::format("at most {} datagrams/s", si(pps)) : "at most";
  if (limit.bps != 0) result += fmt::format("{} {} bit/s", limit.pps != 0 ? "," : "", si(bps));
  return result;
}

std::string ttl_text(const Ttl& ttl) {
  switch (ttl.mode) {
    case Ttl::Mode::fixed:
      return fmt::format("{}", ttl.value);
    case Ttl::Mode::preserve:
      return "preserve";
    case Ttl::Mode::decrement:
      return "decrement";
    case Ttl::Mode::system:
      break;
  }
  return "";
}

std::string dscp_text(const Dscp& dscp) {
  if (dscp.preserve) return "preserve";
  if (dscp.value == 0) return "";
  const auto known = dscp_name(dscp.value);
  return known.empty() ? fmt::format("{}", dscp.value) : std::string(known);
}

/// How it is sent, besides where to.
std::string sending_text(const mcr::Output& output) {
  std::string result;
  const auto add = [&](std::string_view what, const std::string& value) {
    if (!value.empty()) result += fmt::format("{}{} {}", result.empty() ? "" : ", ", what, value);
  };
  add("ttl", ttl_text(output.ttl));
  add("dscp", dscp_text(output.dscp));
  add("source", source_text(output.source));
  if (output.source_port != 0) add("source port", fmt::format("{}", output.source_port));
  if (output.loopback) add("loopback", "on");
  if (!output.segmentation) add("segmentation", "off");
  return result;
}

std::string last_refusal(const Output& output) {
  if (output.error.empty()) return "";
  const auto code = output.error.error == 0 ? own_refusal::unusable_source
                                            : static_cast<RefusalCode>(output.error.error);
  return wrapped("    ! ",
                 fmt::format("last refusal: {}: {}", printable(output.error.text),
                             refusal_remedy(code, shown(output.config.interface),
                                            output.config.destination.str())),
                 columns);
}

std::string output_part(const Output& output) {
  const auto state = output.state ? fmt::format(", {}", to_string(*output.state)) : "";
  auto result = wrapped("  ", place(output.config) + state, columns);
  if (output.state == OutputState::waiting)
    result +=
        wrapped("    ! ",
                output.reason.empty() ? "its interface is missing, down or without a source address"
                                      : printable(output.reason.text),
                columns);
  else if (!output.reason.empty())
    result += wrapped("    ! ", printable(output.reason.text), columns);
  if (const auto remark = remark_about(output); !remark.empty())
    result += wrapped("    ", remark, columns);
  if (auto limit = limit_text(output.config.limit); !limit.empty())
    result += wrapped("    ", limit, columns);
  if (const auto sending = sending_text(output.config); !sending.empty())
    result += wrapped("    ", sending, columns);
  const auto drops = nonzero(output.drops);
  result += wrapped(
      "    ",
      fmt::format("{} matched = {} sent + {} dropped + {} in flight", grouped(output.matched),
                  grouped(output.tx_datagrams), grouped(sum(drops)), grouped(output.in_flight)),
      columns);
  result += wrapped("    ",
                    fmt::format("{} bytes; {} zero-copy, {} copied", grouped(output.tx_bytes),
                                grouped(output.zerocopy), grouped(output.copied)),
                    columns);
  if (output.unreachable.value_or(0) != 0)
    result += wrapped("    ! ",
                      fmt::format("{} of those sent while the next hop did not answer",
                                  grouped(output.unreachable)),
                      columns);
  return result + explained(output.drops) + last_refusal(output);
}

/// Only where there are two ways.
std::string path_text(const Status& status, const Rule& rule) {
  if (!status.fast_path || !status.fast_path->runs || rule.path.empty()) return "";
  const auto why = rule.path_reason.empty() ? "" : ": " + printable(rule.path_reason);
  return wrapped("  ", fmt::format("goes the {}'s way{}", printable(rule.path), why), columns);
}

std::string head_part(const Status& status, const Rule& rule) {
  auto result = wrapped("", fmt::format("{}: {}", shown(rule.name), shown(rule.state)), columns);
  if (!rule.comment.empty()) result += wrapped("  ", printable(rule.comment), columns);
  if (!rule.reason.empty()) result += wrapped("  ! ", printable(rule.reason.text), columns);
  result += path_text(status, rule);
  if (rule.state == RuleState::active) {
    auto why = silence(unjoined(status), rule);
    if (!why.empty()) result += wrapped("  ! ", why, columns);
  }
  const auto steps = advice_for(status, rule);
  if (!steps.empty()) result += "\nwhat to do\n";
  for (const auto& step : steps)
    result += wrapped("  - ", step, columns);
  return result;
}

}  // namespace

std::string render_rule(const Status& status, std::string_view rule_name) {
  const auto rule = std::ranges::find(status.rules, rule_name, &Rule::name);
  if (rule == status.rules.end()) return fmt::format("no rule \"{}\"\n", printable(rule_name));
  auto result = head_part(status, *rule) + inputs_part(status, *rule);
  if (!rule->outputs.empty()) result += "\noutputs\n";
  for (const auto& output : rule->outputs)
    result += output_part(output);
  return result;
}

}  // namespace mcr::status
