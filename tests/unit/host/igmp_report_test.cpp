#include "mcr/host/igmp_report.hpp"

#include <fmt/format.h>

#include "catch.hpp"

using namespace mcr;

namespace {

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

std::string hex(const ReportMessage& message) {
  std::string text;
  for (std::size_t i = 0; i < message.bytes.size(); ++i)
    text += fmt::format("{}{:02x}", i != 0 && i % 4 == 0 ? " " : "", message.bytes[i]);
  return text;
}

/// RFC 1071: with its own checksum in it, the sum is all ones.
bool checksum_holds(const ReportMessage& message) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < message.bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(message.bytes[i] << 8U | message.bytes[i + 1]);
  while (sum >> 16U != 0)
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  return sum == 0xFFFF;
}

}  // namespace

TEST_CASE("membership reports: IGMPv3") {
  const GroupReport groups[] = {{ip("239.1.1.1"), {}},
                                {ip("232.1.1.1"), {ip("10.0.0.5"), ip("10.0.0.6")}}};
  const auto messages = membership_reports(groups, ReportVersion::igmp3, 1400);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].destination == ip("224.0.0.22"));
  CHECK(hex(messages[0]) ==
        "2200edea 00000002 02000000 ef010101 01000002 e8010101 0a000005 0a000006");
  CHECK(checksum_holds(messages[0]));
}

TEST_CASE("membership reports: IGMPv2, one for each group, sent to the group") {
  const GroupReport groups[] = {{ip("239.1.1.1"), {}}, {ip("239.1.1.2"), {ip("10.0.0.5")}}};
  const auto messages = membership_reports(groups, ReportVersion::igmp2, 1400);
  REQUIRE(messages.size() == 2);
  CHECK(messages[1].destination == ip("239.1.1.2"));
  CHECK(hex(messages[0]) == "1600f9fc ef010101");
  CHECK(checksum_holds(messages[1]));
}

TEST_CASE("membership reports: MLDv2") {
  const GroupReport groups[] = {{ip("ff15::1"), {ip("2001:db8::5")}}};
  const auto messages = membership_reports(groups, ReportVersion::mld2, 1400);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].destination == ip("ff02::16"));
  CHECK(hex(messages[0]) ==
        "8f000000 00000001 01000001 ff150000 00000000 00000000 00000001 "
        "20010db8 00000000 00000000 00000005");
}

TEST_CASE("membership reports: from nobody, as whole packets") {
  const GroupReport four[] = {{ip("239.1.1.1"), {}}};
  const auto igmp = packet_from_nobody(membership_reports(four, ReportVersion::igmp3, 1400)[0]);
  CHECK(hex({{}, igmp}) ==
        "46c00028 00004000 010203fa 00000000 e0000016 94040000 "
        "2200ebfb 00000001 02000000 ef010101");
  const GroupReport six[] = {{ip("ff15::1"), {}}};
  const auto mld = packet_from_nobody(membership_reports(six, ReportVersion::mld2, 1400)[0]);
  CHECK(hex({{}, mld}) ==
        "60000000 00240001 00000000 00000000 00000000 00000000 "
        "ff020000 00000000 00000000 00000016 3a000502 00000100 "
        "8f007078 00000001 02000000 ff150000 00000000 00000000 00000001");
}

TEST_CASE("membership reports: what is too much for one message goes into several") {
  std::vector<GroupReport> groups;
  for (std::uint32_t i = 0; i < 100; ++i)
    groups.push_back({ip("239.1.0.0").plus(i), {}});
  const auto messages = membership_reports(groups, ReportVersion::igmp3, 8 + 40 * 8);
  REQUIRE(messages.size() == 3);
  CHECK(messages[0].bytes[7] == 40);
  CHECK(messages[0].bytes.size() == 8 + 40 * 8);
  CHECK(messages[2].bytes[7] == 20);

  std::vector<IpAddress> sources;
  for (std::uint32_t i = 0; i < 25; ++i)
    sources.push_back(ip("10.0.0.0").plus(i));
  const GroupReport many[] = {{ip("232.1.1.1"), sources}};
  const auto parts = membership_reports(many, ReportVersion::igmp3, 64);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].bytes.size() == 64);
  CHECK(parts[0].bytes[11] == 12);
  CHECK(parts[2].bytes[11] == 1);
  for (const auto& part : parts)
    CHECK(checksum_holds(part));
}
