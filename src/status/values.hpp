// The values of a status as a person reads them: access that forgives whatever is missing, and
// numbers with units.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcr::status {

using Json = nlohmann::json;

/// The value of a key; null where there is none, or `object` is not one.
[[nodiscard]] const Json& at(const Json& object, const char* key);
/// The array of a key; an empty one where there is none.
[[nodiscard]] const Json& list(const Json& object, const char* key);
/// A number, negative ones as 0.
[[nodiscard]] std::optional<double> number(const Json& object, const char* key);
[[nodiscard]] std::optional<std::uint64_t> counter(const Json& object, const char* key);
[[nodiscard]] std::uint64_t count(const Json& object, const char* key);  ///< 0 if missing
/// Printable: strings escaped, numbers, on/off; "-" if missing.
[[nodiscard]] std::string text(const Json& object, const char* key);
/// As text(), but "" if missing.
[[nodiscard]] std::string text_or_nothing(const Json& object, const char* key);
/// Whether a key is true.
[[nodiscard]] bool is_on(const Json& object, const char* key);
/// Whether the string of a key is exactly this.
[[nodiscard]] bool is(const Json& object, const char* key, std::string_view value);

/// Of one output or rule.
struct Drop {
  std::string reason;
  std::uint64_t datagrams = 0;
};
/// The nonzero ones of an object {REASON: n}.
[[nodiscard]] std::vector<Drop> drops_in(const Json& drops);
/// "12 bad_checksum, 3 fragment"
[[nodiscard]] std::string drops_text(const std::vector<Drop>& drops);
[[nodiscard]] std::uint64_t sum(const std::vector<Drop>& drops);

/// "239.1.1.1:5000 on eth0", of an input, an output or a membership.
[[nodiscard]] std::string place(const Json& endpoint);
/// Its `group` or `address`.
[[nodiscard]] std::string address(const Json& endpoint);
/// "239.1.1.1:5000", "[ff05::1]:5000"
[[nodiscard]] std::string endpoint(const Json& endpoint);
/// `inputs`, or `input` alone.
[[nodiscard]] std::vector<Json> inputs(const Json& rule);
/// Groups of the membership that this input needs.
[[nodiscard]] std::vector<Json> memberships(const Json& status, const Json& input);

[[nodiscard]] std::string grouped(std::uint64_t number);                 ///< "1,234,567"
[[nodiscard]] std::string grouped(const Json& object, const char* key);  ///< "-" if missing
[[nodiscard]] std::string si(std::optional<double> number);          ///< "999", "12.3k", "1.20M"
[[nodiscard]] std::string size(std::optional<std::uint64_t> bytes);  ///< "64 MiB", "208 KiB"
[[nodiscard]] std::string duration(double seconds);                  ///< "0.2s", "35s", "12m", "3h"
/// duration() since last_seen_s; "never".
[[nodiscard]] std::string last_seen(const Json& rule);
/// "1 rule", "2 rules"
[[nodiscard]] std::string plural(std::uint64_t n, std::string_view noun);

/// Wanted, but not joined (one that is being left is not wanted).
[[nodiscard]] bool is_unjoined(const Json& membership);
/// Memberships that are wanted and not joined, by interface and group: their state.
using Unjoined = std::map<std::pair<std::string, std::string>, std::string>;
[[nodiscard]] Unjoined unjoined(const Json& status);
/// Why a running rule shows nothing, and what to look at; "" if it has seen a datagram.
[[nodiscard]] std::string silence(const Unjoined& unjoined, const Json& rule);

}  // namespace mcr::status
