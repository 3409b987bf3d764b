// A step that must not throw, since what runs has changed already and there is no way back.
#pragma once

#include <exception>
#include <string_view>
#include <utility>

#include "mcr/base/log.hpp"

namespace mcr {

/// Runs `step`; logs what it throws: "step failed, going on: step=... subject=... error=...".
/// False if it threw. A log line that finds no memory is lost.
template <typename Step>
bool try_or_log(std::string_view what, std::string_view subject, Step&& step) noexcept {
  try {
    std::forward<Step>(step)();
    return true;
  } catch (const std::exception& error) {
    try {
      log::warning("step failed, going on: step={} subject={} error={}", log::value(what),
                   log::value(subject), log::value(error.what()));
    } catch (...) {
    }
  } catch (...) {
  }
  return false;
}

}  // namespace mcr
