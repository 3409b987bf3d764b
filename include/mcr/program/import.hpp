// `mcr import`: the configuration of another program as rules of MCR.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Registers the command. Run, it prints the rules, tells on standard error what it did not take
/// over, and sets `exit_code`, which must outlive the parsing. Throws OsError, Failure.
void add_import_command(CLI::App& app, int& exit_code);

}  // namespace mcr
