#include "mcr/host/thread_usage.hpp"

#include <unistd.h>

#include <sstream>

#include "catch.hpp"

using namespace mcr;
using namespace std::chrono_literals;

TEST_CASE("thread usage: the columns are counted from the end of the name") {
  std::istringstream text(
      "77 (a (b) c) R 1 77 77 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 555 8192 120 1844 1 1 0 0 "
      "0 "
      "0 0 0 0 0 0 0 17 3 0 0 0 0 0\n");
  CHECK(read_thread_usage(text, 100) == ThreadUsage{3000ms, 3});
}

TEST_CASE("thread usage: what is cut off or empty is nothing") {
  for (const auto* each :
       {"", "77", "77 (a", "77 (a) R 1 77", "77 (a) R 1 2 3 4 5 6 7 8 9 10 x y"}) {
    INFO(each);
    std::istringstream text(each);
    CHECK_FALSE(read_thread_usage(text, 100));
  }
}

TEST_CASE("thread usage: this thread has some, a thread that does not exist has none") {
  CHECK(thread_usage(::gettid()));
  CHECK_FALSE(thread_usage(0));
}
