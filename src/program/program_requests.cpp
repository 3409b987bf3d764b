// The requests of clients at the control socket: the status, a reload, rules added and
// removed, inputs put on air, streams of events and captures.
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/program/service_manager.hpp"
#include "mcr/status/digest.hpp"
#include "mcr/status/event.hpp"
#include "program.hpp"

namespace mcr {

using nlohmann::json;

namespace {

/// Between two looks at the rings of captures, while there are any; and how often one of them is
/// asked at each look, so that a torrent does not hold up the rest.
constexpr std::chrono::milliseconds capture_pause{20};
constexpr int capture_turns = 4;

std::uint64_t realtime_ns_before(double seconds) {
  const auto then =
      std::chrono::system_clock::now().time_since_epoch() - std::chrono::duration<double>(seconds);
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(then).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 1));
}

}  // namespace

ControlServer::Reply Program::on_request(const json& request) {
  const auto command = request.value("command", json());
  if (command == "rule") return line_of(change_rules(answer_rule_request(book_, request)));
  if (command == "apply") return line_of(apply_rules(request));
  take_over_due_changes();
  if (command == "status") return status::answer_request(status(), request) + '\n';
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
  if (const auto before_s = request.value("before", 0.0); before_s > 0)
    wish.since_ns = realtime_ns_before(before_s);
  const auto reader = relay_.capture(request.value("rule", ""), std::move(wish));
  const auto more = [this, reader, turns = 0]() mutable {
    return ++turns % (capture_turns + 1) == 0 ? std::string() : relay_.read_capture(*reader);
  };
  return {line_of({{"ok", true}}), more};
}

/// A client that asks sees the changes that were made before.
void Program::take_over_due_changes() {
  if (changes_due_) survive([this] { take_over_changes(); });
}

void Program::resume_captures() {
  if (Clock::now() - captures_resumed_at_ < capture_pause) return;
  captures_resumed_at_ = Clock::now();
  control_.resume();
}

/// The reader's place in the ring is all that is kept of it.
ControlServer::Reply Program::stream_events(const json& request) {
  constexpr std::size_t most_at_once = 64U << 10U;  // bytes
  const auto since = request.value("since", json(events_.last_id()));
  if (!since.is_number_unsigned()) throw Failure(ExitCode::usage, "`since` is no id");
  const auto more = [this, seen = since.get<std::uint64_t>()]() mutable {
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
  if (events_.last_id() != told_events_) {
    control_.resume();
    if (metrics_) metrics_->resume();
  }
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
  const auto difference = compare_configs(book_.config(), config).str();
  const json done{{"ok", true}, {"difference", difference}};
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
  survive([&] {
    log::notice("reloaded: difference={} config={}", log::value(difference),
                log::value(options_.config));
  });
  return done;
}

/// The files have the change. The relay takes it over at once; of many in a row, several together,
/// so that taking over takes a quarter of the time at most.
json Program::change_rules(const RuleAnswer& answer) {
  if (!answer.changed()) return answer.document;
  note_changes(answer.difference);
  if (Clock::now() >= changes_at_) survive([this] { take_over_changes(); });
  return answer.document;
}

/// The same for many rules, whose files take a while: meanwhile the relay joins their groups and
/// compiles their table. They run as soon as the files have their names. Where the relay cannot
/// take them over, it tries again later.
json Program::apply_rules(const json& request) {
  bool runs = false;
  const auto take_over = [&](const ConfigBook::Commit& commit) {
    bool committed = false;
    std::exception_ptr refused;
    const auto commit_files = [&] {
      try {
        commit();
        committed = true;
      } catch (...) {
        refused = std::current_exception();
        throw;
      }
    };
    if (Clock::now() >= changes_at_)
      survive([&] {
        run_book(commit_files);
        runs = true;
      });
    if (refused) std::rethrow_exception(refused);
    if (!committed) commit();
  };
  const auto answer = answer_apply_request(book_, request, take_over);
  if (answer.changed()) note_changes(answer.difference);
  if (runs) tell_changes();
  return answer.document;
}

void Program::note_changes(const ConfigDifference& difference) {
  auto& due = changes_due_ ? *changes_due_ : changes_due_.emplace();
  due.added += difference.added;
  due.removed += difference.removed;
  due.changed += difference.changed;
}

void Program::take_over_changes() {
  run_book({});
  tell_changes();
}

/// Sockets that the kernel refuses wait, as at the start: the files are written, and the client has
/// gone.
void Program::run_book(const Relay::Commit& commit) {
  constexpr std::chrono::seconds pause_after_failure{1};
  const auto began = Clock::now();
  changes_at_ = began + pause_after_failure;
  relay_.begin(book_.config(), relay_.interfaces(), began, commit);
  changes_at_ = Clock::now() + 3 * (Clock::now() - began);
}

void Program::tell_changes() {
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

}  // namespace mcr
