// `mcr capture`: datagrams of a rule as a capture file, live.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Registers the command. Run, it ends after as many datagrams or seconds as were asked for, at
/// SIGINT or SIGTERM, when its reader closes the pipe, or when the daemon goes (Failure,
/// unavailable). `exit_code` must outlive the parsing.
void add_capture_command(CLI::App& app, int& exit_code);

}  // namespace mcr
