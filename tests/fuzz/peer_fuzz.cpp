// Input that strangers send beside the packets: a request of HTTP, or the answer to one, and
// datagrams to a sink.
// The first byte tells which.
#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "mcr/program/http.hpp"
#include "mcr/traffic/test_datagram.hpp"
#include "require.hpp"

using mcr::test::require;

namespace {

/// Takes values off the input; zeros when it has ended.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> left) : left_(left) {}

  [[nodiscard]] bool ended() const { return left_.empty(); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return left_; }

  template <typename Value>
  Value take() {
    Value value = 0;
    const auto size = std::min(sizeof value, left_.size());
    std::memcpy(&value, left_.data(), size);
    left_ = left_.subspan(size);
    return value;
  }

 private:
  std::span<const std::uint8_t> left_;
};

/// A text of a request is a part of what was received.
void check_inside(std::string_view received, std::string_view part) {
  require(part.empty() || (part.data() >= received.data() &&
                           part.data() + part.size() <= received.data() + received.size()));
}

/// A list has the tags that stand in it, and what it has strongly, it has weakly.
void check_tags(std::string_view list) {
  constexpr std::string_view tag = "\"5\"";
  require(!mcr::http::has_tag(list, "", true));
  if (mcr::http::has_tag(list, tag, false)) require(mcr::http::has_tag(list, tag, true));
  require(mcr::http::has_tag("\"5\", " + std::string(list), tag, false));
  require(mcr::http::has_tag("W/\"5\"," + std::string(list), tag, true));
}

/// An answer of a server; and what we answer can be read.
void check_answer(std::string_view received) {
  if (const auto answer = mcr::http::parse_answer(received)) {
    check_inside(received, answer->content);
    require(answer->status >= 100 && answer->status <= 999);
  }
  const auto ours = mcr::http::to_text(
      {.status = mcr::http::Status::conflict, .content = std::string(received)}, true);
  const auto again = mcr::http::parse_answer(ours);
  require(again && again->status == 409 && again->content == received);
}

void check_request(std::string_view received) {
  const auto parsed = mcr::http::parse(received);
  if (const auto* refused = std::get_if<mcr::http::Response>(&parsed)) {
    require(static_cast<unsigned>(refused->status) >= 400 && !refused->content.empty());
    require(to_text(*refused, true).ends_with("\r\n\r\n" + refused->content));
  }
  const auto* request = std::get_if<mcr::http::Request>(&parsed);
  if (request == nullptr) return;
  for (const auto part :
       {request->method, request->path, request->query, request->host, request->origin.value_or(""),
        request->if_match.value_or(""), request->if_none_match.value_or(""), request->last_event_id,
        request->content})
    check_inside(received, part);
  require(request->path.starts_with('/') && !request->method.empty());
  require(request->content.size() <= mcr::http::longest_content);
  for (const auto list : {request->if_match, request->if_none_match})
    if (list) check_tags(*list);
  if (const auto text = mcr::http::unescape(request->path))
    require(text->size() <= request->path.size());
  static_cast<void>(mcr::http::query_value(request->query, "known"));
  static_cast<void>(mcr::http::is_trusted_host(request->host, {}));
  // Bytes behind a whole request does not change it.
  const auto more = std::string(received) + "GET";
  const auto again = mcr::http::parse(more);
  const auto* same = std::get_if<mcr::http::Request>(&again);
  require(same != nullptr && same->path == request->path && same->content == request->content);
}

/// As SequenceTracker, with all that it ever saw instead of a window of bits.
struct Reference {
  void saw(std::uint64_t sequence) {
    if (all.empty()) {
      first = highest = sequence;
    } else if (sequence > highest) {
      lost += sequence - highest - 1;
      highest = sequence;
    } else if (highest - sequence >= mcr::SequenceTracker::window) {
      ++reordered;
      return;
    } else if (all.contains(sequence)) {
      ++duplicated;
    } else {
      ++reordered;
      lost -= sequence > first ? 1 : 0;
    }
    all.insert(sequence);
  }

  std::set<std::uint64_t> all;
  std::uint64_t first = 0, highest = 0, lost = 0, duplicated = 0, reordered = 0;
};

/// Sequence numbers that go on from each other, forwards and backwards, and jump now and then.
void check_sequence(Bytes bytes) {
  mcr::SequenceTracker tracker;
  Reference reference;
  for (std::uint64_t sequence = 0; !bytes.ended();) {
    const auto step = bytes.take<std::int16_t>();
    sequence =
        step == 0 ? bytes.take<std::uint64_t>() : sequence + static_cast<std::uint64_t>(step);
    tracker.saw(sequence);
    reference.saw(sequence);
    require(tracker.lost() == reference.lost);
    require(tracker.duplicated() == reference.duplicated);
    require(tracker.reordered() == reference.reordered);
  }
}

/// A datagram that was written can be read; with a byte changed, or cut off, it is corrupt.
void check_written(Bytes bytes) {
  const auto size = mcr::probe_header_bytes + bytes.take<std::uint16_t>() % 2048;
  const mcr::Probe probe{bytes.take<std::uint32_t>(), bytes.take<std::uint64_t>(),
                         bytes.take<std::uint64_t>()};
  const mcr::ProbeWriter writer(size);
  std::vector<std::uint8_t> payload(size);
  writer.fill(payload);
  writer.stamp(payload, probe);
  require(mcr::read_probe(payload) == probe);
  const auto at = bytes.take<std::uint16_t>() % size;
  const auto change = bytes.take<std::uint8_t>();
  payload[at] ^= change;
  require(mcr::read_probe(payload).has_value() == (change == 0));
  require(!mcr::read_probe(std::span(payload).first(size - 1)));
}

/// Datagrams of any content to any group.
void check_judge(Bytes bytes) {
  constexpr std::uint32_t groups = 4;
  mcr::TrafficJudge judge(groups);
  std::uint64_t sent = 0;
  for (; !bytes.ended(); ++sent) {
    const auto group = bytes.take<std::uint8_t>() % groups;
    const auto size = std::min<std::size_t>(bytes.take<std::uint8_t>(), bytes.rest().size());
    const auto datagram = bytes.rest().first(size);
    const std::vector<std::uint8_t> payload(datagram.begin(), datagram.end());
    bytes = Bytes(bytes.rest().subspan(size));
    judge.received(group, payload, 1);
  }
  require(judge.totals().received == sent && judge.totals().corrupt <= sent);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes({data, size});
  const auto text = [&] {
    return std::string_view(reinterpret_cast<const char*>(bytes.rest().data()),
                            bytes.rest().size());
  };
  switch (bytes.take<std::uint8_t>() % 4) {
    case 0:
      check_request(text());
      check_answer(text());
      break;
    case 1:
      check_sequence(bytes);
      break;
    case 2:
      check_written(bytes);
      break;
    default:
      check_judge(bytes);
  }
  return 0;
}
