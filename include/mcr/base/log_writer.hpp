// Writes log lines on a thread of its own, so that nobody who logs ever waits for the reader of the
// log: a pipe may be full, a terminal stopped, a file server gone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "mcr/base/fd.hpp"

namespace mcr::log {

class LogWriter {
 public:
  static constexpr std::size_t capacity = std::size_t{256} << 10U;  ///< bytes that may wait
  /// How long the destructor waits for the reader.
  static constexpr std::chrono::milliseconds last_wait{1000};
  /// After a failed write the count of lost lines is tried again this often.
  static constexpr std::chrono::seconds retry{5};

  /// Makes the line that tells how many lines were lost. Called with a lock held: it must not log.
  using DescribeLost = std::function<std::string(std::uint64_t lines)>;

  /// Queues only, until start(). Borrows `output` until the end of the process: the thread may
  /// outlive this object.
  LogWriter(Fd output, DescribeLost describe_lost);
  /// Starts the thread, which takes no signals, if that has not been done yet. Throws OsError.
  void start();
  /// Waits up to `last_wait` until everything is written. No thread may call write() any more.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Any thread; never waits for the output. A line that finds no room, or that the system refuses
  /// to write (a full disk, a closed pipe), is counted; the log says how many as soon as it can.
  void write(std::string line);

 private:
  struct State;

  static void write_lines(State& state);

  std::shared_ptr<State> state_;  ///< shared with the thread
  std::thread thread_;
};

}  // namespace mcr::log
