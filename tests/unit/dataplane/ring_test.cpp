#include "mcr/dataplane/ring.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>

#include "catch.hpp"
#include "mcr/base/error.hpp"

using namespace mcr;
using namespace std::chrono_literals;

namespace {

/// Null where io_uring is forbidden.
std::unique_ptr<Ring> make_ring(Ring::Idle idle) {
  try {
    return std::make_unique<Ring>(64, 128, idle);
  } catch (const Failure& failure) {
    WARN(failure.what());
    return nullptr;
  }
}

void await_read(Ring& ring, Fd from, std::uint64_t& into) {
  auto* request = ring.request();
  if (request == nullptr) std::abort();  // REQUIRE is for the main thread alone
  io_uring_prep_read(request, from.get(), &into, sizeof into, 0);
  request->user_data = Token{.op = Op::wake}.bits();
}

}  // namespace

TEST_CASE("a ring that sleeps wakes for every completion, or when somebody knocks", "[ring]") {
  const auto idle = GENERATE(Ring::Idle::automatic, Ring::Idle::bell);
  constexpr std::uint64_t turns = 20'000;  // or as many as a busy machine has in a second
  const UniqueFd ping(::eventfd(0, EFD_CLOEXEC));
  const UniqueFd pong(::eventfd(0, EFD_CLOEXEC));
  const auto ring = make_ring(idle);
  if (!ring) return;
  std::uint64_t woken = 0;
  std::atomic<bool> done{false};
  std::thread owner([&] {
    ring->enable();
    while (!done) {
      std::uint64_t count = 0;
      await_read(*ring, ping, count);
      while (!ring->reap([](const io_uring_cqe&) {}))
        ring->submit_and_wait();
      ++woken;
      ::eventfd_write(pong.get(), 1);
    }
  });
  const auto wake = [&] {
    ::eventfd_write(ping.get(), 1);
    ring->knock();
  };
  const auto deadline = std::chrono::steady_clock::now() + 1s;
  std::uint64_t turn = 0;
  for (; turn != turns && std::chrono::steady_clock::now() < deadline; ++turn) {
    eventfd_t answers = 0;
    wake();
    ::eventfd_read(pong.get(), &answers);  // for ever, if it does not wake
  }
  done = true;
  wake();
  owner.join();
  CHECK(woken >= turn);
}

TEST_CASE("a ring that sleeps wakes for what a pipe or a socket brings, without a knock",
          "[ring]") {
  const auto ring = make_ring(GENERATE(Ring::Idle::automatic, Ring::Idle::bell));
  if (!ring) return;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd from(ends[0]);
  const UniqueFd to(ends[1]);
  constexpr int turns = 1000;
  std::atomic<int> woken{0};
  std::thread owner([&] {
    ring->enable();
    for (std::uint64_t into = 0; woken != turns; ++woken) {
      await_read(*ring, from, into);
      while (!ring->reap([](const io_uring_cqe&) {}))
        ring->submit_and_wait();
    }
  });
  bool lost = false;
  for (int turn = 0; turn != turns && !lost; ++turn) {
    constexpr std::uint64_t word = 1;
    [[maybe_unused]] const auto written = ::write(to.get(), &word, sizeof word);
    const auto patience = std::chrono::steady_clock::now() + 10s;
    while (woken == turn && !lost) {
      std::this_thread::yield();
      lost = std::chrono::steady_clock::now() > patience;
    }
  }
  if (lost) std::abort();  // the owner sleeps for ever
  owner.join();
}
