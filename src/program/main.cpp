#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>

#include "mcr/base/error.hpp"
#include "mcr/program/check.hpp"
#include "mcr/program/client.hpp"
#include "mcr/program/doctor.hpp"
#include "mcr/program/run.hpp"
#include "mcr/traffic/gen.hpp"
#include "mcr/traffic/sink.hpp"

namespace {

/// A mistake in the configuration speaks for itself: FILE:LINE:COL: message.
int fail(mcr::ExitCode code, const char* message) {
  fmt::print(stderr, "{}{}\n", code == mcr::ExitCode::config ? "" : "mcr: ", message);
  return static_cast<int>(code);
}

int parse(CLI::App& app, int argc, char** argv, const int& exit_code) {
  try {
    app.parse(argc, argv);
    if (!app.get_subcommands().empty()) return exit_code;
    fmt::print(stderr, "{}", app.help());
    return static_cast<int>(mcr::ExitCode::usage);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(mcr::ExitCode::usage);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A multicast relay: takes UDP off an interface and republishes it on others");
  app.name("mcr");
  app.set_version_flag("--version", "mcr " MCR_VERSION);
  app.require_subcommand(0, 1);
  int exit_code = 0;
  mcr::add_run_command(app, exit_code);
  mcr::add_check_command(app, exit_code);
  mcr::add_reload_command(app, exit_code);
  mcr::add_status_command(app, exit_code);
  mcr::add_doctor_command(app, exit_code);
  mcr::add_gen_command(app, exit_code);
  mcr::add_sink_command(app, exit_code);
  try {
    return parse(app, argc, argv, exit_code);
  } catch (const mcr::Failure& failure) {
    return fail(failure.exit_code(), failure.what());
  } catch (const mcr::OsError& error) {
    const bool forbidden = error.code() == EACCES || error.code() == EPERM;
    return fail(forbidden ? mcr::ExitCode::permission : mcr::ExitCode::os, error.what());
  } catch (const std::exception& error) {
    return fail(mcr::ExitCode::os, error.what());
  }
}
