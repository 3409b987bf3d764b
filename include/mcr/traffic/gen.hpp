// `mcr gen`: sends streams of test datagrams (test_datagram.hpp) for `mcr sink` to judge.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Registers the command. Run, it blocks until its count, its duration or a signal ends it, prints
/// the totals on stdout and sets `exit_code`; throws OsError and Failure. `exit_code` must outlive
/// the parsing.
void add_gen_command(CLI::App& app, int& exit_code);

}  // namespace mcr
