#include "mcr/base/error.hpp"

#include <cerrno>

#include "catch.hpp"

TEST_CASE("error: an errno has a name, and the name an errno") {
  CHECK(mcr::errno_name(ENOBUFS) == "ENOBUFS");
  CHECK(mcr::errno_name(0).empty());
  CHECK(mcr::errno_name(-1).empty());
  CHECK(mcr::errno_name(3000).empty());
  CHECK(mcr::errno_named("ENODEV") == ENODEV);
  CHECK(mcr::errno_named("EAGAIN") == EAGAIN);
  CHECK(mcr::errno_named("") == 0);
  CHECK(mcr::errno_named("ENOSUCH") == 0);
}
