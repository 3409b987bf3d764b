// A terminal as a page that is drawn again and again: the alternate screen, keys one by one, and
// everything as it was at the end. ECMA-48 sequences that every terminal of today knows.
#pragma once

#include <termios.h>

#include <chrono>
#include <optional>
#include <string>

#include "mcr/base/fd.hpp"

namespace mcr {

/// Of the terminal at stdout; 0 if it is none.
[[nodiscard]] unsigned terminal_columns();

/// One at a time. Signals that would end or stop the process are taken by wait() while it lives.
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

  /// Replaces what is shown; lines that do not fit are cut off at the bottom.
  void draw(const std::string& page) const;

  /// Waits for a key (returned), 'q' also for an end by signal, 0 for the time or a new size.
  [[nodiscard]] char wait(std::chrono::milliseconds time);

 private:
  void enter();
  void leave() const;
  char on_signal();

  std::optional<termios> keys_before_;
  sigset_t signals_before_{};
  UniqueFd signals_;
};

}  // namespace mcr
