// `mcr events`: what happens in the running relay, as it happens.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Registers the command. Run, it ends after as many events as were asked for, when the daemon goes
/// (Failure, unavailable), or never. `exit_code` must outlive the parsing.
void add_events_command(CLI::App& app, int& exit_code);

}  // namespace mcr
