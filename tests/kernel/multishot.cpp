// Facts of multishot recvmsg on a packet socket with a provided buffer ring:
//   - without buffers it ends with ENOBUFS; the frames wait in the socket, none is lost;
//   - the link going down ends it with ENETDOWN; after up the same socket works when armed again.
#include "packet.hpp"
#include "uring.hpp"

namespace {

constexpr std::uint16_t port = 5000;
constexpr unsigned buffers = 4, frames = 10;

msghdr request{};

void arm(world::Uring& uring, int tap) {
  auto* sqe = uring.sqe(1);
  io_uring_prep_recvmsg_multishot(sqe, tap, &request, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = 1;
}

void send(int socket, unsigned first, unsigned count) {
  for (unsigned i = first; i < first + count; ++i) {
    const auto number = static_cast<unsigned char>(i);
    (void)::send(socket, &number, 1, 0);
  }
}

/// Takes completions in: the numbers received (buffers given back), and the error at the end.
int take(world::Uring& uring, world::BufferRing& ring, std::vector<unsigned>& numbers,
         std::chrono::milliseconds limit) {
  int error = 0;
  for (const auto& done : uring.wait(1000, limit)) {
    if ((done.flags & IORING_CQE_F_MORE) == 0 && done.result >= 0) error = EAGAIN;
    if (done.result < 0) error = -done.result;
    if ((done.flags & IORING_CQE_F_BUFFER) == 0) continue;
    const auto id = done.flags >> IORING_CQE_BUFFER_SHIFT;
    auto* out = io_uring_recvmsg_validate(ring.at(id), done.result, &request);
    const auto* frame = static_cast<unsigned char*>(io_uring_recvmsg_payload(out, &request));
    if (world::port_of(frame, out->payloadlen) == port) numbers.push_back(frame[world::headers]);
    ring.give(id);
  }
  return error;
}

}  // namespace

int main() {
  world::enter();
  const int away = world::peer();
  const int home = world::here();
  const int tap = world::packets(away);
  const int socket = world::sender("239.1.1.1", port);
  world::Uring uring;
  world::BufferRing ring(uring, 1, buffers, 4096);
  constexpr std::chrono::milliseconds short_time(100);

  arm(uring, tap);
  uring.wait(0, short_time);
  send(socket, 0, frames);
  std::vector<unsigned> numbers;
  int error = take(uring, ring, numbers, short_time);
  world::expect(error == ENOBUFS && numbers.size() == buffers,
                fmt::format("{} frames for {} buffers: {} received, then {}", frames, buffers,
                            numbers.size(), std::strerror(error)));
  for (int turn = 0; turn < 5 && numbers.size() < frames; ++turn) {
    arm(uring, tap);
    error = take(uring, ring, numbers, short_time);
  }
  bool in_order = numbers.size() == frames;
  for (unsigned i = 0; in_order && i < frames; ++i)
    in_order = numbers[i] == i;
  world::expect(in_order, "armed again with buffers: all are there, in order");
  if (error != 0) arm(uring, tap);
  uring.wait(0, short_time);

  world::go(away);
  world::run("ip link set far down");
  numbers.clear();
  error = take(uring, ring, numbers, short_time);
  world::expect(error == ENETDOWN, fmt::format("link down: {}", std::strerror(error)));
  world::run("ip link set far up");
  world::go(home);
  arm(uring, tap);
  error = 0;
  for (int turn = 0; turn < 30 && numbers.empty() && error == 0; ++turn) {
    send(socket, 99, 1);  // carrier takes its time
    error = take(uring, ring, numbers, short_time);
  }
  world::expect(error == 0 && !numbers.empty() && numbers[0] == 99,
                "link up, armed again: the same socket receives");
}
