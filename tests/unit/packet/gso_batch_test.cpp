#include "mcr/packet/gso_batch.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using mcr::GsoBatch;
using mcr::Run;
namespace limits = mcr::gso_limits;

namespace {

GsoBatch message_of(std::uint32_t segment, std::uint32_t datagrams) {
  GsoBatch message;
  for (std::uint32_t i = 0; i < datagrams; ++i)
    mcr::gso::append(message, {segment, segment, 1, 1});
  return message;
}

Run single(std::uint32_t bytes) {
  return {bytes, bytes, 1, 1};
}

}  // namespace

TEST_CASE("what may join a message") {
  struct Case {
    std::string name;
    GsoBatch message;
    Run run;
    bool expected;
  };
  auto closed = message_of(1400, 3);
  mcr::gso::append(closed, single(700));
  const std::vector<Case> cases{
      {"same size", message_of(1400, 3), single(1400), true},
      {"shorter last", message_of(1400, 3), single(1), true},
      {"longer", message_of(1400, 3), single(1401), false},
      {"after a shorter one", closed, single(700), false},
      {"the same size again after a shorter one", closed, single(1400), false},
      {"empty datagram", message_of(1400, 3), single(0), false},
      {"to an empty datagram", message_of(0, 1), single(0), false},
      {"64 datagrams are the most", message_of(100, 63), single(100), true},
      {"a 65th", message_of(100, 64), single(100), false},
      {"64 kB are the most", message_of(1400, 46), single(1400), false},
      {"a superframe of the same segments", message_of(1000, 2), {1000, 20000, 20, 6}, true},
      {"a superframe with a shorter last", message_of(1000, 2), {1000, 19500, 20, 6}, true},
      {"a superframe of shorter segments", message_of(1000, 2), {900, 18000, 20, 6}, false},
      {"17 pages are the most", message_of(1400, 17), single(1400), false},
      {"up to 17 pages", message_of(1400, 16), single(1400), true},
  };
  for (const auto& test : cases) {
    INFO(test.name);
    const auto pages = test.message.datagrams > 17 ? 1000 : limits::pages;
    CHECK(mcr::gso::can_append(test.message, test.run, pages) == test.expected);
  }
}

TEST_CASE("joining adds up") {
  GsoBatch message;
  mcr::gso::append(message, {1000, 19500, 20, 6});
  CHECK(message.segment == 1000);
  CHECK(message.bytes == 19500);
  CHECK(message.datagrams == 20);
  CHECK(message.pieces == 1);
  CHECK(message.pages == 6);
  CHECK(message.closed);
}

TEST_CASE("a message has room while one more as large as the others may join") {
  CHECK(mcr::gso::can_grow(message_of(1400, 45)));
  CHECK_FALSE(mcr::gso::can_grow(message_of(1400, 46)));
  CHECK_FALSE(mcr::gso::can_grow(message_of(100, 64)));
  auto closed = message_of(1400, 2);
  mcr::gso::append(closed, single(700));
  CHECK_FALSE(mcr::gso::can_grow(closed));
}

TEST_CASE("datagrams of one message") {
  CHECK(mcr::gso::datagrams_per_message(0) == 1);
  CHECK(mcr::gso::datagrams_per_message(1) == 64);
  CHECK(mcr::gso::datagrams_per_message(1023) == 64);
  CHECK(mcr::gso::datagrams_per_message(1400) == 46);
  CHECK(mcr::gso::datagrams_per_message(40000) == 1);
  CHECK(mcr::gso::datagrams_per_message(70000) == 1);
}
