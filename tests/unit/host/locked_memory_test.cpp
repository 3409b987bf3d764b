#include "mcr/host/locked_memory.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <sstream>

#include "catch.hpp"

using namespace mcr;

TEST_CASE("locked and pinned memory of a process are one sum") {
  std::istringstream status(
      "Name:\tmcr\nUid:\t1000\t0\t0\t0\nVmLck:\t      64 kB\nVmPin:\t    4352 kB\n");
  const auto memory = read_locked_memory(status);
  REQUIRE(memory);
  CHECK(memory->program == "mcr");
  CHECK(memory->user == 1000);
  CHECK(memory->bytes == 4416 * 1024);
  std::istringstream thread("Name:\tkthreadd\nUid:\t0\t0\t0\t0\n");
  CHECK(read_locked_memory(thread)->bytes == 0);
  std::istringstream gone("");
  CHECK_FALSE(read_locked_memory(gone));
}

TEST_CASE("the limit of locked memory is named with who holds it") {
  rlimit before{};
  ::getrlimit(RLIMIT_MEMLOCK, &before);
  const rlimit low{std::min<rlim_t>(before.rlim_max, 64 << 10), before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_MEMLOCK, &low) == 0);
  alignas(4096) static char page[4096];
  REQUIRE(::mlock(page, sizeof page) == 0);
  const auto text = about_locked_memory();
  ::munlock(page, sizeof page);
  ::setrlimit(RLIMIT_MEMLOCK, &before);
  CHECK(text.find("RLIMIT_MEMLOCK = 64 KiB") != std::string::npos);
  CHECK(text.find("LimitMEMLOCK=infinity") != std::string::npos);
  CHECK(text.find(" KiB") != text.rfind(" KiB"));  // who has locked a page: this program, or more
}
