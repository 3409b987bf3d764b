// Several relays in one view: each is known by its overview (overview.hpp), or by why there is
// none.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace mcr::status {

/// A rule that somebody has to look at.
struct FleetTrouble {
  std::string rule;
  std::string state;
  std::string note;  ///< what is wrong
};

struct FleetRelay {
  std::string host;     ///< as the user named it
  std::string error{};  ///< not "": nothing else is known
  std::string version{};
  double uptime_s = 0;
  std::uint64_t rules = 0;
  std::map<std::string, std::uint64_t> states{};  ///< how many rules are in each; none is 0
  double rate_pps = 0;                            ///< of all rules, of the last second
  double rate_bps = 0;
  std::vector<FleetTrouble> troubled{};

  /// It answers, and every rule is active or disabled.
  [[nodiscard]] bool healthy() const;
};

/// Takes what any relay may say: what is no overview is an error.
[[nodiscard]] FleetRelay read_overview(std::string host, const nlohmann::json& document);

/// A line for each relay, then the troubled rules of all, the failed ones first. `columns` of the
/// terminal; 0: unknown.
[[nodiscard]] std::string render_fleet(const std::vector<FleetRelay>& relays, unsigned columns);
/// {"healthy","relays":[...],"troubled":[...]}
[[nodiscard]] nlohmann::json to_json(const std::vector<FleetRelay>& relays);

}  // namespace mcr::status
