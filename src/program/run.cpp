// The daemon: owns everything, and decides what happens when. One thread, the control thread, waits
// here for signals, network changes, control clients and the clock; the workers have the packets
// (worker.cpp), and the log has a thread that may wait for its reader (log_writer.cpp).
//
// A refusal at the start ends the program only if nothing could run without it, or if a
// person has to mend it anyway:
//
//   ends it         configuration, missing rights, io_uring and its memory, threads, a control
//                   socket that another daemon has, netlink, the relay's own source port
//   waits           the socket of an input or output (an occupied source_port, no memory for a ring
//                   of blocks, a filter), a join, the endpoint for metrics: tried again, with the
//                   reason in status or in the log, and everything else runs
//   goes without    UDP GRO, buffers of the size asked for, pinned CPUs, zero-copy: once in the log
//
// A reload refuses what would wait, if it is new: the person who asks for it is there. From the
// start on nothing ends the program: an error of one turn of the loop is logged, and packets flow
// on.
#include "mcr/program/run.hpp"

#include <linux/if_packet.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/book.hpp"
#include "mcr/control/event_watch.hpp"
#include "mcr/control/events.hpp"
#include "mcr/control/external_drops.hpp"
#include "mcr/control/relay.hpp"
#include "mcr/host/capabilities.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/host/memory_lock.hpp"
#include "mcr/host/netlink.hpp"
#include "mcr/host/softnet.hpp"
#include "mcr/program/control_socket.hpp"
#include "mcr/program/exit_code.hpp"
#include "mcr/program/metrics_server.hpp"
#include "mcr/program/process_metrics.hpp"
#include "mcr/program/rule_requests.hpp"
#include "mcr/program/service_manager.hpp"
#include "mcr/program/standby_file.hpp"
#include "mcr/rules/remedies.hpp"
#include "mcr/status/collect.hpp"
#include "mcr/status/digest.hpp"
#include "mcr/status/event.hpp"
#include "mcr/status/metrics.hpp"
#include "program.hpp"

namespace mcr {

namespace {

using nlohmann::json;

/// Asks at the start, also while every interface is missing: an operator who starts a relay reads
/// its error, nobody does when the interface comes at night.
void require_packet_sockets() {
  const UniqueFd probe(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (probe.valid()) return;
  if (errno == EPERM)
    throw Failure(ExitCode::permission,
                  "open packet socket: Operation not permitted; mcr run needs CAP_NET_RAW");
  throw_errno("open packet socket");
}

/// Before any thread starts: all of them inherit the mask.
UniqueFd block_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1})
    ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) throw_errno("create signalfd");
  return fd;
}

void unblock_signals() noexcept {
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

UniqueFd make_timer(std::chrono::seconds interval) {
  UniqueFd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd.valid()) throw_errno("create timerfd");
  const timespec every{interval.count(), 0};
  const itimerspec spec{every, every};
  ::timerfd_settime(fd.get(), 0, &spec, nullptr);
  return fd;
}

void read_timer(Fd timer) noexcept {
  std::uint64_t expirations = 0;
  [[maybe_unused]] const auto count = ::read(timer.get(), &expirations, sizeof expirations);
}

std::string refusal_line(const char* why, ExitCode exit_code) {
  return line_of({{"ok", false}, {"error", why}, {"exit", static_cast<int>(exit_code)}});
}

ConfigBook load_or_fail(const std::string& path) {
  ConfigBook book;
  const auto errors = book.read(path);
  if (errors.empty()) return book;
  std::string text;
  for (const auto& error : errors)
    text += (text.empty() ? "" : "\n") + error.str();
  if (::geteuid() == 0 && text.ends_with(errno_text(EACCES)))
    text += "; mcr run gives up root's right to read everybody's files";
  throw Failure(ExitCode::config, text);
}

}  // namespace

Program::Program(const Options& options)
    : options_(options),
      book_(load_or_fail(options.config)),
      config_(book_.config()),
      signals_(block_signals()),
      control_((require_packet_sockets(), options.socket)),
      timer_(make_timer(std::chrono::seconds(1))),
      relay_(config_.daemon, {.plain = options.plain}) {
  log::set_level(config_.daemon.log_level);
  start_metrics(config_.daemon.metrics);
  watch_standby_file(config_.daemon.standby);
  follow_standby_file();
  relay_.begin(config_, netlink_.snapshot(), Clock::now());
}

void Program::give_up_privileges() const {
  if (relay_.fast_path().runs())
    keep_only(fast_path_capabilities);
  else
    keep_only(relay_capabilities);
}

void Program::run() {
  relay_.start();
  events_.add({.time = std::chrono::system_clock::now(),
               .kind = EventKind::start,
               .reason = "mcr " MCR_VERSION});
  log::notice("mcr {} runs: rules={} config={} socket={}", MCR_VERSION,
              relay_.config().rules.size(), log::value(options_.config),
              log::value(options_.socket));
  if (!superframes_are_described())
    log::notice(
        "this kernel is older than Linux 6.2: UDP superframes cannot be read and count as "
        "truncated; whether zero-copy sends were copied after all is not told");
  if (memory_lock_ != MemoryLock::all)
    log::info("memory may be paged out: locked={} do=\"{}\"", to_string(memory_lock_),
              remedy(Trouble::memory_not_locked));
  say_summary();
  service_manager::ready();
  while (!stopping_) {
    const Fd metrics = metrics_ ? metrics_->fd() : Fd{};
    const Fd standby = standby_file_ ? standby_file_->fd() : Fd{};
    std::array<pollfd, 9> waits{{{signals_.get(), POLLIN, 0},
                                 {netlink_.fd().get(), POLLIN, 0},
                                 {control_.fd().get(), POLLIN, 0},
                                 {timer_.get(), POLLIN, 0},
                                 {metrics.get(), POLLIN, 0},
                                 {relay_.searches().fd().get(), POLLIN, 0},
                                 {relay_.join_news().get(), POLLIN, 0},
                                 {standby.get(), POLLIN, 0},
                                 {relay_.listener_news().get(), POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), poll_timeout()) < 0 && errno != EINTR)
      throw_errno("poll");
    if (waits[0].revents != 0) survive([&] { on_signal(); });
    if (waits[1].revents != 0) survive([&] { on_network_change(); });
    if (waits[2].revents != 0) survive([&] { serve(); });
    if (waits[3].revents != 0) survive([&] { on_timer(); });
    if (relay_.captures()) survive([&] { resume_captures(); });
    if (metrics_ && waits[4].revents != 0) survive([&] { serve_metrics(); });
    if (waits[5].revents != 0) survive([&] { relay_.searches().serve(Clock::now()); });
    if (waits[6].revents != 0) relay_.follow_join_news(Clock::now());
    if (waits[7].revents != 0) survive([&] { follow_standby_file(); });
    if (waits[8].revents != 0) relay_.look_who_listens(Clock::now());
    if (changes_due_ && Clock::now() >= changes_at_) survive([&] { take_over_changes(); });
    if (waits[1].revents != 0 || waits[3].revents != 0 || relay_.generation() != looked_at_ ||
        events_.last_id() != told_events_)
      look_for_events();
  }
  service_manager::stopping();
  relay_.stop();
  log::write_held(true);
  log::answer("stopped after {} s: {}",
              std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started_).count(),
              read_totals());
}

void Program::serve() {
  const auto handle = [this](const json& request) -> ControlServer::Reply {
    try {
      return on_request(request);
    } catch (const Failure& failure) {
      return refusal_line(failure.what(), failure.exit_code());
    } catch (const OsError& error) {
      return refusal_line(error.what(), exit_code_of(error));
    } catch (const std::exception& error) {
      return line_of({{"ok", false}, {"error", error.what()}});
    }
  };
  std::optional<Status> now;
  control_.serve(handle, {.status = [&]() -> const Status& {
                            take_over_due_changes();
                            return now.emplace(status());
                          },
                          .metrics = [this] { return metrics(); },
                          .events = &events_,
                          .rule =
                              [this](const json& request) {
                                return change_rules(answer_rule_request(book_, request));
                              },
                          .host_names = {},
                          .trusted = true});
}

std::string Program::metrics() {
  return status::render_metrics(status()) + process_metrics();
}

void Program::serve_metrics() {
  auto names = relay_.config().daemon.metrics_hosts;
  names.push_back(host_name());
  metrics_->serve({.status = [this]() -> const Status& { return recent_status(); },
                   .metrics = [this] { return metrics(); },
                   .events = &events_,
                   .host_names = names});
}

/// However many pages look on, the relay is asked twice a second at most.
const Status& Program::recent_status() {
  constexpr auto recent = std::chrono::milliseconds(500);
  if (!recent_status_ || Clock::now() - recent_status_at_ > recent) {
    recent_status_ = status();
    recent_status_at_ = Clock::now();
  }
  return *recent_status_;
}

/// Null if none is wanted or the running one can stay.
std::unique_ptr<MetricsServer> Program::new_metrics_server(
    const std::optional<Endpoint>& wanted) const {
  if (!wanted || (metrics_ && metrics_->endpoint() == *wanted)) return nullptr;
  return std::make_unique<MetricsServer>(*wanted, metrics_.get());
}

void Program::start_metrics(const std::optional<Endpoint>& wanted) {
  try {
    metrics_ = new_metrics_server(wanted);
    if (metrics_due_) log::notice("metrics after all: endpoint={}", *wanted);
    metrics_due_.reset();
  } catch (const OsError& error) {
    if (!metrics_due_) log::error("no metrics, trying again: reason={}", log::value(error.what()));
    metrics_due_ = wanted;
    metrics_refusal_ = {error.what(), error.code()};
  }
}

void Program::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP)
      reload();
    else if (info.ssi_signo == SIGUSR1)
      log::answer("totals: {}", read_totals());
    else
      stopping_ = true;
  }
}

void Program::on_network_change() {
  interfaces_due_ = netlink_.drain() || interfaces_due_;
  if (interfaces_due_) follow_interfaces();
}

void Program::follow_interfaces() {
  interfaces_due_ = true;
  try {
    relay_.follow(netlink_.snapshot(), Clock::now());
    interfaces_due_ = false;
  } catch (const std::exception& error) {
    log::error("follow a change of interfaces: {}; trying again", error.what());
  }
}

void Program::watch_standby_file(const std::string& path) {
  if (standby_file_ && standby_file_->path() == path) return;
  standby_file_.reset();
  if (!path.empty()) standby_file_.emplace(path);
}

void Program::follow_standby_file() {
  relay_.stand_by(standby_file_ && standby_file_->exists(), Clock::now());
}

json Program::stand_by(bool standby) {
  if (!standby_file_)
    return {{"ok", false}, {"error", "the configuration names no file: [daemon] standby"}};
  standby_file_->put(standby);
  follow_standby_file();
  return {{"ok", true}};
}

void Program::on_timer() {
  read_timer(timer_);
  survive([this] { relay_.tick(Clock::now()); });
  survive([this] { follow_standby_file(); });  // its folder may have been made anew
  survive([this] { report_external_drops(); });
  log::write_held();
  if (relay_.progresses()) service_manager::feed_watchdog();
  say_summary();
  control_.expire(Clock::now());
  if (metrics_) metrics_->expire(Clock::now());
  if (Clock::now() - recent_status_at_ > std::chrono::seconds(10)) recent_status_.reset();
  if (interfaces_due_) follow_interfaces();
  if (metrics_due_) start_metrics(metrics_due_);
}

/// Every few seconds: asking for all links costs more the more there are.
void Program::report_external_drops() {
  constexpr auto pause = std::chrono::seconds(5);
  if (Clock::now() - external_drops_reported_at_ < pause) return;
  external_drops_reported_at_ = Clock::now();
  auto counts = relay_.external_drops(links());
  counts.push_back({"", DropPlace::backlog, read_softnet().dropped});
  event_watch_.look_at_losses(counts, Clock::now(), events_);
  for (const auto& line : external_drops_.report(counts, Clock::now()))
    log::warning("{}", line);
}

/// Tells the service manager, if there is something new.
void Program::say_summary() {
  auto summary = relay_.summary();
  if (summary == said_) return;
  service_manager::say(summary);
  said_ = std::move(summary);
}

/// The statistics of all links; where the kernel refuses them, those read before.
const std::vector<LinkStats>& Program::links() {
  survive([this] { links_ = netlink_.stats(); });
  return links_;
}

Status Program::status() {
  return status::collect(relay_, about_process(), links(), Clock::now());
}

std::string Program::read_totals() {
  relay_.read_kernel_counters();
  return relay_.totals().str();
}

status::Process Program::about_process() const {
  const auto softnet = read_softnet();
  const auto& shard = relay_.config().daemon.shard;
  return {.version = MCR_VERSION,
          .pid = ::getpid(),
          .uptime_s = std::chrono::duration<double>(Clock::now() - started_).count(),
          .generation = generation_,
          .config = options_.config,
          .shard = shard ? fmt::format("{}/{}", shard->number, shard->of) : "",
          .rules_elsewhere = relay_.config().elsewhere,
          .memory_locked = std::string(to_string(memory_lock_)),
          .standby = !standby_file_       ? ""
                     : relay_.stands_by() ? "on"
                                          : "off",
          .metrics_refusal = metrics_due_ ? metrics_refusal_ : Reason(),
          .softnet_dropped = softnet.dropped - softnet_before_.dropped,
          .softnet_squeezed = softnet.squeezed - softnet_before_.squeezed};
}

namespace {

void run(const Program::Options& options) try {
  raise_limits();
  keep_only(setup_capabilities);  // before all else: what starts can reload, too
  log::Background background;
  Program program(options);
  program.give_up_privileges();  // before there are threads: each takes those of its maker
  background.start();
  program.run();
} catch (...) {
  // main() writes the failure to a stderr that perhaps nobody reads: let signals end that.
  unblock_signals();
  throw;
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Program::Options>();
  CLI::App* command = app.add_subcommand("run", "Run the relay in the foreground, logs on stderr");
  command->add_option("-c,--config", options->config, "Main configuration file")
      ->capture_default_str();
  command->add_option("--socket", options->socket, "Control socket")->capture_default_str();
  command->add_flag("--plain", options->plain,
                    "Send each datagram alone and copied: a baseline for measurements");
  command->footer("SIGTERM, SIGINT: stop. SIGHUP: reload. SIGUSR1: totals to the log.");
  command->callback([options, &exit_code] {
    run(*options);
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

}  // namespace mcr
