// A page is drawn from the top left corner over the one before, and each line clears its rest: so
// nothing flickers. The alternate screen keeps what the user had; leaving it brings that back.
//
// Keys come one by one and unseen while ICANON and ECHO are off. Signals that would end or stop the
// process are blocked and read from a descriptor: whatever ends the process, ~Screen() gives the
// terminal back first. Only SIGKILL leaves it as it is (`reset` helps).
#include "mcr/program/terminal.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/output.hpp"

namespace mcr {

namespace {

/// The cursor is hidden, and a line that is too long ends at the margin: if it went on below, the
/// page would scroll.
constexpr std::string_view alternate_screen = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view normal_screen = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr std::string_view home = "\x1b[H";
constexpr std::string_view clear_rest_of_line = "\x1b[K";
constexpr std::string_view clear_rest = "\x1b[J";

winsize size() {
  winsize result{};
  ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &result);
  return result;
}

constexpr char escape = '\x1b';
constexpr int escape_wait = 20;  // ms, for the rest of a sequence

/// A key by its sequence behind the escape (ECMA-48, and what xterm adds).
int key_of(std::string_view sequence) {
  static constexpr std::array<std::pair<std::string_view, int>, 10> keys{{
      {"[A", Screen::up},
      {"OA", Screen::up},
      {"[B", Screen::down},
      {"OB", Screen::down},
      {"[5~", Screen::page_up},
      {"[6~", Screen::page_down},
      {"[H", Screen::top},
      {"[1~", Screen::top},
      {"[F", Screen::bottom},
      {"[4~", Screen::bottom},
  }};
  const auto* const known =
      std::ranges::find(keys, sequence, [](const auto& key) { return key.first; });
  return known == keys.end() ? Screen::none : known->second;
}

/// Reads the rest of an escape sequence and no key behind it: its bytes, up to the one that ends
/// it.
std::size_t read_sequence(std::span<char> bytes) {
  pollfd more{STDIN_FILENO, POLLIN, 0};
  std::size_t size = 0;
  while (size < bytes.size() && ::poll(&more, 1, escape_wait) > 0 &&
         ::read(STDIN_FILENO, &bytes[size], 1) == 1) {
    const char byte = bytes[size++];
    const bool introduces = size == 1 && (byte == '[' || byte == 'O');
    if (!introduces && byte >= '@' && byte <= '~') break;
  }
  return size;
}

}  // namespace

Screen::Screen() {
  termios keys{};
  if (::tcgetattr(STDIN_FILENO, &keys) == 0) keys_before_ = keys;
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH})
    ::sigaddset(&set, signal);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) throw_errno("create signalfd");
  ::sigprocmask(SIG_BLOCK, &set, &signals_before_);
  enter();
}

Screen::~Screen() {
  try {
    leave();
  } catch (const OsError&) {  // the terminal has gone
  }
  ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr);
}

void Screen::enter() {
  if (keys_before_) {
    termios keys = *keys_before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
  }
  write_output(alternate_screen);
}

void Screen::leave() const {
  write_output(normal_screen);
  if (keys_before_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*keys_before_);
}

unsigned terminal_columns() {
  return size().ws_col;
}

unsigned Screen::columns() const {
  return terminal_columns();
}

unsigned Screen::rows() const {
  return size().ws_row;
}

void Screen::draw(const std::string& page) const {
  const auto most = rows() == 0 ? ~0U : rows();
  std::string text(home);
  std::string_view rest = page;
  for (unsigned row = 0; row < most && !rest.empty(); ++row) {
    const auto end = rest.find('\n');
    if (row != 0) text += '\n';
    text += rest.substr(0, end);
    text += clear_rest_of_line;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  text += clear_rest;
  write_output(text);
}

/// Gives the terminal back while Ctrl-Z stops us.
int Screen::on_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return none;
  if (info.ssi_signo == SIGWINCH) return none;
  if (info.ssi_signo != SIGTSTP) return quit;
  leave();
  ::raise(SIGSTOP);
  enter();
  return none;
}

int Screen::wait(std::chrono::milliseconds time) {
  std::array<pollfd, 2> waits{
      {{signals_.get(), POLLIN, 0}, {keys_before_ ? STDIN_FILENO : -1, POLLIN, 0}}};
  if (::poll(waits.data(), waits.size(), static_cast<int>(time.count())) <= 0) return 0;
  if (waits[0].revents != 0) return on_signal();
  std::array<char, 16> bytes{};
  if (::read(STDIN_FILENO, bytes.data(), 1) != 1) return quit;
  if (bytes[0] != escape) return static_cast<unsigned char>(bytes[0]);
  const auto size = read_sequence(bytes);
  return size == 0 ? escape : key_of({bytes.data(), size});
}

}  // namespace mcr
