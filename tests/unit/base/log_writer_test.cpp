#include "mcr/base/log_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <string>

#include "catch.hpp"

namespace {

using mcr::Fd;
using mcr::UniqueFd;
using mcr::log::LogWriter;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::string lost_line(std::uint64_t lines) {
  return "lost " + std::to_string(lines) + "\n";
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;

  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }

  /// All that can be read until a line begins with `last`; stops after `silence`.
  [[nodiscard]] std::string read_until(const std::string& last,
                                       std::chrono::milliseconds silence = 5s) const {
    std::string text;
    std::array<char, 65536> buffer{};
    pollfd wait{reader.get(), POLLIN, 0};
    while (('\n' + text).find('\n' + last) == std::string::npos &&
           ::poll(&wait, 1, static_cast<int>(silence.count())) == 1) {
      const auto count = ::read(reader.get(), buffer.data(), buffer.size());
      if (count <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
};

/// Lines as their reader was told of them.
struct Told {
  std::uint64_t written = 0;
  std::uint64_t lost = 0;

  [[nodiscard]] std::uint64_t lines() const { return written + lost; }
  /// False if there is nothing to add.
  bool add(const std::string& text) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      if (line.starts_with("lost "))
        lost += std::stoull(line.substr(5));
      else
        ++written;
    }
    return !text.empty();
  }
};

/// 1 MiB in lines of 1 KiB: more than pipe and queue take together.
void write_a_mebibyte(LogWriter& log) {
  for (int i = 0; i < 1024; ++i)
    log.write(std::string(1023, 'x') + '\n');
}

}  // namespace

TEST_CASE("log writer: lines come out in order, all of them before its end") {
  const Pipe pipe;
  {
    LogWriter log(pipe.writer, lost_line);
    log.start();
    log.write("one\n");
    log.write("two\n");
  }
  CHECK(pipe.read_until("two\n") == "one\ntwo\n");
}

TEST_CASE("log writer: lines that come before the thread wait for it") {
  const Pipe pipe;
  LogWriter log(pipe.writer, lost_line);
  log.write("early\n");
  CHECK(pipe.read_until("early", 50ms).empty());
  log.start();
  CHECK(pipe.read_until("early") == "early\n");
}

TEST_CASE("log writer: a full pipe keeps nobody waiting, and what was lost is told") {
  const Pipe pipe;
  LogWriter log(pipe.writer, lost_line);
  log.start();
  const auto began = Clock::now();
  write_a_mebibyte(log);
  CHECK(Clock::now() - began < 1s);

  // A slow writer of the mebibyte loses lines several times, and each time is told.
  Told told;
  while (told.lines() < 1024 && told.add(pipe.read_until("lost "))) {
  }
  CHECK(told.lost > 0);
  CHECK(told.lines() == 1024);
  log.write("after\n");
  CHECK(pipe.read_until("after\n") == "after\n");
}

TEST_CASE("log writer: its end waits a second at most for the reader") {
  const Pipe pipe;
  const auto began = [&] {
    LogWriter log(pipe.writer, lost_line);
    log.start();
    write_a_mebibyte(log);
    return Clock::now();
  }();
  CHECK(Clock::now() - began < LogWriter::last_wait + 1s);
  (void)pipe.read_until("never", 200ms);  // lets the thread go
}

TEST_CASE("log writer: what a full disk refuses is counted") {
  const UniqueFd disk(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Pipe pipe;
  const UniqueFd output(::fcntl(disk.get(), F_DUPFD_CLOEXEC, 0));
  LogWriter log(output, lost_line);
  log.start();
  log.write("one\n");
  log.write("two\n");
  std::this_thread::sleep_for(100ms);
  REQUIRE(::dup2(pipe.writer.get(), output.get()) == output.get());  // there is room again
  log.write("three\n");
  CHECK(pipe.read_until("three\n") == "lost 2\nthree\n");
}
