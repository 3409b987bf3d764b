// The keys of an output: those that say where to, and those that say how, which `[defaults]` may
// have, too.
#include <algorithm>
#include <array>
#include <iterator>

#include "choice.hpp"
#include "keys.hpp"
#include "mcr/config/dscp.hpp"
#include "mcr/config/limits.hpp"
#include "raw_rule.hpp"
#include "reader.hpp"

namespace mcr {
namespace {

/// The keys of an output that say how to send, not where to. `[defaults]` may have them, too.
constexpr Key<RawOutput> default_keys[] = {
    {"ttl", [](const Value& v, RawOutput& o) { o.ttl.set(v.at(), v.ttl()); },
     shape::words({"preserve", "decrement"}, shape::integer(1, 255))},
    {"max_pps",
     [](const Value& v, RawOutput& o) { o.max_pps.set(v.at(), v.integer(1, limits::max_pps)); },
     shape::integer(1, limits::max_pps)},
    {"max_bps", [](const Value& v, RawOutput& o) { o.max_bps.set(v.at(), v.bit_rate()); },
     shape::bit_rate},
    {"dscp", [](const Value& v, RawOutput& o) { o.dscp.set(v.at(), v.dscp()); }, shape::dscp},
    {"source", [](const Value& v, RawOutput& o) { o.source.set(v.at(), v.source()); },
     shape::words({"interface", "preserve"}, shape::address)},
    {"source_port", [](const Value& v, RawOutput& o) { o.source_port.set(v.at(), v.port()); },
     shape::port},
    {"loopback", [](const Value& v, RawOutput& o) { o.loopback.set(v.at(), v.boolean()); },
     shape::boolean},
    {"segmentation",
     [](const Value& v, RawOutput& o) {
       o.segmentation.set(v.at(), read_choice(v, segmentation_choices));
     },
     shape::words(segmentation_choices)},
};

constexpr Choices<bool, 2> address_choices{{{"all", true}, {"one", false}}};

constexpr Key<RawOutput> destination_keys[] = {
    {"interface", [](const Value& v, RawOutput& o) { o.interface.set(v.at(), v.interface()); },
     shape::needed(shape::name)},
    {"group",
     [](const Value& v, RawOutput& o) {
       o.group.set(v.at(), v.groups("; a host is written as `address`"));
     },
     shape::block},
    {"address",
     [](const Value& v, RawOutput& o) {
       o.address.set(v.at(), v.host_or_broadcast("; a group is written as `group`"));
     },
     shape::host},
    {"host", [](const Value& v, RawOutput& o) { o.host.set(v.at(), v.host_name()); },
     shape::host_name},
    {"addresses",
     [](const Value& v, RawOutput& o) { o.addresses.set(v.at(), read_choice(v, address_choices)); },
     shape::words(address_choices)},
    {"port", [](const Value& v, RawOutput& o) { o.port.set(v.at(), v.ports()); }, shape::ports},
};

constexpr auto output_keys = [] {
  std::array<Key<RawOutput>, std::size(destination_keys) + std::size(default_keys)> all{};
  std::ranges::copy(default_keys, std::ranges::copy(destination_keys, all.begin()).out);
  return all;
}();

}  // namespace

std::optional<RawOutput> read_output(const Value& value) {
  const auto* table = value.table();
  if (table == nullptr) return std::nullopt;
  RawOutput output;
  output.at = value.at();
  read_keys<RawOutput>(*table, "an output", output_keys, output, value.at(), value.diagnostics());
  return output;
}

void read_default_keys(const toml::table& table, const Value& value, RawOutput& defaults) {
  read_keys<RawOutput>(table, "[defaults]", default_keys, defaults, value.at(),
                       value.diagnostics());
}

std::vector<KeyTable> output_key_tables() {
  return {key_table<RawOutput>("defaults", default_keys),
          key_table<RawOutput>("output", output_keys, {{{"group", "address", "host"}}})};
}

}  // namespace mcr
