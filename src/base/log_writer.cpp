// A bounded queue and the one thread that may block on it. Lines that find no room are lost from
// the newest on, and a line with their number takes their place: before the next line that finds
// room, or when the queue has become empty.
//
// The thread sits in write(2), which nothing but the reader ends. At the end of the program it is
// therefore left behind if it does not come back in time: it owns all it touches together with us.
#include "mcr/base/log_writer.hpp"

#include <poll.h>
#include <signal.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <system_error>
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr::log {

namespace {

struct Line {
  std::string text;
  std::uint64_t lines = 1;  ///< how many are lost if it is not written
};

/// Blocks until all is written; false if the system refuses it.
bool write_all(Fd output, std::string_view text) noexcept {
  while (!text.empty()) {
    const auto count = ::write(output.get(), text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {  // whoever shares our stderr made it non-blocking
      pollfd wait{output.get(), POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct LogWriter::State {
  Fd output;
  DescribeLost describe_lost;
  std::mutex mutex;  ///< of all that follows
  std::condition_variable changed;
  std::deque<Line> lines;
  std::size_t bytes = 0;  ///< of `lines`
  std::uint64_t lost = 0;
  bool failing = false;  ///< the last write was refused
  bool stopping = false;
  bool done = false;

  void push(Line line) {
    bytes += line.text.size();
    lines.push_back(std::move(line));
  }
  Line pop() {
    Line line = std::move(lines.front());
    lines.pop_front();
    bytes -= line.text.size();
    return line;
  }
  void push_lost() {
    if (lost == 0) return;
    auto text = describe_lost(lost);
    push({std::move(text), std::exchange(lost, 0)});
  }
};

LogWriter::LogWriter(Fd output, DescribeLost describe_lost) : state_(std::make_shared<State>()) {
  state_->output = output;
  state_->describe_lost = std::move(describe_lost);
}

void LogWriter::start() {
  if (thread_.joinable()) return;
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([state = state_] { write_lines(*state); });
  } catch (const std::system_error& error) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw OsError(error.code().value(), "start the thread", "of the log");
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  try {
    start();
  } catch (const OsError&) {  // not even one thread: the lines are lost
    return;
  }
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  const bool done = state_->changed.wait_for(lock, last_wait, [this] { return state_->done; });
  lock.unlock();
  done ? thread_.join() : thread_.detach();
}

void LogWriter::write(std::string line) {
  const std::lock_guard lock(state_->mutex);
  if (state_->bytes + line.size() > capacity) {
    ++state_->lost;
    return;
  }
  state_->push_lost();
  state_->push({std::move(line)});
  state_->changed.notify_all();
}

void LogWriter::write_lines(State& state) {
  std::unique_lock lock(state.mutex);
  for (;;) {
    const auto awaited = [&] { return !state.lines.empty() || state.stopping; };
    if (state.lines.empty() && state.failing && !state.changed.wait_for(lock, retry, awaited))
      state.failing = false;
    if (state.lines.empty() && !state.failing) state.push_lost();
    if (state.lines.empty()) state.changed.wait(lock, awaited);
    if (state.lines.empty()) break;
    const Line line = state.pop();
    lock.unlock();
    const bool written = write_all(state.output, line.text);
    lock.lock();
    state.failing = !written;
    if (!written) state.lost += line.lines;
  }
  state.done = true;
  state.changed.notify_all();
}

}  // namespace mcr::log
