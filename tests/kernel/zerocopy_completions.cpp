// Fact: SENDMSG_ZC on UDP completes twice, the result with F_MORE and then F_NOTIF; with
// REPORT_USAGE the notification tells whether the kernel copied: it does for a local listener
// behind veth, it does not where nobody keeps the packet (an nftables drop at the ingress).
// REPORT_USAGE is of Linux 6.2, but Debian's 6.1 has it too (6.1.192 does): ask, by a
// request on no descriptor: EBADF where it is known, EINVAL where not.
#include "uring.hpp"

namespace {

constexpr std::uint16_t port = 5000;

/// Sends once; whether it was copied.
bool send(world::Uring& uring, int socket) {
  static std::vector<char> payload(8192);
  iovec part{payload.data(), 1400};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  auto* sqe = uring.sqe(7);
  io_uring_prep_sendmsg_zc(sqe, socket, &message, MSG_DONTWAIT);
  sqe->ioprio |= IORING_SEND_ZC_REPORT_USAGE;
  const auto done = uring.wait(2, std::chrono::milliseconds(1000));
  if (!done.empty() && done[0].result == -EINVAL)
    world::skip("no SEND_ZC_REPORT_USAGE (Linux 6.2)");
  world::expect(done.size() == 2 && done[0].id == 7 && done[1].id == 7, "two completions");
  world::expect(done[0].result == 1400 && (done[0].flags & IORING_CQE_F_MORE) != 0,
                "first the result, with F_MORE");
  world::expect(
      (done[1].flags & IORING_CQE_F_NOTIF) != 0 && (done[1].flags & IORING_CQE_F_MORE) == 0,
      "then F_NOTIF");
  return (static_cast<unsigned>(done[1].result) & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
}

}  // namespace

int main() {
  world::enter();
  const int away = world::peer();
  const int home = world::here();
  world::go(away);
  const int sink = world::listener(port);
  world::join(sink, "239.1.1.1", "far");
  world::go(home);
  const int socket = world::sender("239.1.1.1", port);
  world::Uring uring;
  // A link that is only just up may lose the first ones, uncopied.
  bool copied = false;
  for (int i = 0; i < 100 && !copied; ++i)
    copied = send(uring, socket);
  world::expect(copied, "towards a listener behind veth: copied");
  char byte = 0;
  world::expect(::recv(sink, &byte, 1, 0) == 1, "and received");

  world::go(away);
  world::run(
      "nft 'add table netdev t; add chain netdev t c { type filter hook ingress device far "
      "priority 0; policy drop; }'");
  world::go(home);
  world::expect(!send(uring, socket), "towards an ingress drop: not copied");
}
