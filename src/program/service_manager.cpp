#include "mcr/program/service_manager.hpp"

#include <fmt/format.h>

#include <ctime>

#if MCR_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace mcr::service_manager {

namespace {

void notify([[maybe_unused]] const char* state) noexcept {
#if MCR_SYSTEMD
  ::sd_notify(0, state);
#endif
}

}  // namespace

void ready() noexcept {
  notify("READY=1");
}

void reloading() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000)
             .c_str());
}

void stopping() noexcept {
  notify("STOPPING=1");
}

void say(const std::string& status) noexcept {
  notify(("STATUS=" + status).c_str());
}

void feed_watchdog() noexcept {
  notify("WATCHDOG=1");
}

}  // namespace mcr::service_manager
