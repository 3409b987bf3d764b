// Parts of a rule as a person types them at a command, "interface=eth0,group=239.1.1.1,port=5000".
// A value is read as its key takes it: 5000 is a number where a port is meant, and a text in a
// comment. One value stands for a list of one; [a,b] is a list, {k=v} a table, "..." a TOML string.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace mcr {

/// An object of these keys. `table` names them: "input" or "output". A key that is not known is
/// taken, too: who checks the rule says what it might have meant. Throws Failure (usage).
[[nodiscard]] nlohmann::json read_words(std::string_view words, std::string_view table);

/// KEY=VALUE of a rule; "expect.min_pps=100" is a key in a table. The rest of a text value may hold
/// commas.
struct Setting {
  std::vector<std::string> path;  ///< at least one key
  nlohmann::json value;
};
/// Throws Failure (usage).
[[nodiscard]] Setting read_setting(std::string_view words);

/// "expect.min_pps" as its keys. Throws Failure (usage).
[[nodiscard]] std::vector<std::string> read_key_path(std::string_view key);

}  // namespace mcr
