// `mcr run`: the daemon.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Registers the command. Run, it blocks until SIGTERM or SIGINT and sets `exit_code`; throws
/// OsError and Failure. `exit_code` must outlive the parsing.
void add_run_command(CLI::App& app, int& exit_code);

}  // namespace mcr
