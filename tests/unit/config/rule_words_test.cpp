#include "mcr/config/rule_words.hpp"

#include "catch.hpp"
#include "mcr/base/error.hpp"

namespace {

using mcr::read_setting;
using mcr::read_words;

std::string words(const char* text, const char* table = "input") {
  return read_words(text, table).dump();
}

TEST_CASE("words: each value is read as its key takes it") {
  CHECK(words("interface=eth0,group=239.1.1.1,port=5000") ==
        R"({"group":"239.1.1.1","interface":"eth0","port":5000})");
  CHECK(words("port=5000-5010") == R"({"port":"5000-5010"})");
  CHECK(words("interface=5") == R"({"interface":"5"})");
  CHECK(words("local=true,vlan=7") == R"({"local":true,"vlan":7})");
  CHECK(words("ttl=8,dscp=EF,loopback=false,max_bps=10 Mbit", "output") ==
        R"({"dscp":"EF","loopback":false,"max_bps":"10 Mbit","ttl":8})");
  CHECK(words("group=ff15::1") == R"({"group":"ff15::1"})");
  CHECK(words("what=7,ever=x") == R"({"ever":"x","what":7})");
}

TEST_CASE("words: one value stands for a list, and lists have brackets") {
  CHECK(words("sources=10.0.0.5") == R"({"sources":["10.0.0.5"]})");
  CHECK(words("sources=[10.0.0.5,!10.0.0.6],port=5") ==
        R"({"port":5,"sources":["10.0.0.5","!10.0.0.6"]})");
  CHECK(words("sources=[]") == R"({"sources":[]})");
}

TEST_CASE("words: quotes hold what would end a value") {
  CHECK(words(R"(interface="a,b=c\"]",port=5)") == R"({"interface":"a,b=c\"]","port":5})");
}

TEST_CASE("words: what is no words is refused") {
  for (const char* text : {"", "eth0", "=eth0", "a=1,", "a=1,b", "a=[1", "a={b=1", R"(a="b)",
                           "a=1,a=2", "a=[1]x", "a={}", "a=[[[[[[[[[[[[[[[["})
    CHECK_THROWS_AS(read_words(text, "input"), mcr::Failure);
}

TEST_CASE("words: a setting of a rule") {
  const auto plain = read_setting("comment=five, or 5");
  CHECK(plain.path == std::vector<std::string>{"comment"});
  CHECK(plain.value == "five, or 5");
  CHECK(read_setting("comment=5").value == "5");
  CHECK(read_setting("enabled=false").value == false);
  CHECK(read_setting("expect={min_pps=100,silent_after=2s}").value.dump() ==
        R"({"min_pps":100,"silent_after":"2s"})");
  const auto deep = read_setting("expect.min_pps=100");
  CHECK(deep.path == std::vector<std::string>{"expect", "min_pps"});
  CHECK(deep.value == 100);
  CHECK(read_setting("expect.silent_after=2s").value == "2s");
  CHECK(read_setting("consume=auto").value == "auto");
  CHECK(read_setting("consume=true").value == true);
  CHECK_THROWS_AS(read_setting("comment"), mcr::Failure);
  CHECK_THROWS_AS(read_setting(".a=1"), mcr::Failure);
  CHECK_THROWS_AS(read_setting("a..b=1"), mcr::Failure);
}

}  // namespace
