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

namespace mcr {

namespace {

using nlohmann::json;

/// Between two looks at the rings of captures, while there are any; and how often one of them is
/// asked at each look, so that a torrent does not hold up the rest.
constexpr std::chrono::milliseconds capture_pause{20};
constexpr int capture_turns = 4;

struct Options {
  std::string config = "/etc/mcr/mcr.toml";
  std::string socket{default_control_socket};
  bool plain = false;
};

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

void set_interval(Fd timer, std::chrono::milliseconds interval) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(interval);
  const timespec every{seconds.count(), std::chrono::nanoseconds(interval - seconds).count()};
  const itimerspec spec{every, every};
  ::timerfd_settime(timer.get(), 0, &spec, nullptr);
}

/// 0: it never expires.
UniqueFd make_timer(std::chrono::milliseconds interval) {
  UniqueFd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd.valid()) throw_errno("create timerfd");
  set_interval(fd, interval);
  return fd;
}

void read_timer(Fd timer) noexcept {
  std::uint64_t expirations = 0;
  [[maybe_unused]] const auto count = ::read(timer.get(), &expirations, sizeof expirations);
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

/// Packets flow whatever goes wrong here.
template <typename Action>
void survive(Action&& action) {
  try {
    action();
  } catch (const std::exception& error) {
    log::error("{}", error.what());
  }
}

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options),
        book_(load_or_fail(options.config)),
        config_(book_.config()),
        signals_(block_signals()),
        control_((require_packet_sockets(), options.socket)),
        timer_(make_timer(std::chrono::seconds(1))),
        input_timer_(make_timer({})),
        relay_(config_.daemon, {.plain = options.plain}) {
    log::set_level(config_.daemon.log_level);
    start_metrics(config_.daemon.metrics);
    watch_standby_file(config_.daemon.standby);
    follow_standby_file();
    relay_.begin(config_, netlink_.snapshot(), Clock::now());
  }

  /// All that is for set-up alone.
  void give_up_privileges() const {
    if (relay_.fast_path().runs())
      keep_only(fast_path_capabilities);
    else
      keep_only(relay_capabilities);
  }
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  void serve();
  void on_signal();
  void on_network_change();
  void on_timer();
  ControlServer::Reply on_request(const json& request);
  ControlServer::Reply stream_capture(const json& request);
  void resume_captures();
  ControlServer::Reply stream_events(const json& request);
  void look_for_events();
  void time_input_looks() noexcept;
  void look_at_inputs();
  void watch_standby_file(const std::string& path);
  void follow_standby_file();
  json stand_by(bool standby);
  json reload();
  json switch_input(const json& request);
  json take_over_config();
  json change_rules(const RuleAnswer& answer);
  void take_over_changes();
  [[nodiscard]] int poll_timeout() const;
  void tell_reload(const json& answer);
  void say_summary();
  const std::vector<LinkStats>& links();
  Status status();
  const Status& recent_status();
  std::string metrics();
  status::Process about_process() const;
  [[nodiscard]] std::unique_ptr<MetricsServer> new_metrics_server(
      const std::optional<Endpoint>& wanted) const;
  void start_metrics(const std::optional<Endpoint>& wanted);
  void serve_metrics();
  void follow_interfaces();
  void report_external_drops();
  std::string read_totals();

  const Options options_;
  ConfigBook book_;      ///< the files, as last read and changed
  const Config config_;  ///< as it was at the start; the relay knows today's
  UniqueFd signals_;
  ControlServer control_;
  Netlink netlink_;
  UniqueFd timer_;
  std::optional<StandbyFile> standby_file_;
  UniqueFd input_timer_;  ///< expires only while has_failover_
  bool has_failover_ = false;
  Relay relay_;
  std::unique_ptr<MetricsServer> metrics_;  ///< null: none
  std::optional<Endpoint> metrics_due_;     ///< refused so far; then there are none
  std::vector<LinkStats> links_;            ///< as last read
  std::optional<Status> recent_status_;     ///< for pages that look on; let go after a while
  Clock::time_point recent_status_at_;
  ExternalDrops external_drops_;
  Clock::time_point external_drops_reported_at_;
  const Softnet softnet_before_ = read_softnet();
  Clock::time_point started_ = Clock::now();
  std::uint64_t generation_ = 1;  ///< of the configuration: grows with each successful reload
  std::string said_;              ///< to the service manager
  Clock::time_point captures_resumed_at_;
  const MemoryLock memory_lock_ = lock_memory();  ///< of all that was made before
  EventRing events_{
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count())};
  EventWatch event_watch_;
  std::uint64_t told_events_ = 0;  ///< the last event that the streams were told of
  std::uint64_t looked_at_ = 0;    ///< the relay's generation() when events were last looked for
  std::optional<ConfigDifference> changes_due_;  ///< of rules, that the relay has not taken over
  Clock::time_point changes_at_;                 ///< when it takes over the next ones
  bool stopping_ = false;
  bool interfaces_due_ = false;  ///< the last change could not be followed; try again
};

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
    time_input_looks();
    const Fd standby = standby_file_ ? standby_file_->fd() : Fd{};
    std::array<pollfd, 8> waits{{{signals_.get(), POLLIN, 0},
                                 {netlink_.fd().get(), POLLIN, 0},
                                 {control_.fd().get(), POLLIN, 0},
                                 {timer_.get(), POLLIN, 0},
                                 {metrics.get(), POLLIN, 0},
                                 {relay_.searches().fd().get(), POLLIN, 0},
                                 {input_timer_.get(), POLLIN, 0},
                                 {standby.get(), POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), poll_timeout()) < 0 && errno != EINTR)
      throw_errno("poll");
    if (waits[0].revents != 0) survive([&] { on_signal(); });
    if (waits[1].revents != 0) survive([&] { on_network_change(); });
    if (waits[2].revents != 0) survive([&] { serve(); });
    if (waits[3].revents != 0) survive([&] { on_timer(); });
    if (relay_.captures()) survive([&] { resume_captures(); });
    if (metrics_ && waits[4].revents != 0) survive([&] { serve_metrics(); });
    if (waits[5].revents != 0) survive([&] { relay_.searches().serve(Clock::now()); });
    if (waits[6].revents != 0) survive([&] { look_at_inputs(); });
    if (waits[7].revents != 0) survive([&] { follow_standby_file(); });
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
      return line_of({{"ok", false},
                      {"error", failure.what()},
                      {"exit", static_cast<int>(failure.exit_code())}});
    } catch (const std::exception& error) {
      return line_of({{"ok", false}, {"error", error.what()}});
    }
  };
  std::optional<Status> now;
  control_.serve(handle, {.status = [&]() -> const Status& { return now.emplace(status()); },
                          .metrics = [this] { return metrics(); },
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

/// The timer of looks at inputs runs only while there is something to look at.
void Program::time_input_looks() noexcept {
  if (relay_.has_failover() == has_failover_) return;
  has_failover_ = relay_.has_failover();
  set_interval(input_timer_, has_failover_ ? LegWatch::interval : std::chrono::milliseconds(0));
}

void Program::look_at_inputs() {
  read_timer(input_timer_);
  relay_.look_at_inputs(Clock::now());
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

ControlServer::Reply Program::on_request(const json& request) {
  const auto command = request.value("command", json());
  if (command == "rule") return line_of(change_rules(answer_rule_request(book_, request)));
  if (command == "apply") return line_of(change_rules(answer_apply_request(book_, request)));
  if (changes_due_)  // who asks now sees what was changed before
    survive([this] { take_over_changes(); });
  if (command == "status") return line_of(status::answer_request(status(), request));
  if (command == "reload") return line_of(reload());
  if (command == "switch") return line_of(switch_input(request));
  if (command == "standby") return line_of(stand_by(request.value("on", false)));
  if (command == "capture") return stream_capture(request);
  if (command == "events") return stream_events(request);
  return line_of({{"ok", false}, {"error", "unknown command"}});
}

/// A capture has payloads, which a group that may see the status may not.
ControlServer::Reply Program::stream_capture(const json& request) {
  const auto user = control_.asking_user();
  if (user != 0 && user != ::geteuid())
    throw Failure(ExitCode::permission,
                  "only root and the user that the relay runs as may capture");
  CaptureWish wish;
  wish.in = request.value("in", false);
  wish.out = request.value("out", false);
  wish.drops = request.value("drops", false);
  wish.snap = request.value("snap", CaptureWish::whole);
  const auto reader = relay_.capture(request.value("rule", ""), std::move(wish));
  const auto more = [this, reader, turns = 0]() mutable {
    return ++turns % (capture_turns + 1) == 0 ? std::string() : relay_.read_capture(*reader);
  };
  return {line_of({{"ok", true}}), more};
}

void Program::resume_captures() {
  if (Clock::now() - captures_resumed_at_ < capture_pause) return;
  captures_resumed_at_ = Clock::now();
  control_.resume();
}

/// The reader's place in the ring is all that is kept of it.
ControlServer::Reply Program::stream_events(const json& request) {
  constexpr std::size_t most_at_once = 64U << 10U;  // bytes
  const auto more = [this, seen = request.value("since", events_.last_id())]() mutable {
    std::string lines;
    while (lines.size() < most_at_once) {
      const auto event = events_.after(seen);
      if (!event) break;
      seen = event->id;
      lines += line_of(status::to_json(*event));
    }
    return lines;
  };
  return {line_of({{"ok", true}, {"last", events_.last_id()}}), more};
}

/// After whatever may have changed a rule.
void Program::look_for_events() {
  looked_at_ = relay_.generation();
  survive([this] { event_watch_.look(relay_, Clock::now(), events_); });
  if (events_.last_id() != told_events_) control_.resume();
  told_events_ = events_.last_id();
}

json Program::reload() {
  service_manager::reloading();
  auto answer = take_over_config();
  tell_reload(answer);
  say_summary();
  service_manager::ready();
  return answer;
}

void Program::tell_reload(const json& answer) {
  const bool done = answer.value("ok", false);
  std::string reason = answer.value("difference", "");
  for (const auto& error : answer.value("errors", json::array()))
    if (reason.empty()) reason = error.value("message", "");
  events_.add({.time = std::chrono::system_clock::now(),
               .kind = EventKind::reload,
               .state = done ? "done" : "refused",
               .reason = std::move(reason)});
}

/// {"rule": NAME, "input": N (from 1; 0: "auto"), "for_us": TIME (0: until somebody says
/// otherwise)}
json Program::switch_input(const json& request) {
  const auto input = request.value("input", std::uint64_t{0});
  const auto time = request.value("for_us", std::int64_t{0});
  const auto error = relay_.put_on_air(
      request.value("rule", ""), input == 0 ? std::nullopt : std::optional(input - 1),
      time > 0 ? std::optional(std::chrono::microseconds(time)) : std::nullopt, Clock::now());
  if (!error.empty()) return {{"ok", false}, {"error", error}};
  return {{"ok", true}};
}

json Program::take_over_config() {
  ConfigBook book;
  if (const auto errors = book.read(options_.config); !errors.empty()) {
    for (const auto& error : errors)
      log::error("{}", error.str());
    log::error("reload refused: the running rules stay");
    return {{"ok", false}, {"errors", list_errors(errors)}};
  }
  const auto config = book.config();
  const auto difference = compare_configs(relay_.config(), config);
  const auto& wanted = config.daemon.metrics;
  try {
    const bool due = wanted && metrics_due_ == wanted;
    auto metrics = due ? nullptr : new_metrics_server(wanted);
    relay_.apply(config, netlink_.snapshot(), Clock::now());
    if (metrics || !wanted) metrics_ = std::move(metrics);
    if (!due) metrics_due_.reset();
  } catch (const std::exception& error) {
    log::error("reload refused: {}; the running rules stay", error.what());
    return {{"ok", false}, {"errors", list_errors({{options_.config, 0, 0, error.what()}})}};
  }
  book_ = std::move(book);
  changes_due_.reset();
  log::set_level(config.daemon.log_level);
  survive([&] {
    watch_standby_file(config.daemon.standby);
    follow_standby_file();
  });
  ++generation_;
  log::notice("reloaded: difference={} config={}", log::value(difference.str()),
              log::value(options_.config));
  return {{"ok", true}, {"difference", difference.str()}};
}

/// The files have the change. The relay takes it over at once; of many in a row, several together,
/// so that taking over takes a quarter of the time at most.
json Program::change_rules(const RuleAnswer& answer) {
  if (!answer.changed()) return answer.document;
  auto& due = changes_due_ ? *changes_due_ : changes_due_.emplace();
  due.added += answer.difference.added;
  due.removed += answer.difference.removed;
  due.changed += answer.difference.changed;
  if (Clock::now() >= changes_at_) survive([this] { take_over_changes(); });
  return answer.document;
}

/// Sockets that the kernel refuses wait, as at the start: the files are written, and the client has
/// gone.
void Program::take_over_changes() {
  constexpr std::chrono::seconds pause_after_failure{1};
  const auto began = Clock::now();
  changes_at_ = began + pause_after_failure;
  relay_.begin(book_.config(), relay_.interfaces(), began);
  changes_at_ = Clock::now() + 3 * (Clock::now() - began);
  auto difference = *std::exchange(changes_due_, std::nullopt);
  difference.unchanged =
      book_.rules() - std::min(book_.rules(), difference.added + difference.changed);
  log::notice("rules changed: difference={}", log::value(difference.str()));
  tell_reload({{"ok", true}, {"difference", difference.str()}});
  ++generation_;
}

/// Milliseconds until changes are to be taken over, or captures read; -1: there are none.
int Program::poll_timeout() const {
  const auto capture = relay_.captures() ? static_cast<int>(capture_pause.count()) : -1;
  if (!changes_due_) return capture;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(changes_at_ - Clock::now());
  const auto change = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  return capture < 0 ? change : std::min(capture, change);
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
          .softnet_dropped = softnet.dropped - softnet_before_.dropped,
          .softnet_squeezed = softnet.squeezed - softnet_before_.squeezed};
}

void run(const Options& options) try {
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
  const auto options = std::make_shared<Options>();
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
