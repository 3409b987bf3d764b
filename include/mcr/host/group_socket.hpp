// UDP sockets of the control thread for the groups of discovery. Each belongs to one interface.
#pragma once

#include <string>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

/// Not bound to an address. Its datagrams are not heard on this host, and it hears nothing of what
/// other sockets join. Throws OsError.
[[nodiscard]] Socket open_group_socket(Family family, const std::string& interface);

/// Hears what comes to the group on the interface of this name and index; others of this host may
/// hear it, too. Throws OsError.
[[nodiscard]] UniqueFd open_group_listener(const Endpoint& group, const std::string& interface,
                                           unsigned index);

}  // namespace mcr
