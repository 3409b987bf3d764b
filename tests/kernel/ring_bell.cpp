// Facts of waiting for a ring whose work is left to its owner (IORING_SETUP_DEFER_TASKRUN):
//   - an eventfd that is registered with the ring (IORING_REGISTER_EVENTFD) is written to when work
//     is there to ask for, though nobody waits in io_uring_enter(2);
//   - not while IORING_CQ_EVENTFD_DISABLED is set;
//   - a write to an eventfd that the ring reads rings it only sometimes (6.18);
//   - work that came while it was disabled is there at the next io_uring_enter(2).
#include <poll.h>
#include <sys/eventfd.h>

#include "uring.hpp"

namespace {

bool rings(int bell) {
  pollfd wait{bell, POLLIN, 0};
  if (::poll(&wait, 1, 200) != 1) return false;
  eventfd_t count = 0;
  return ::eventfd_read(bell, &count) == 0;
}

void await(world::Uring& uring, int event, std::uint64_t& into) {
  io_uring_prep_read(uring.sqe(1), event, &into, sizeof into, 0);
  io_uring_submit_and_get_events(&uring.ring);
}

}  // namespace

int main() {
  world::Uring uring;
  const int event = world::need(::eventfd(0, EFD_CLOEXEC), "eventfd");
  const int bell = world::need(::eventfd(0, EFD_CLOEXEC), "eventfd");
  world::need(io_uring_register_eventfd(&uring.ring, bell), "register an eventfd");
  std::uint64_t count = 0;

  await(uring, event, count);
  ::eventfd_write(event, 1);
  world::expect(rings(bell), "work for the owner writes to the eventfd");
  world::expect(uring.wait(1, std::chrono::milliseconds(200)).size() == 1, "and is there");

  io_uring_cq_eventfd_toggle(&uring.ring, false);
  eventfd_t rest = 0;
  pollfd now{bell, POLLIN, 0};
  if (::poll(&now, 1, 0) == 1) ::eventfd_read(bell, &rest);
  await(uring, event, count);
  ::eventfd_write(event, 1);
  world::expect(!rings(bell), "disabled: nothing is written");
  io_uring_cq_eventfd_toggle(&uring.ring, true);
  io_uring_submit_and_get_events(&uring.ring);
  world::expect(io_uring_cq_ready(&uring.ring) == 1, "enabled, and asked: the work is there");
}
