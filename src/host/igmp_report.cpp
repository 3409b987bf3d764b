// IGMPv3 and MLDv2 differ in their type, the length of an address and nothing else: a header of
// 8 bytes, then records of 4 bytes, the group and its sources.
#include "mcr/host/igmp_report.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <span>

#include "mcr/base/inet_checksum.hpp"

namespace mcr {

namespace {

constexpr std::uint8_t igmp2_report = 0x16;
constexpr std::uint8_t igmp3_report = 0x22;
constexpr std::uint8_t mld2_report = 143;
constexpr std::uint8_t mode_is_include = 1;
constexpr std::uint8_t mode_is_exclude = 2;
constexpr std::size_t header_bytes = 8;
constexpr std::size_t record_bytes = 4;
constexpr std::size_t count_at = 6;

using Bytes = std::vector<std::uint8_t>;

void put16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8U);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void append(Bytes& bytes, const IpAddress& address) {
  bytes.insert(bytes.end(), address.bytes().begin(), address.bytes().end());
}

std::size_t checksum(const Bytes& bytes) {
  const auto sum = inet_checksum::fold(inet_checksum::sum(std::as_bytes(std::span(bytes))));
  return ntohs(static_cast<std::uint16_t>(~sum));
}

void put_checksum(Bytes& bytes) {
  put16(bytes, 2, checksum(bytes));
}

ReportMessage igmp2_message(const IpAddress& group) {
  ReportMessage message{group, {igmp2_report, 0, 0, 0}};
  append(message.bytes, group);
  put_checksum(message.bytes);
  return message;
}

class RecordWriter {
 public:
  RecordWriter(ReportVersion version, std::size_t most_bytes)
      : is_mld_(version == ReportVersion::mld2), most_bytes_(most_bytes) {}

  void add(const GroupReport& report) {
    if (report.sources.empty()) return add(report.group, mode_is_exclude, report.excluded);
    const auto each = report.group.bytes().size();
    const auto most = (most_bytes_ - header_bytes - record_bytes - each) / each;
    auto left = std::span(report.sources);
    while (!left.empty()) {
      const auto part = left.first(std::min(left.size(), most));
      add(report.group, mode_is_include, part);
      left = left.subspan(part.size());
    }
  }

  std::vector<ReportMessage> finish() && {
    for (auto& message : messages_)
      if (!is_mld_) put_checksum(message.bytes);
    return std::move(messages_);
  }

 private:
  void add(const IpAddress& group, std::uint8_t mode, std::span<const IpAddress> sources) {
    const auto size = record_bytes + group.bytes().size() * (1 + sources.size());
    if (messages_.empty() || messages_.back().bytes.size() + size > most_bytes_) start();
    auto& bytes = messages_.back().bytes;
    const auto at = bytes.size();
    bytes.insert(bytes.end(), {mode, 0, 0, 0});
    put16(bytes, at + 2, sources.size());
    append(bytes, group);
    for (const auto& source : sources)
      append(bytes, source);
    put16(bytes, count_at, ++records_);
  }

  void start() {
    const auto routers = IpAddress::parse(is_mld_ ? "ff02::16" : "224.0.0.22").value();
    Bytes header(header_bytes);
    header[0] = is_mld_ ? mld2_report : igmp3_report;
    messages_.push_back({routers, std::move(header)});
    records_ = 0;
  }

  bool is_mld_;
  std::size_t most_bytes_;
  std::size_t records_ = 0;
  std::vector<ReportMessage> messages_;
};

Bytes igmp_packet_from_nobody(const ReportMessage& message) {
  // Version, 24 bytes of header; type of service; length; id, DF; TTL, IGMP, checksum; source.
  Bytes packet{0x46, 0xC0, 0, 0, 0, 0, 0x40, 0, 1, 2, 0, 0, 0, 0, 0, 0};
  append(packet, message.destination);
  packet.insert(packet.end(), {0x94, 4, 0, 0});  // Router Alert, RFC 2113
  put16(packet, 2, packet.size() + message.bytes.size());
  put16(packet, 10, checksum(packet));
  packet.insert(packet.end(), message.bytes.begin(), message.bytes.end());
  return packet;
}

/// The checksum covers a pseudo header, too (RFC 8200, 8.1).
Bytes mld_packet_from_nobody(const ReportMessage& message) {
  constexpr std::uint8_t icmpv6 = 58;
  constexpr std::array<std::uint8_t, 8> router_alert{icmpv6, 0, 5, 2, 0, 0, 1, 0};  // RFC 2711
  auto body = message.bytes;
  Bytes summed(16);
  append(summed, message.destination);
  summed.resize(summed.size() + 8);
  put16(summed, 34, body.size());
  summed.back() = icmpv6;
  summed.insert(summed.end(), body.begin(), body.end());
  put16(body, 2, checksum(summed));

  Bytes packet{0x60, 0, 0, 0, 0, 0, 0, 1};  // version; length; hop-by-hop options, hop limit
  put16(packet, 4, router_alert.size() + body.size());
  packet.resize(packet.size() + 16);
  append(packet, message.destination);
  packet.insert(packet.end(), router_alert.begin(), router_alert.end());
  packet.insert(packet.end(), body.begin(), body.end());
  return packet;
}

}  // namespace

std::vector<std::uint8_t> packet_from_nobody(const ReportMessage& message) {
  return message.destination.is_v6() ? mld_packet_from_nobody(message)
                                     : igmp_packet_from_nobody(message);
}

std::vector<ReportMessage> membership_reports(std::span<const GroupReport> groups,
                                              ReportVersion version, std::size_t most_bytes) {
  if (version == ReportVersion::igmp2) {
    std::vector<ReportMessage> messages;
    for (const auto& report : groups)
      messages.push_back(igmp2_message(report.group));
    return messages;
  }
  RecordWriter writer(version, most_bytes);
  for (const auto& report : groups)
    writer.add(report);
  return std::move(writer).finish();
}

}  // namespace mcr
