// Options of sockets that only send.
#pragma once

#include <string>
#include <string_view>

#include "mcr/fd.hpp"

namespace mcr {

/// Throws OsError: `what` and `whose` are its text.
void set_option(Fd socket, int level, int option, int value, std::string_view what,
                const std::string& whose);

/// Nothing is ever read from such a socket: what is sent to its port must not fill it.
void receive_nothing(Fd socket, const std::string& whose);

}  // namespace mcr
