#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>

#include "mcr/base/error.hpp"
#include "mcr/base/output.hpp"
#include "mcr/program/capture.hpp"
#include "mcr/program/check.hpp"
#include "mcr/program/client.hpp"
#include "mcr/program/doctor.hpp"
#include "mcr/program/events.hpp"
#include "mcr/program/exit_code.hpp"
#include "mcr/program/import.hpp"
#include "mcr/program/rule_commands.hpp"
#include "mcr/program/run.hpp"
#include "mcr/program/unknown_word.hpp"
#include "mcr/traffic/gen.hpp"
#include "mcr/traffic/sink.hpp"

namespace {

/// The last word: if standard error takes no text, the exit code has to tell.
void print_error(const std::string& text) {
  std::fputs(text.c_str(), stderr);
}

/// A mistake in the configuration speaks for itself: FILE:LINE:COL: message.
int fail(mcr::ExitCode code, const char* message) {
  print_error(fmt::format("{}{}\n", code == mcr::ExitCode::config ? "" : "mcr: ", message));
  return static_cast<int>(code);
}

/// CLI11 ends --help and --version with an exception, too, and would not notice a full disk.
int end_parsing(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream out;
  std::ostringstream err;
  const int result = app.exit(error, out, err);
  mcr::write_output(out.str());
  print_error(err.str());
  return result == 0 ? 0 : static_cast<int>(mcr::ExitCode::usage);
}

int parse(CLI::App& app, int argc, char** argv, const int& exit_code) {
  try {
    app.parse(argc, argv);
    if (!app.get_subcommands().empty()) return exit_code;
    print_error(app.help());
    return static_cast<int>(mcr::ExitCode::usage);
  } catch (const CLI::ExtrasError&) {
    return fail(mcr::ExitCode::usage, mcr::describe_unknown_word(app).c_str());
  } catch (const CLI::RequiredError& error) {
    // A mistyped option is missing, too: the mistake is the word, not its absence.
    if (app.remaining(true).empty()) return end_parsing(app, error);
    return fail(mcr::ExitCode::usage, mcr::describe_unknown_word(app).c_str());
  } catch (const CLI::ParseError& error) {
    return end_parsing(app, error);
  }
}

int run(int argc, char** argv) {
  CLI::App app("A multicast relay: takes UDP off an interface and republishes it on others");
  app.name("mcr");
  app.set_version_flag("--version", "mcr " MCR_VERSION);
  app.require_subcommand(0, 1);
  int exit_code = 0;
  mcr::add_run_command(app, exit_code);
  mcr::add_check_command(app, exit_code);
  mcr::add_reload_command(app, exit_code);
  mcr::add_rule_command(app, exit_code);
  mcr::add_apply_command(app, exit_code);
  mcr::add_status_command(app, exit_code);
  mcr::add_inspect_command(app, exit_code);
  mcr::add_switch_command(app, exit_code);
  mcr::add_standby_command(app, exit_code);
  mcr::add_capture_command(app, exit_code);
  mcr::add_events_command(app, exit_code);
  mcr::add_import_command(app, exit_code);
  mcr::add_doctor_command(app, exit_code);
  mcr::add_gen_command(app, exit_code);
  mcr::add_sink_command(app, exit_code);
  return parse(app, argc, argv, exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    mcr::occupy_standard_descriptors();
    ::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write
    return run(argc, argv);
  } catch (const mcr::Failure& failure) {
    return fail(failure.exit_code(), failure.what());
  } catch (const mcr::OsError& error) {
    return fail(mcr::exit_code_of(error), error.what());
  } catch (const std::exception& error) {
    return fail(mcr::ExitCode::os, error.what());
  }
}
