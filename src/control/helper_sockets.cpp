// The kernel limits what one socket may join, in ways that cannot be asked for beforehand:
//   - igmp_max_memberships groups (IPv4), then option memory (optmem_max) in both families;
//   - igmp_max_msf or mld_max_msf sources of one group.
// It says ENOBUFS, or ENOMEM for IPv6 without option memory. So a socket counts as full once it has
// refused, until something on it is left. A socket that holds nothing and still refuses is not
// full: joining is impossible, and that is the caller's failure.
//
// A socket holds a group either for any source (but those it blocks) or for a list of sources: a
// later (S,G) silently replaces (*,G). The two therefore never meet on one socket, nor do two lists
// of blocked sources; the kernel asks the network for what any of its sockets wants. Sources of one
// group share a socket where they can, since only the first of them takes the place of a group.
#include "mcr/control/helper_sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace mcr {
namespace {

bool means_full(int error) noexcept {
  return error == ENOBUFS || error == ENOMEM;
}

bool means_absent(int error) noexcept {
  return error == EADDRNOTAVAIL || error == ENODEV;
}

}  // namespace

int HelperSockets::join_on(Socket& socket, const GroupSources& wanted) {
  const auto& [group, source, excluded] = wanted;
  const int error = calls_.join(socket.fd, interface_index_, group, source);
  if (error == 0) {
    for (const auto& each : excluded)
      (void)calls_.block(socket.fd, interface_index_, group, each);
    return 0;
  }
  auto held = socket.groups.find(group);
  if (held != socket.groups.end()) {
    held->second.full = means_full(error);
    return error;
  }
  socket.full = means_full(error);
  // The kernel joins the group first and adds the source then: without room for the source the
  // socket is left with a group that lets nothing through.
  if (source) (void)calls_.leave(socket.fd, interface_index_, group, IpAddress());
  return error;
}

int HelperSockets::join_on_new(const GroupSources& wanted) {
  UniqueFd fd = calls_.open(family_);
  if (!fd.valid()) return errno;
  sockets_.push_back({std::move(fd), {}, false});
  auto fresh = std::prev(sockets_.end());
  const int error = join_on(*fresh, wanted);
  if (error == 0)
    install(fresh, wanted);
  else
    sockets_.erase(fresh);
  return error;
}

void HelperSockets::install(SocketList::iterator socket, const GroupSources& joined) {
  auto& hold = socket->groups[joined.group];
  if (joined.source) ++hold.sources;
  installed_.insert_or_assign(joined, socket);
}

/// A socket that holds other sources of the group and takes one more, or the end.
HelperSockets::SocketList::iterator HelperSockets::beside_other_sources(const IpAddress& group) {
  for (auto entry = installed_.lower_bound({group, IpAddress()});
       entry != installed_.end() && entry->first.group == group; ++entry) {
    const auto& hold = entry->second->groups.at(group);
    if (hold.sources > 0 && !hold.full) return entry->second;
  }
  return sockets_.end();
}

HelperSockets::SocketList::iterator HelperSockets::with_room_for(const IpAddress& group) {
  return std::ranges::find_if(sockets_, [&](const Socket& socket) {
    return !socket.full && !socket.groups.contains(group);
  });
}

int HelperSockets::join(const GroupSources& wanted) {
  while (true) {
    auto socket = wanted.source ? beside_other_sources(wanted.group) : sockets_.end();
    if (socket == sockets_.end()) socket = with_room_for(wanted.group);
    if (socket == sockets_.end()) return join_on_new(wanted);
    const int error = join_on(*socket, wanted);
    if (error == 0) install(socket, wanted);
    if (!means_full(error)) return error;  // a full one is marked, and not found again
  }
}

void HelperSockets::remove(SocketList::iterator socket, const GroupSources& left) {
  auto held = socket->groups.find(left.group);
  held->second.full = false;
  if (held->second.sources > 1) {
    --held->second.sources;
    return;
  }
  socket->groups.erase(held);
  socket->full = false;
  if (socket->groups.empty()) sockets_.erase(socket);
}

int HelperSockets::leave(const GroupSources& held) {
  auto found = installed_.find(held);
  if (found == installed_.end()) return EADDRNOTAVAIL;
  auto socket = found->second;
  const int error = calls_.leave(socket->fd, interface_index_, held.group, held.source);
  if (error == 0 || means_absent(error)) {
    installed_.erase(found);
    remove(socket, held);
  }
  return error;
}

}  // namespace mcr
