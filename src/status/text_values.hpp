// The values of a Status as a person reads them: numbers with units, and texts that others wrote
// made fit for a terminal. "-" is what is unknown.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcr/config/destinations.hpp"
#include "mcr/status/status.hpp"

namespace mcr::status {

/// Escaped; "-" if empty.
[[nodiscard]] std::string shown(std::string_view text);
template <typename State>
[[nodiscard]] std::string shown(const std::optional<State>& state) {
  return std::string(state ? to_string(*state) : "-");
}

[[nodiscard]] std::string grouped(std::uint64_t number);  ///< "1,234,567"
[[nodiscard]] std::string grouped(const Count& count);
[[nodiscard]] std::string si(const std::optional<double>& number);  ///< "999", "12.3k", "1.20M"
[[nodiscard]] std::string size(const Count& bytes);                 ///< "64 MiB", "208 KiB"
[[nodiscard]] std::string duration(double seconds);  ///< "0.2s", "35s", "12m", "3h", "2d"
/// "1 rule", "2 rules"
[[nodiscard]] std::string plural(std::uint64_t n, std::string_view noun);
/// duration() since its last datagram; "never".
[[nodiscard]] std::string last_seen(const Rule& rule);

/// Those that happened, sorted by reason.
template <typename AnyDrops>
[[nodiscard]] std::vector<Drop> nonzero(const AnyDrops& drops);
/// "interface", "preserve", or the address: as the configuration says it.
[[nodiscard]] std::string source_text(const mcr::Source& source);
/// Drops for this reason are no loss: another input brought the datagram, or brings the stream, or
/// another relay carries it.
[[nodiscard]] bool is_usual(std::string_view reason);
/// The drops that are not is_usual().
[[nodiscard]] std::vector<Drop> unusual(std::vector<Drop> drops);
/// "12 bad_checksum, 3 fragment"
[[nodiscard]] std::string drops_text(const std::vector<Drop>& drops);
[[nodiscard]] std::uint64_t sum(const std::vector<Drop>& drops);

/// "239.1.1.1:5000", "[ff05::1]:5000"
[[nodiscard]] std::string destination_text(const Destinations& destinations);
[[nodiscard]] std::string destination_text(const Input& input);
/// Or "10.2.0.2:5000 (pods.example)", "pods.example:5000".
[[nodiscard]] std::string destination_text(const mcr::Output& output);
/// "239.1.1.1:5000 on eth0", of an Input or an mcr::Output.
[[nodiscard]] std::string place(const auto& endpoint) {
  return destination_text(endpoint) + " on " + shown(endpoint.interface);
}

/// The names by which rules call interfaces. Borrowed from the rules.
[[nodiscard]] std::set<std::string_view> names_in_use(const std::vector<Rule>& rules);

/// "a, b, c and 7 more": the first few of `all`.
[[nodiscard]] std::string names_text(const std::vector<std::string>& first, std::uint64_t all);

/// "joined", "waits for its interface"
[[nodiscard]] std::string in_words(const std::optional<MembershipState>& state);
/// The memberships that this input needs. Borrowed from the status.
[[nodiscard]] std::vector<const Membership*> memberships_for(const Status& status,
                                                             const Input& input);
/// Wanted, but not joined (one that is being left is not wanted).
[[nodiscard]] bool is_unjoined(const Membership& membership);
/// Memberships that are wanted and not joined, by interface and group: their state.
using Unjoined = std::map<std::pair<std::string, IpAddress>, std::string>;
[[nodiscard]] Unjoined unjoined(const Status& status);
/// Why a running rule shows nothing, and what to look at; "" if it has seen a datagram.
[[nodiscard]] std::string silence(const Unjoined& unjoined, const Rule& rule);

}  // namespace mcr::status
