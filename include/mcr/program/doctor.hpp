// `mcr doctor`: is this host fit for that configuration?
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Registers the command. Run, it prints its findings and sets `exit_code` (0 without an error, 69
/// with one, 78 if the configuration is refused), which must outlive the parsing; throws OsError.
void add_doctor_command(CLI::App& app, int& exit_code);

}  // namespace mcr
