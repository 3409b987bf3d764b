// `mcr status`, `mcr inspect`, `mcr switch` and `mcr reload`: the commands that ask the running
// daemon.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Each registers its command; run, it prints the answer and sets `exit_code`, which must outlive
/// the parsing; throws Failure (unavailable) when no daemon answers.
void add_status_command(CLI::App& app, int& exit_code);
void add_reload_command(CLI::App& app, int& exit_code);
/// Puts an input on air by hand.
void add_switch_command(CLI::App& app, int& exit_code);
/// Lets this one of a pair of hosts send or not.
void add_standby_command(CLI::App& app, int& exit_code);
/// The streams of one rule.
void add_inspect_command(CLI::App& app, int& exit_code);

}  // namespace mcr
