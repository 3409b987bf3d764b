// A datagram that was received has the frame that came; a superframe's headers are made those of
// each of its datagrams. Copies, and what was dropped on the way out, have IP headers made of what
// their message said.
#include "mcr/control/capture_reader.hpp"

#include <algorithm>

#include "mcr/packet/datagram_headers.hpp"
#include "mcr/packet/drop_reason.hpp"

namespace mcr {

namespace {

using What = CapturedDatagram::What;

constexpr std::uint8_t default_ttl = 64;  // ip(7): net.ipv4.ip_default_ttl

const TableRx* find_rx(const RuleTable& table, std::uint16_t slot) {
  const auto found = std::ranges::find(table.rx(), slot, &TableRx::slot);
  return found == table.rx().end() ? nullptr : &*found;
}

const TableTx* find_tx(const RuleTable& table, std::uint16_t slot) {
  const auto found = std::ranges::find(table.tx(), slot, &TableTx::slot);
  return found == table.tx().end() ? nullptr : &*found;
}

std::string comment_of(const CapturedDatagram& datagram, const std::string& interface) {
  const std::size_t reason = datagram.reason;
  if (datagram.what == What::input_drop && reason < input_drop_names.size())
    return std::string(input_drop_names[reason]);
  if (datagram.what != What::output_drop || reason >= output_drop_names.size()) return {};
  return std::string(output_drop_names[reason]) + " at output " + interface;
}

}  // namespace

std::uint32_t CaptureReader::number_of(const Place& place) {
  const auto known = std::ranges::find(places_, place);
  const auto number = static_cast<std::uint32_t>(known - places_.begin());
  if (known != places_.end()) return number;
  places_.push_back(place);
  heads_ += pcapng::interface_description(place.interface, place.type, capture_->wish().snap);
  return number;
}

CaptureReader::Timed CaptureReader::packet_block(const CapturedDatagram& datagram,
                                                 std::span<const std::byte> header,
                                                 std::span<const std::byte> payload,
                                                 const RuleTable& table) {
  const bool received = datagram.what == What::received || datagram.what == What::input_drop;
  Place place{"(gone)", pcapng::LinkType::raw};
  std::vector<std::byte> bytes(header.begin(), header.end());
  if (received) {
    const auto* rx = find_rx(table, datagram.socket);
    const std::size_t link_header = rx == nullptr ? 0 : rx->link_header;
    if (rx != nullptr) place.interface = rx->interface;
    if (link_header != 0) place.type = pcapng::LinkType::ethernet;
    if (datagram.fit) fit_datagram_headers(bytes, link_header, payload, datagram.original);
  } else {
    HeaderFields fields{datagram.source, datagram.destination, datagram.ttl,
                        datagram.traffic_class};
    if (const auto* tx = find_tx(table, datagram.socket)) {
      place.interface = tx->interface;
      if (fields.source.port == 0) fields.source.port = tx->key.source_port;
    }
    if (fields.ttl == 0) fields.ttl = default_ttl;
    bytes = make_datagram_headers(fields, payload, datagram.original);
  }
  const auto original = static_cast<std::uint32_t>(bytes.size() + datagram.original);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  bytes.resize(std::min<std::size_t>(bytes.size(), capture_->wish().snap));
  return {datagram.time_ns,
          pcapng::enhanced_packet(
              {.interface = number_of(place),
               .time_ns = datagram.time_ns,
               .bytes = bytes,
               .original = original,
               .direction = received ? pcapng::Direction::inbound : pcapng::Direction::outbound,
               .comment = comment_of(datagram, place.interface)})};
}

void CaptureReader::open_past() {
  for (std::size_t worker = 0; worker < past_->workers(); ++worker) {
    const auto& ring = past_->ring(worker);
    before_.push_back({&ring, ring.since(capture_->wish().since_ns)});
  }
}

/// Each worker's records are in the order of time: the oldest front is the oldest of all. The past
/// is read where it lies, and goes back to the workers with its last record.
std::vector<CaptureReader::Timed> CaptureReader::take_past(const RuleTable& table) {
  std::vector<Timed> blocks;
  for (std::size_t bytes = 0; bytes < most_bytes; bytes += blocks.back().block.size()) {
    std::erase_if(before_, [](const Kept& kept) { return kept.empty(); });
    if (before_.empty()) break;
    auto& oldest = *std::ranges::min_element(before_, {}, [](const Kept& kept) {
      return capture_record::datagram_at(kept.front()).time_ns;
    });
    capture_record::read(oldest.front(), [&](const auto& datagram, auto header, auto payload) {
      blocks.push_back(packet_block(datagram, header, payload, table));
    });
    oldest.place = oldest.ring->next(oldest.place);
  }
  if (before_.empty()) {
    past_.reset();
    capture_->past_is_read();
  }
  return blocks;
}

std::vector<CaptureReader::Timed> CaptureReader::take_present(const RuleTable& table) {
  std::vector<Timed> blocks;
  auto& rings = capture_->rings();
  for (auto& ring : rings)
    for (std::size_t bytes = 0; bytes < most_bytes / rings.size();) {
      const bool any = ring.take([&](const auto& datagram, auto header, auto payload) {
        blocks.push_back(packet_block(datagram, header, payload, table));
      });
      if (!any) break;
      bytes += blocks.back().block.size();
    }
  std::ranges::stable_sort(blocks, {}, &Timed::time_ns);
  return blocks;
}

std::string CaptureReader::take(const RuleTable& table) {
  std::vector<Timed> blocks;
  if (past_ != nullptr) blocks = take_past(table);
  if (blocks.empty()) blocks = take_present(table);
  datagrams_ += blocks.size();
  std::string text = begun_ ? "" : pcapng::section_header("mcr " MCR_VERSION);
  begun_ = true;
  text += std::exchange(heads_, {});
  for (const auto& one : blocks)
    text += one.block;
  const auto missed = capture_->missed();
  if (missed != told_missed_ && !blocks.empty()) {
    text += pcapng::interface_statistics(0, blocks.back().time_ns, missed);
    told_missed_ = missed;
  }
  return text;
}

}  // namespace mcr
