#include "mcr/base/printable.hpp"

#include "catch.hpp"

using mcr::front_within;
using mcr::text_width;

TEST_CASE("printable: the width of a text is in columns") {
  CHECK(text_width("") == 0);
  CHECK(text_width("studio-a") == 8);
  CHECK(text_width("caf\u00e9") == 4);
  CHECK(text_width("cafe\u0301") == 4);  // e and a combining acute accent
  CHECK(text_width("\u4e2d\u6587 a") == 6);
  CHECK(text_width("\uff21") == 2);  // fullwidth A
  CHECK(text_width("\xff") == 1);
}

TEST_CASE("printable: a front keeps to its columns and cuts no character") {
  CHECK(front_within("studio", 3) == "stu");
  CHECK(front_within("studio", 9) == "studio");
  CHECK(front_within("\u4e2d\u6587", 3) == "\u4e2d");
  CHECK(front_within("\u4e2d\u6587", 1).empty());
  CHECK(front_within("e\u0301a", 1) == "e\u0301");
}
