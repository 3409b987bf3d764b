// The daemon sends the blocks of a capture file (packet/pcapng.hpp) behind one line of JSON. Only
// whole blocks are written, so that a file is good whenever it ends.
#include "mcr/program/capture.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/dataplane/capture.hpp"
#include "mcr/packet/pcapng.hpp"
#include "mcr/program/control_socket.hpp"

namespace mcr {

namespace {

using Clock = std::chrono::steady_clock;

constexpr Patience patience{std::chrono::seconds{2}};
constexpr std::chrono::milliseconds look{200};  // how late the end of the time may be seen

struct Options {
  std::string rule;
  std::string socket{default_control_socket};
  std::string file;  ///< "-": standard output
  std::uint64_t count = 0;
  double seconds = 0;
  double before = 0;  ///< seconds
  std::uint32_t snap = CaptureWish::whole;
  bool in = false;
  bool out = false;
  bool drops = false;
};

std::atomic<bool> interrupted{false};

void end_at_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  for (const int signal : {SIGINT, SIGTERM})
    ::sigaction(signal, &action, nullptr);
}

/// Payloads may be confidential: a new file is its owner's.
UniqueFd open_file(const std::string& path) {
  constexpr int owner_only = 0600;
  UniqueFd file(path == "-"
                    ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                    : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, owner_only));
  if (!file.valid()) throw_errno("open", path);
  return file;
}

/// False: its reader has closed it.
bool write_all(Fd file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto count = ::write(file.get(), bytes.data(), bytes.size());
    if (count >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(count));
    else if (errno == EPIPE)
      return false;
    else if (errno != EINTR)
      throw_errno("write", path);
  }
  return true;
}

/// The whole blocks at the begin, up to the last datagram that is wanted; counts them.
std::size_t whole_blocks(std::string_view bytes, std::uint64_t most, std::uint64_t& datagrams) {
  std::size_t end = 0;
  while (most == 0 || datagrams < most) {
    const auto block = pcapng::first_block(bytes.substr(end));
    if (block.bytes == 0) break;
    end += block.bytes;
    if (block.type == pcapng::packet_block) ++datagrams;
  }
  return end;
}

nlohmann::json request_for(const Options& options) {
  const bool some = options.in || options.out || options.drops;
  return {{"command", "capture"},    {"rule", options.rule},   {"in", options.in || !some},
          {"out", options.out},      {"drops", options.drops}, {"snap", options.snap},
          {"before", options.before}};
}

void capture(const Options& options) {
  const auto path = options.file.empty() ? "-" : options.file;
  if (path == "-" && ::isatty(STDOUT_FILENO) != 0)
    throw Failure(ExitCode::usage,
                  "a capture is no text: -w FILE writes it, and `| tshark -i -` reads it live");
  if (options.before > 0 && !options.in && (options.out || options.drops))
    throw Failure(ExitCode::usage, "--before is about what arrives: add --in");
  DaemonStream stream(options.socket, request_for(options), patience);
  if (!stream.first().value("ok", false))
    throw Failure(static_cast<ExitCode>(
                      stream.first().value("exit", static_cast<int>(ExitCode::unavailable))),
                  stream.first().value("error", "the daemon does not capture"));
  const auto file = open_file(path);
  end_at_signals();
  const auto deadline = Clock::now() + std::chrono::duration<double>(options.seconds);
  std::uint64_t datagrams = 0;
  std::string bytes;
  bool going = true;
  while (going && !interrupted) {
    bytes += stream.bytes(look);
    const auto end = whole_blocks(bytes, options.count, datagrams);
    going = write_all(file, std::string_view(bytes).substr(0, end), path) &&
            (options.count == 0 || datagrams < options.count) &&
            (options.seconds == 0 || Clock::now() < deadline);
    bytes.erase(0, end);
  }
  fmt::print(stderr, "{} datagrams captured\n", datagrams);
}

}  // namespace

void add_capture_command(CLI::App& app, int& exit_code) {
  constexpr std::uint32_t least_snap = 64;  // the headers
  constexpr double longest = 1e6;
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "capture", "Write datagrams of a rule as a pcapng file, which Wireshark and tshark read");
  command->add_option("RULE", options->rule, "The rule")->required();
  command->add_flag("--in", options->in, "What arrives for it (without --out and --drops: this)");
  command->add_flag("--out", options->out, "The copies that the kernel has accepted");
  command->add_flag("--drops", options->drops,
                    "What it drops on the way in or out; the reason is the packet's comment");
  command->add_option("-w", options->file, "Write to this file; - (the default): standard output")
      ->type_name("FILE");
  command->add_option("--count", options->count, "End after N datagrams")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("N");
  command->add_option("--seconds", options->seconds, "End after S seconds")
      ->check(CLI::Range(0.001, longest))
      ->type_name("S");
  command
      ->add_option("--before", options->before,
                   "Begin with what arrived in the last S seconds, as far as the rule's "
                   "capture_before reaches")
      ->check(CLI::Range(0.001, longest))
      ->type_name("S");
  command->add_option("--snap", options->snap, "Keep at most N bytes of each, with its headers")
      ->check(CLI::Range(least_snap, CaptureWish::whole))
      ->type_name("N");
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->callback([options, &exit_code] {
    capture(*options);
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

}  // namespace mcr
