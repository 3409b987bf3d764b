// A word on the command line that no command takes: says so, and what was probably meant.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace mcr {

/// After CLI::ExtrasError: "there is no command statsu; did you mean mcr status?"
[[nodiscard]] std::string describe_unknown_word(const CLI::App& app);

}  // namespace mcr
