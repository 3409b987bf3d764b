// `mcr rule` and `mcr apply`: rules added, changed and removed while the relay runs.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Each registers its command; run, it asks the daemon, prints the difference, and sets
/// `exit_code`, which must outlive the parsing. Throws Failure (unavailable) when no daemon
/// answers.
void add_rule_command(CLI::App& app, int& exit_code);
void add_apply_command(CLI::App& app, int& exit_code);

}  // namespace mcr
