// A terminal as a page that is drawn again and again: the alternate screen, keys one by one, and
// everything as it was at the end. ECMA-48 sequences that every terminal of today knows.
#pragma once

#include <termios.h>

#include <chrono>
#include <optional>
#include <string>

#include "mcr/base/fd.hpp"

namespace mcr {

/// The width of the terminal at stdout, in characters; 0 if it is none.
[[nodiscard]] unsigned terminal_columns();

/// One at a time. While it lives, wait() takes the signals that would end or stop the process.
class Screen {
 public:
  /// Takes over the terminal at stdout, and its keys if stdin is one. Throws OsError.
  Screen();
  /// Gives the terminal back as it was.
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  [[nodiscard]] unsigned columns() const;
  [[nodiscard]] unsigned rows() const;

  /// Replaces what is shown; lines that do not fit are cut off at the bottom. Throws OsError.
  void draw(const std::string& page) const;

  /// Keys that are no character.
  enum Key : int { none = 0, up = 256, down, page_up, page_down, top, bottom, quit };

  /// Waits for a key and returns it: a character (UTF-8 bytes one by one) or a Key. `quit` if a
  /// signal asks for the end, `none` if the time is over or the size has changed.
  [[nodiscard]] int wait(std::chrono::milliseconds time);

 private:
  void enter();
  void leave() const;
  int on_signal();

  std::optional<termios> keys_before_;
  sigset_t signals_before_{};
  UniqueFd signals_;
};

}  // namespace mcr
