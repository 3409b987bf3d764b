#include "mcr/packet/dns_message.hpp"

#include <random>
#include <vector>

#include "catch.hpp"
#include "packet/dns_builder.hpp"

using namespace mcr;

namespace {

using Names = std::vector<std::string>;

Names names_in(std::span<const std::byte> bytes, bool malformed = false) {
  DnsMessage message(bytes);
  Names names;
  while (const auto name = message.next())
    names.emplace_back(name->text());
  CHECK(message.malformed() == malformed);
  return names;
}

}  // namespace

TEST_CASE("dns message: names of questions, records and what PTR records point to") {
  const auto query = DnsBuilder().question("_IPP._tcp.local").question("host.local", 1);
  CHECK(names_in(query.bytes()) == Names{"_ipp._tcp.local", "host.local"});
  CHECK_FALSE(DnsMessage(query.bytes()).is_response());
  const auto answer = DnsBuilder(true)
                          .pointer_answer("_ipp._tcp.local", "My Printer._ipp._tcp.local")
                          .answer("host.local", DnsBuilder::address, "abcd");
  CHECK(names_in(answer.bytes()) ==
        Names{"_ipp._tcp.local", "my?printer._ipp._tcp.local", "host.local"});
  CHECK(DnsMessage(answer.bytes()).is_response());
  CHECK(names_in(DnsBuilder().bytes()).empty());
}

TEST_CASE("dns message: pointers lead back, and nowhere else") {
  // "x" and a pointer to the name of the question, which begins at 12.
  const auto good = DnsBuilder(true).question("_ipp._tcp.local").raw(std::string("", 0));
  auto text = good.text();
  text[7] = 1;
  text += std::string("\x01x\xC0\x0C\0\x0C\0\x01\0\0\0\0\0\x02\xC0\x0C", 16);
  const auto bytes = [](const std::string& of) { return std::as_bytes(std::span(of)); };
  CHECK(names_in(bytes(text)) == Names{"_ipp._tcp.local", "x._ipp._tcp.local", "_ipp._tcp.local"});
  for (const auto* tail : {"\xC0\x21", "\xC0\x0B", "\xC0\x01", "\xFF\xFF", "\x40x", "\xC0"}) {
    auto wrong = text.substr(0, 12);
    wrong += tail;
    wrong += std::string("\0\0\0\0", 4);
    names_in(bytes(wrong), true);
  }
}

TEST_CASE("dns message: cut anywhere it is malformed, and nothing is read behind its end") {
  const auto whole = DnsBuilder(true)
                         .question("_ipp._tcp.local")
                         .pointer_answer("_ipp._tcp.local", "a._ipp._tcp.local");
  for (std::size_t bytes = 0; bytes < whole.bytes().size(); ++bytes) {
    const std::vector<std::byte> part(whole.bytes().begin(),
                                      whole.bytes().begin() + static_cast<std::ptrdiff_t>(bytes));
    names_in(part, true);
  }
}

TEST_CASE("dns message: a name has at most 255 bytes") {
  std::string label(63, 'a');
  const auto three = label + '.' + label + '.' + label + '.';
  CHECK(names_in(DnsBuilder().question(three + std::string(63, 'b')).bytes()).size() == 1);
  auto builder = DnsBuilder().question(three + std::string(60, 'b') + ".cc.dd");
  names_in(builder.bytes(), true);
}

TEST_CASE("dns message: random bytes end, too") {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes(random() % 80);
    for (auto& byte : bytes)
      byte = static_cast<std::byte>(random() % 4 == 0 ? 0xC0 + random() % 2 : random() % 20);
    DnsMessage message(bytes);
    std::size_t names = 0;
    while (message.next())
      ++names;
    CHECK(names <= 2 * bytes.size());
  }
}
