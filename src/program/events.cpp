// The relay keeps no more of a reader than its place among the events, and tells it as a gap what
// it was too slow for. So a program that is run for each event (--exec) may take its time.
#include "mcr/program/events.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/base/output.hpp"
#include "mcr/program/control_socket.hpp"
#include "mcr/status/event.hpp"

namespace mcr {

namespace {

using nlohmann::json;

constexpr Patience patience{std::chrono::seconds{2}};

struct Options {
  std::string socket{default_control_socket};
  std::string program;
  std::optional<std::uint64_t> since;
  std::uint64_t count = 0;  ///< 0: without end
  bool as_json = false;
};

/// MCR_EVENT_RULE=studio-a, for each key of the event, beside what we have.
std::vector<std::string> environment_of(const json& event) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with("MCR_EVENT_")) variables.emplace_back(*variable);
  for (const auto& [key, value] : event.items()) {
    std::string name = "MCR_EVENT_";
    for (const char letter : key)
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    const auto text = value.is_string() ? value.get<std::string>() : value.dump();
    variables.push_back(name + '=' + text.substr(0, text.find('\0')));
  }
  return variables;
}

/// A file in memory that holds the line, at its beginning.
UniqueFd file_with(const std::string& line) {
  UniqueFd file(::memfd_create("event", MFD_CLOEXEC));
  if (!file.valid()) throw_errno("make a file for", "an event");
  if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0)
    throw_errno("write", "an event");
  return file;
}

/// The program in a process of its own, with `file` as its standard input. Throws OsError.
pid_t start(const std::string& program, Fd file, const json& event) {
  auto variables = environment_of(event);
  std::vector<char*> environment;
  for (auto& variable : variables)
    environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string name = program;
  char* const arguments[] = {name.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, file.get(), STDIN_FILENO);
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;  // we ignore SIGPIPE, and no program expects that
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, program.c_str(), &actions, &attributes, arguments, environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw OsError(error, "run", program);
  return child;
}

/// A program that never ends holds up all that happens later: that is told, once.
void tell_if_it_hangs(pid_t child, const std::string& program, std::uint64_t id) {
  constexpr std::chrono::milliseconds long_time{5000};
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd end{process.get(), POLLIN, 0};
  if (process.valid() && ::poll(&end, 1, static_cast<int>(long_time.count())) == 0)
    fmt::print(stderr, "mcr: {} has run for {} s, and later events wait for its end: event={}\n",
               program, long_time / std::chrono::seconds(1), id);
}

/// Waits for its end. A program that fails is told of, and the next event comes all the same.
void run_program(const std::string& program, const json& event) {
  const auto child = start(program, file_with(line_of(event)), event);
  const auto id = event.value("id", std::uint64_t{0});
  tell_if_it_hangs(child, program, id);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw_errno("wait for", program);
  if (WIFSIGNALED(status))
    fmt::print(stderr, "mcr: {} was ended by signal {}: event={}\n", program, WTERMSIG(status), id);
  else if (WEXITSTATUS(status) != 0)
    fmt::print(stderr, "mcr: {} exited {}: event={}\n", program, WEXITSTATUS(status), id);
}

void tell(const Options& options, const json& event) {
  if (!options.program.empty())
    run_program(options.program, event);
  else
    write_output(options.as_json ? line_of(event) : status::render_event(event));
}

void follow(const Options& options) {
  json request = {{"command", "events"}};
  if (options.since) request["since"] = *options.since;
  DaemonStream stream(options.socket, request, patience);
  if (!stream.first().value("ok", false))
    throw Failure(ExitCode::unavailable,
                  fmt::format("the daemon at {} tells no events: {}", options.socket,
                              stream.first().value("error", "")));
  for (std::uint64_t told = 0; options.count == 0 || told < options.count; ++told)
    tell(options, stream.next());
}

}  // namespace

void add_events_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("events", "Tell what happens in the running relay, as it happens");
  command->add_flag("--json", options->as_json, "Each event as a JSON object on a line");
  command
      ->add_option("--since", options->since,
                   "Begin after the event with this id; 0: with all that the relay still knows")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("ID");
  command->add_option("--count", options->count, "End after N events")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("N");
  command
      ->add_option("--exec", options->program,
                   "Run this program for each event, one at a time, without a shell: the event is "
                   "on its standard input, and in MCR_EVENT_*")
      ->type_name("PROGRAM")
      ->excludes("--json");
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    follow(*options);
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

}  // namespace mcr
