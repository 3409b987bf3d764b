#include "mcr/rules/slot_allocator.hpp"

#include <string>

#include "catch.hpp"

using namespace mcr;

TEST_CASE("a superseded index goes to the next key only after it was given back") {
  SlotAllocator<std::string> slots(2);
  CHECK(*slots.add("a") == 0);
  CHECK(*slots.add("b") == 1);
  CHECK(*slots.add("a") == 0);
  CHECK_FALSE(slots.add("c"));
  slots.remove_if([](const std::string& key, std::uint32_t) { return key == "a"; });
  CHECK(*slots.add("c") == 0);
  CHECK_FALSE(slots.find("a"));
}
