// One rule in full. The kinds of drop are those of the ledger (drop_reason.hpp); one that is not in
// the table (a newer daemon's) is shown without an explanation.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mcr/config/dscp.hpp"
#include "mcr/packet/drop_reason.hpp"
#include "mcr/status/text.hpp"
#include "remedies.hpp"
#include "text_table.hpp"
#include "values.hpp"

namespace mcr {
namespace {

using namespace status;

constexpr std::size_t columns = 80;
constexpr std::size_t most_memberships = 20;

struct Explanation {
  std::string_view reason;
  std::string_view text;
};

constexpr std::array explanations{
    Explanation{"not_ip",
                "not an IP packet, or its header says another version: look at the "
                "sender"},
    Explanation{"not_udp", "another protocol than UDP; only UDP is relayed"},
    Explanation{"truncated",
                "the kernel handed over less than the frame had: a superframe of an "
                "offloading sender on a kernel before 6.2; switch its segmentation "
                "offload, or GRO here, off"},
    Explanation{"bad_length",
                "lengths in the IP and UDP headers contradict each other: a broken "
                "sender or a damaged frame"},
    Explanation{"bad_checksum",
                "damaged on the way (checksum of UDP or of the IPv4 header), or IPv6 without a "
                "checksum: look at cabling, NIC and sender; relaying it would hide the damage"},
    Explanation{"fragment",
                "a piece of a fragmented datagram that the kernel did not put together: "
                "make the sender's datagrams fit the path's MTU"},
    Explanation{"own_source",
                "sent by this relay itself and come back: look for a loop behind the "
                "outputs"},
    Explanation{"source_denied",
                "the sender is not one of the input's sources: add it there if it "
                "is welcome"},
    Explanation{"ttl_expired",
                "the TTL ran out here: raise it at the sender, or set ttl on the "
                "output"},
    Explanation{"rate_limited",
                "above the output's own limit: raise max_pps or max_bps, or tame "
                "the sender"},
    Explanation{"send_queue_full",
                "more came than the egress took, and our queue before it was "
                "full: look at the link's speed, raise send_buffer in its "
                "[interface]"},
    Explanation{"egress_full",
                "the interface's queueing discipline dropped it: look at `tc -s "
                "qdisc`, the link's speed and its txqueuelen"},
    Explanation{"no_memory",
                "no buffer or kernel memory left: raise the limit of locked memory "
                "(RLIMIT_MEMLOCK), look for an output that stands still"},
    Explanation{"too_big",
                "larger than the egress can take: raise its MTU, or make the sender's "
                "datagrams smaller"},
    Explanation{"output_down",
                "the output's interface was missing, down or without a source "
                "address: look at `ip addr`"},
    Explanation{"send_error",
                "the kernel refused it for another reason (no route, a firewall): "
                "look at the log and `ip route get`"},
};
static_assert(explanations.size() == input_drop_names.size() + output_drop_names.size());

std::string explained(const std::vector<Drop>& drops) {
  std::string result;
  for (const auto& [reason, datagrams] : drops) {
    const auto* found = std::ranges::find(explanations, reason, &Explanation::reason);
    auto head = fmt::format("dropped {} {}", grouped(datagrams), reason);
    auto known = found != explanations.end();
    result += wrapped("    ! ", known ? fmt::format("{}: {}", head, found->text) : head, columns);
  }
  return result;
}

std::string sources_text(const Json& input) {
  std::string result;
  for (const auto& source : list(input, "sources")) {
    if (!source.is_string()) continue;
    result += (result.empty() ? " from " : ", ") + printable(source.get_ref<const std::string&>());
  }
  return result;
}

std::string kind_text(const Json& input) {
  auto vlan = text_or_nothing(input, "vlan");
  auto result = vlan.empty() ? "" : ", VLAN " + vlan;
  if (is_on(input, "local")) result += ", sent by this host";
  return result;
}

std::string membership_text(const Json& membership) {
  auto source = text_or_nothing(membership, "source");
  auto error = text_or_nothing(membership, "error");
  auto joined = is(membership, "state", "joined");
  return wrapped(joined ? "    " : "    ! ",
                 fmt::format("membership{} {}{}", source.empty() ? "" : " from " + source,
                             text(membership, "state"), error.empty() ? "" : ": " + error),
                 columns);
}

/// Of a block of groups only those that are not joined are told one by one.
std::string memberships_text(std::vector<Json> memberships) {
  std::string result;
  if (memberships.size() > most_memberships) {
    const auto all = memberships.size();
    std::erase_if(memberships, [](const Json& each) { return is(each, "state", "joined"); });
    result = fmt::format("    {} of {} memberships joined\n", grouped(all - memberships.size()),
                         grouped(all));
    if (memberships.size() > most_memberships) memberships.resize(most_memberships);
  }
  for (const auto& membership : memberships)
    result += membership_text(membership);
  return result;
}

std::string seen(const Json& rule) {
  auto age = last_seen(rule);
  return age == "never" || age == "-" ? age : age + " ago";
}

std::string inputs_part(const Json& status, const Json& rule) {
  std::string result = "\ninput\n";
  for (const auto& input : inputs(rule)) {
    result += wrapped("  ", place(input) + kind_text(input) + sources_text(input), columns);
    result += memberships_text(memberships(status, input));
  }
  auto source = text_or_nothing(rule, "last_source");
  result += wrapped(
      "  ",
      fmt::format("received {} datagrams, {} bytes; last one {}{}", grouped(rule, "rx_datagrams"),
                  grouped(rule, "rx_bytes"), seen(rule), source.empty() ? "" : " from " + source),
      columns);
  result += wrapped("  ",
                    fmt::format("now {} packets/s, {} bit/s", si(number(rule, "rate_pps")),
                                si(number(rule, "rate_bps"))),
                    columns);
  return result + explained(drops_in(at(rule, "drops")));
}

std::string limit_text(const Json& output) {
  auto pps = number(output, "max_pps");
  auto bps = number(output, "max_bps");
  if (!pps && !bps) return "";
  auto result = pps ? fmt::format("at most {} packets/s", si(pps)) : "at most";
  return bps ? fmt::format("{}{} {} bit/s", result, pps ? "," : "", si(bps)) : result;
}

/// A number, or a word.
std::string value_text(const Json& output, const char* key) {
  const auto& value = at(output, key);
  return value.is_number() ? grouped(output, key) : text_or_nothing(output, key);
}

/// How it is sent, besides where to.
std::string sending_text(const Json& output) {
  std::string result;
  const auto add = [&](std::string_view what, const std::string& value) {
    if (!value.empty()) result += fmt::format("{}{} {}", result.empty() ? "" : ", ", what, value);
  };
  add("ttl", value_text(output, "ttl"));
  const auto& dscp = at(output, "dscp");
  if (dscp != 0) {
    const auto name = dscp.is_number_integer() ? dscp_name(dscp.get<std::uint8_t>()) : "";
    add("dscp", name.empty() ? value_text(output, "dscp") : std::string(name));
  }
  add("source", text_or_nothing(output, "source"));
  if (at(output, "source_port").is_number_integer())
    add("source port", fmt::format("{}", at(output, "source_port").get<std::uint64_t>()));
  if (at(output, "loopback") == true) add("loopback", "on");
  return result;
}

std::string output_part(const Json& output) {
  auto state = text_or_nothing(output, "state");
  auto result =
      wrapped("  ", fmt::format("{}{}", place(output), state.empty() ? "" : ", " + state), columns);
  if (is(output, "state", "waiting")) {
    auto reason = text_or_nothing(output, "reason");
    result += wrapped(
        "    ! ",
        reason.empty() ? "its interface is missing, down or without a source address" : reason,
        columns);
  }
  if (auto limit = limit_text(output); !limit.empty()) result += wrapped("    ", limit, columns);
  if (const auto sending = sending_text(output); !sending.empty())
    result += wrapped("    ", sending, columns);
  auto drops = drops_in(at(output, "drops"));
  result += wrapped("    ",
                    fmt::format("{} matched = {} sent + {} dropped + {} in flight",
                                grouped(output, "matched"), grouped(output, "tx_datagrams"),
                                grouped(sum(drops)), grouped(output, "in_flight")),
                    columns);
  result += wrapped("    ",
                    fmt::format("{} bytes; {} zero-copy, {} copied", grouped(output, "tx_bytes"),
                                grouped(output, "zerocopy"), grouped(output, "copied")),
                    columns);
  return result + explained(drops);
}

std::string head_part(const Json& status, const Json& rule) {
  auto result =
      wrapped("", fmt::format("{}: {}", text(rule, "name"), text(rule, "state")), columns);
  auto comment = text_or_nothing(rule, "comment");
  if (!comment.empty()) result += wrapped("  ", comment, columns);
  auto reason = text_or_nothing(rule, "reason");
  if (!reason.empty()) result += wrapped("  ! ", reason, columns);
  if (is(rule, "state", "active")) {
    auto why = silence(unjoined(status), rule);
    if (!why.empty()) result += wrapped("  ! ", why, columns);
  }
  const auto steps = remedies(status, rule);
  if (!steps.empty()) result += "\nwhat to do\n";
  for (const auto& step : steps)
    result += wrapped("  - ", step, columns);
  return result;
}

}  // namespace

std::string render_rule(const nlohmann::json& status, std::string_view rule_name) {
  const auto& rules = list(status, "rules");
  auto rule =
      std::ranges::find_if(rules, [&](const Json& each) { return is(each, "name", rule_name); });
  if (rule == rules.end()) return fmt::format("no rule \"{}\"\n", printable(rule_name));
  auto result = head_part(status, *rule) + inputs_part(status, *rule);
  const auto& outputs = list(*rule, "outputs");
  if (!outputs.empty()) result += "\noutputs\n";
  for (const auto& output : outputs)
    result += output_part(output);
  return result;
}

}  // namespace mcr
