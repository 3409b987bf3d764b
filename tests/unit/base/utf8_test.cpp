#include "mcr/base/utf8.hpp"

#include <string_view>

#include "catch.hpp"

TEST_CASE("utf8: how much of a text is valid") {
  using namespace std::string_view_literals;
  for (const auto text : {""sv, "abc\0d"sv, "caf\u00e9"sv, "\u6f14\U0001f4e1"sv}) {
    INFO(text);
    CHECK(mcr::valid_utf8(text) == text.size());
  }
  CHECK(mcr::valid_utf8("caf\xe9") == 3);
  CHECK(mcr::valid_utf8("\xff\xfe") == 0);
  CHECK(mcr::valid_utf8("a\xc0\x80") == 1);     // overlong
  CHECK(mcr::valid_utf8("\xed\xa0\x80") == 0);  // a surrogate
}
