// `mcr check`: is this configuration good? Needs no privileges and opens no sockets.
#pragma once

#include <CLI/App.hpp>

namespace mcr {

/// Adds the subcommand; when it runs it prints its findings and sets `exit_code` (sysexits(3): 0 or
/// 78), which is borrowed for as long as `app` lives.
void add_check_command(CLI::App& app, int& exit_code);

}  // namespace mcr
