// `mcr sink`: receives streams of test datagrams (test_datagram.hpp) and judges them.
#pragma once

namespace CLI {
class App;
}

namespace mcr {

/// Registers the command. Run, it writes a line with "sink: ready" to stderr once every group is
/// joined and the socket listens, blocks until its count, its duration or a signal ends it, prints
/// the result on stdout and sets `exit_code`; throws OsError and Failure. `exit_code` must outlive
/// the parsing.
void add_sink_command(CLI::App& app, int& exit_code);

}  // namespace mcr
