// Tells systemd how the daemon is (sd_notify(3)): Type=notify, WatchdogSec=. Without systemd, or
// built without libsystemd, each of these does nothing. Control thread only; none of them fails.
#pragma once

#include <string>

namespace mcr::service_manager {

/// The rules run, for the first time or after reloading().
void ready() noexcept;
void reloading() noexcept;
void stopping() noexcept;

/// One line for people (`systemctl status`).
void say(const std::string& status) noexcept;

/// The workers make progress. If this is not called for WatchdogSec, systemd kills the daemon and
/// starts it again.
void feed_watchdog() noexcept;

}  // namespace mcr::service_manager
