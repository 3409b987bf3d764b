// Fact: of sends linked by IOSQE_IO_LINK (MSG_DONTWAIT, one UDP socket) none overtakes another:
// when one gets EAGAIN, all behind it in the chain are ECANCELED and were never sent.
// With --cost: what a link costs, in ns a message.
#include <string_view>

#include "uring.hpp"

namespace {

constexpr std::uint16_t port = 5000;
constexpr std::size_t size = 1400;

struct Message {
  std::vector<char> bytes = std::vector<char>(size);
  iovec part{};
  msghdr header{};
  Message() {
    part = {bytes.data(), bytes.size()};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
  }
};

void put(world::Uring& uring, int socket, Message& message, std::uint64_t id, bool zero_copy,
         bool linked) {
  auto* sqe = uring.sqe(id);
  if (zero_copy)
    io_uring_prep_sendmsg_zc(sqe, socket, &message.header, MSG_DONTWAIT);
  else
    io_uring_prep_sendmsg(sqe, socket, &message.header, MSG_DONTWAIT);
  if (linked) sqe->flags |= IOSQE_IO_LINK;
}

/// Fills the socket, then sends a chain of three: the results by place.
void chain_behind_full_socket(bool zero_copy) {
  const int socket = world::sender("239.1.1.1", port);
  world::set(socket, SOL_SOCKET, SO_SNDBUF, 1);
  Message message;
  int filled = 0;
  while (::sendmsg(socket, &message.header, MSG_DONTWAIT) > 0 && filled < 1000)
    ++filled;
  if (errno != EAGAIN) world::skip("the socket does not fill");

  world::Uring uring;
  for (unsigned i = 0; i < 3; ++i)
    put(uring, socket, message, i, zero_copy, i < 2);
  int result[3] = {1, 1, 1};
  for (const auto& done : uring.wait(6, std::chrono::milliseconds(300)))
    if ((done.flags & IORING_CQE_F_NOTIF) == 0) result[done.id] = done.result;
  world::expect(
      result[0] == -EAGAIN && result[1] == -ECANCELED && result[2] == -ECANCELED,
      fmt::format("{} behind a full socket ({} sent before): {} {} {} (EAGAIN, then "
                  "ECANCELED twice)",
                  zero_copy ? "SENDMSG_ZC" : "SENDMSG", filled, result[0], result[1], result[2]));
  ::close(socket);
}

/// Fills the chain itself: a prefix goes, one EAGAIN, the rest ECANCELED; on the wire in order.
void chain_fills_socket(bool zero_copy, int away) {
  world::run("tc qdisc replace dev near root tbf rate 2mbit burst 3000 limit 1000000");
  const auto home = world::here();
  world::go(away);
  const int sink = world::listener(port + 1);
  world::join(sink, "239.1.1.1", "far");
  world::go(home);
  const int socket = world::sender("239.1.1.1", port + 1);
  world::set(socket, SOL_SOCKET, SO_SNDBUF, 16384);
  world::Uring uring;
  std::vector<Message> messages(24);
  for (unsigned i = 0; i < messages.size(); ++i) {
    messages[i].bytes[0] = static_cast<char>(i);
    put(uring, socket, messages[i], i, zero_copy, i + 1 < messages.size());
  }
  std::vector<int> results(messages.size(), 1);
  for (const auto& done : uring.wait(2 * 24, std::chrono::milliseconds(500)))
    if ((done.flags & IORING_CQE_F_NOTIF) == 0) results[done.id] = done.result;
  std::size_t sent = 0;
  while (sent < results.size() && results[sent] == static_cast<int>(size))
    ++sent;
  bool as_told = sent > 0 && sent < results.size() && results[sent] == -EAGAIN;
  for (auto i = sent + 1; i < results.size(); ++i)
    as_told = as_told && results[i] == -ECANCELED;
  std::vector<char> got(size);
  std::size_t received = 0;
  while (::recv(sink, got.data(), got.size(), 0) > 0) {
    if (got[0] != static_cast<char>(received)) break;
    ++received;
  }
  world::expect(as_told && received == sent,
                fmt::format("a chain of 24 {}: {} sent, then EAGAIN, rest ECANCELED; {} arrived, "
                            "in order",
                            zero_copy ? "SENDMSG_ZC" : "SENDMSG", sent, received));
  ::close(socket);
  ::close(sink);
}

double cost(bool zero_copy, bool linked) {
  constexpr unsigned batch = 32, rounds = 3000;
  const int socket = world::sender("239.1.1.1", port);
  world::set(socket, SOL_SOCKET, SO_SNDBUF, 8 << 20);
  world::Uring uring(batch);
  Message message;
  unsigned failed = 0;
  const auto start = world::now_ns();
  for (unsigned round = 0; round < rounds; ++round) {
    for (unsigned i = 0; i < batch; ++i)
      put(uring, socket, message, i, zero_copy, linked && i + 1 < batch);
    unsigned left = batch * (zero_copy ? 2 : 1);
    while (left > 0) {
      io_uring_submit_and_wait(&uring.ring, 1);
      io_uring_cqe* cqe = nullptr;
      unsigned head = 0, seen = 0;
      io_uring_for_each_cqe(&uring.ring, head, cqe) {
        ++seen;
        if ((cqe->flags & IORING_CQE_F_NOTIF) == 0 && cqe->res < 0) ++failed;
      }
      io_uring_cq_advance(&uring.ring, seen);
      left -= seen;
    }
  }
  const double took = static_cast<double>(world::now_ns() - start) / (batch * rounds);
  if (failed > 0) fmt::print("({} sends failed)\n", failed);
  ::close(socket);
  return took;
}

}  // namespace

int main(int argc, char** argv) {
  world::enter();
  const int away = world::peer();
  if (argc > 1 && std::string_view(argv[1]) == "--cost") {
    for (int turn = 0; turn < 3; ++turn)
      for (bool zero_copy : {false, true})
        fmt::print("{:10}: unlinked {:5.0f} ns, linked {:5.0f} ns a message\n",
                   zero_copy ? "SENDMSG_ZC" : "SENDMSG", cost(zero_copy, false),
                   cost(zero_copy, true));
    return 0;
  }
  world::run("tc qdisc add dev near root tbf rate 8kbit burst 2000 limit 1000000");
  chain_behind_full_socket(false);
  chain_behind_full_socket(true);
  chain_fills_socket(false, away);
  chain_fills_socket(true, away);
}
