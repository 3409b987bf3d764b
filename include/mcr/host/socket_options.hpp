// Options of sockets (socket(7)).
#pragma once

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"

namespace mcr {

/// Throws OsError: `what` and `whose` are its text.
template <typename Value>
void set_option(Fd socket, int level, int option, const Value& value, std::string_view what,
                const std::string& whose) {
  if (::setsockopt(socket.get(), level, option, &value, sizeof value) != 0)
    throw_errno(what, whose);
}

/// A filter that drops everything.
inline constexpr std::array pass_nothing{sock_filter{BPF_RET | BPF_K, 0, 0, 0}};

/// If not, errno says why.
[[nodiscard]] inline bool attach_filter(Fd socket, std::span<const sock_filter> program) noexcept {
  const sock_fprog description{static_cast<unsigned short>(program.size()),
                               const_cast<sock_filter*>(program.data())};
  return ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &description,
                      sizeof description) == 0;
}

/// For a socket that only sends: what comes to its port must not fill it. Throws OsError.
inline void receive_nothing(Fd socket, const std::string& whose) {
  if (!attach_filter(socket, pass_nothing)) throw_errno("close socket for receiving", whose);
}

}  // namespace mcr
