// UDP sockets of the control thread for the groups of discovery. Each belongs to one interface.
#pragma once

#include <string>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

/// A socket to send by, not bound to an address. This host does not hear its datagrams, and it
/// receives nothing of the groups that other sockets join. Throws OsError.
[[nodiscard]] Socket open_group_socket(Family family, const std::string& interface);

/// A socket that receives what comes to the group on the interface of this name and index; other
/// programs of this host may receive it, too. Throws OsError.
[[nodiscard]] UniqueFd open_group_listener(const Endpoint& group, const std::string& interface,
                                           unsigned index);

}  // namespace mcr
