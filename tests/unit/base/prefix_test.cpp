#include "mcr/base/prefix.hpp"

#include "catch.hpp"

using namespace mcr;

namespace {

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

}  // namespace

TEST_CASE("prefix: from its first to its last address") {
  struct Row {
    const char* address;
    unsigned bits;
    const char* text;
    const char* last;
  };
  for (const auto& row : {
           Row{"10.1.2.3", 32, "10.1.2.3", "10.1.2.3"},
           Row{"10.1.2.3", 31, "10.1.2.2/31", "10.1.2.3"},
           Row{"10.1.2.3", 24, "10.1.2.0/24", "10.1.2.255"},
           Row{"10.1.2.3", 20, "10.1.0.0/20", "10.1.15.255"},
           Row{"10.1.2.3", 0, "0.0.0.0/0", "255.255.255.255"},
           Row{"239.1.1.1", 4, "224.0.0.0/4", "239.255.255.255"},
           Row{"ff15::1:2", 128, "ff15::1:2", "ff15::1:2"},
           Row{"ff15::1:2", 120, "ff15::1:0/120", "ff15::1:ff"},
           Row{"2001:db8::5", 33, "2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
       }) {
    const Prefix prefix(ip(row.address), row.bits);
    CHECK(prefix.str() == row.text);
    CHECK(prefix.last() == ip(row.last));
    CHECK(prefix.contains(ip(row.address)));
    CHECK(prefix.contains(prefix.first()));
    CHECK(prefix.contains(prefix.last()));
    if (prefix.bits() != 0) CHECK_FALSE(prefix.contains(prefix.last().plus(1)));
  }
}

TEST_CASE("prefix: text is read") {
  CHECK(Prefix::parse("10.1.2.3/24") == Prefix(ip("10.1.2.0"), 24));
  CHECK(Prefix::parse("10.1.2.3") == Prefix(ip("10.1.2.3")));
  CHECK(Prefix::parse("ff15::/120") == Prefix(ip("ff15::"), 120));
  for (const char* text : {"10.1.2.3/33", "10.1.2.3/", "10.1.2.3/x", "10.1.2.3/-1", "10.1.2.3/8 ",
                           "10.1.2/8", "/8", "", "ff15::/129"})
    CHECK_FALSE(Prefix::parse(text));
}

TEST_CASE("prefix: a single address is one") {
  const Prefix one = ip("10.0.0.5");
  CHECK(one.is_single());
  CHECK(one.contains(ip("10.0.0.5")));
  CHECK_FALSE(one.contains(ip("10.0.0.6")));
  CHECK_FALSE(one.contains(ip("::5")));
  CHECK_FALSE(Prefix(ip("10.0.0.5"), 31).is_single());
}
