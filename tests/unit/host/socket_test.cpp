#include "mcr/host/socket.hpp"

#include <cerrno>
#include <utility>

#include "catch.hpp"
#include "emulated.hpp"

using namespace mcr;

TEST_CASE("a socket is closed once, by its last owner") {
  Socket first(AF_UNIX, SOCK_STREAM);
  REQUIRE(first.valid());
  const int number = first.get();
  Socket second(std::move(first));
  CHECK_FALSE(first.valid());  // NOLINT(bugprone-use-after-move)
  CHECK(second.get() == number);
  const auto third = std::move(second).take();
  CHECK_FALSE(second.valid());  // NOLINT(bugprone-use-after-move)
  CHECK(third.get() == number);
}

TEST_CASE("options are read back, and a refusal names what was asked") {
  const Socket socket(AF_UNIX, SOCK_STREAM);
  socket.set(SOL_SOCKET, SO_PASSCRED, 1, "ask for credentials");
  CHECK(socket.read<int>(SOL_SOCKET, SO_PASSCRED, "read") == 1);
  CHECK_FALSE(socket.try_set(SOL_SOCKET, 9999, 1));
  CHECK_THROWS_WITH(socket.set(SOL_SOCKET, 9999, 1, "set", "nothing"),
                    "set nothing: Protocol not available");
  CHECK_THROWS_AS(socket.read<int>(SOL_SOCKET, 9999, "read", "nothing"), OsError);
}

TEST_CASE("a filter is taken off again") {
  MCR_NOT_EMULATED("SO_DETACH_FILTER");
  const Socket socket(AF_UNIX, SOCK_DGRAM);
  REQUIRE(socket.attach_filter(pass_nothing));
  CHECK(socket.detach_filter());
  CHECK_FALSE(socket.detach_filter());
  CHECK(errno == ENOENT);
}

TEST_CASE("a buffer is granted twice, up to the system's limits") {
  const Socket socket(AF_UNIX, SOCK_DGRAM);
  CHECK(socket.ask_for_buffer(SocketBuffer::send, 20'000) == 40'000);
  CHECK(socket.ask_for_buffer(SocketBuffer::receive, 20'000) == 40'000);
  CHECK(socket.ask_for_buffer(SocketBuffer::receive, 0) > 0);
}
