// The value is made of one report and the one before it: counters are of the first, rates are their
// difference. JSON has its keys side by side for both directions.
#include "mcr/status/stream.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

namespace mcr::status {

namespace {

using nlohmann::json;

constexpr double ts_packet_bits = 188 * 8;

double milliseconds(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / 1e6;
}

double age_ms(std::uint64_t then_ns, std::uint64_t now_ns) noexcept {
  return milliseconds(now_ns - std::min(then_ns, now_ns));
}

/// Bits a second of TS packets; nothing without a time between.
std::optional<double> rate(std::uint64_t packets, std::uint64_t before, double seconds) noexcept {
  if (seconds <= 0) return std::nullopt;
  return static_cast<double>(packets - std::min(before, packets)) * ts_packet_bits / seconds;
}

std::vector<StreamIndicator> make_indicators(const stream::TsReport& ts, std::uint64_t now_ns) {
  std::vector<StreamIndicator> indicators;
  for (std::size_t i = 0; i < ts.indicators.size(); ++i) {
    const auto& [number, name] = stream::indicator_names[i];
    const auto& raised = ts.indicators[i];
    indicators.push_back({std::string(number), std::string(name), raised.count, std::nullopt});
    if (raised.last_ns != 0) indicators.back().age_s = age_ms(raised.last_ns, now_ns) / 1000;
  }
  return indicators;
}

std::uint64_t packets_of(const stream::TsReport* ts, std::uint16_t pid) noexcept {
  if (ts == nullptr) return 0;
  const auto found = std::ranges::find(ts->pids, pid, &stream::PidReport::pid);
  return found == ts->pids.end() ? 0 : found->packets;
}

StreamTs make_ts(const stream::TsReport& ts, std::uint64_t now_ns, const stream::TsReport* before,
                 double seconds) {
  using stream::Indicator;
  StreamTs result;
  result.packets = ts.packets;
  result.sync_losses = ts.of(Indicator::sync_loss).count;
  result.cc_errors = ts.of(Indicator::continuity).count;
  result.tei = ts.of(Indicator::transport).count;
  result.crc_errors = ts.of(Indicator::crc).count;
  result.scrambled = ts.scrambled;
  result.null_packets = ts.null_packets;
  result.psi_missed = ts.psi_missed;
  if (ts.pat_ns != 0) result.pat_age_ms = age_ms(ts.pat_ns, now_ns);
  if (ts.pmt_ns != 0) result.pmt_age_ms = age_ms(ts.pmt_ns, now_ns);
  result.pcr_gap_ms_max = milliseconds(ts.pcr_gap_max_ns);
  result.bitrate_bps = rate(ts.packets, before == nullptr ? 0 : before->packets, seconds);
  result.indicators = make_indicators(ts, now_ns);
  for (const auto& pid : ts.pids)
    result.pids.push_back({pid.pid, pid.kind, pid.packets, pid.cc_errors,
                           rate(pid.packets, packets_of(before, pid.pid), seconds)});
  return result;
}

/// The same source in the report before; null: it was not there.
const stream::SourceReport* find(const stream::StreamReport& report,
                                 const stream::SourceReport& source) noexcept {
  const auto found = std::ranges::find_if(report.sources, [&](const auto& other) {
    return other.endpoint == source.endpoint && other.id == source.id &&
           other.first_ns == source.first_ns;
  });
  return found == report.sources.end() ? nullptr : &*found;
}

json write(const std::optional<double>& number) {
  return number ? json(*number) : json();
}
std::optional<double> read_number(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}
std::uint64_t read_count(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}
std::string read_text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <typename Thing>
struct Key {
  const char* name;
  std::uint64_t Thing::*count;
};
constexpr std::array stream_keys{Key<Stream>{"sources", &Stream::sources},
                                 Key<Stream>{"received", &Stream::received},
                                 Key<Stream>{"lost", &Stream::lost},
                                 Key<Stream>{"lost_for_good", &Stream::lost_for_good},
                                 Key<Stream>{"reordered", &Stream::reordered},
                                 Key<Stream>{"duplicated", &Stream::duplicated},
                                 Key<Stream>{"restarts", &Stream::restarts}};
constexpr std::array ts_keys{Key<StreamTs>{"packets", &StreamTs::packets},
                             Key<StreamTs>{"sync_losses", &StreamTs::sync_losses},
                             Key<StreamTs>{"cc_errors", &StreamTs::cc_errors},
                             Key<StreamTs>{"tei", &StreamTs::tei},
                             Key<StreamTs>{"crc_errors", &StreamTs::crc_errors},
                             Key<StreamTs>{"scrambled", &StreamTs::scrambled},
                             Key<StreamTs>{"null_packets", &StreamTs::null_packets},
                             Key<StreamTs>{"psi_missed", &StreamTs::psi_missed}};

/// The objects of an array; what is no object is left out.
template <typename Use>
void each_object(const json& object, const char* key, Use use) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return;
  for (const auto& one : *found)
    if (one.is_object()) use(one);
}

json write_ts(const StreamTs& ts) {
  json object{{"pat_age_ms", write(ts.pat_age_ms)},  {"pmt_age_ms", write(ts.pmt_age_ms)},
              {"pcr_gap_ms_max", ts.pcr_gap_ms_max}, {"bitrate_bps", write(ts.bitrate_bps)},
              {"indicators", json::array()},         {"pids", json::array()}};
  for (const auto& [name, count] : ts_keys)
    object[name] = ts.*count;
  for (const auto& one : ts.indicators)
    object["indicators"].push_back({{"number", one.number},
                                    {"name", one.name},
                                    {"count", one.count},
                                    {"age_s", write(one.age_s)}});
  for (const auto& one : ts.pids)
    object["pids"].push_back({{"pid", one.pid},
                              {"kind", one.kind},
                              {"packets", one.packets},
                              {"cc_errors", one.cc_errors},
                              {"bps", write(one.bps)}});
  return object;
}
StreamTs read_ts(const json& object) {
  StreamTs ts;
  for (const auto& [name, count] : ts_keys)
    ts.*count = read_count(object, name);
  ts.pat_age_ms = read_number(object, "pat_age_ms");
  ts.pmt_age_ms = read_number(object, "pmt_age_ms");
  ts.pcr_gap_ms_max = read_number(object, "pcr_gap_ms_max").value_or(0);
  ts.bitrate_bps = read_number(object, "bitrate_bps");
  each_object(object, "indicators", [&](const json& one) {
    ts.indicators.push_back({read_text(one, "number"), read_text(one, "name"),
                             read_count(one, "count"), read_number(one, "age_s")});
  });
  each_object(object, "pids", [&](const json& one) {
    ts.pids.push_back({static_cast<std::uint16_t>(read_count(one, "pid")), read_text(one, "kind"),
                       read_count(one, "packets"), read_count(one, "cc_errors"),
                       read_number(one, "bps")});
  });
  return ts;
}

/// Both list every indicator, in one order.
void add_counts(StreamTs& sum, const StreamTs& other) {
  for (const auto& key : ts_keys)
    sum.*key.count += other.*key.count;
  for (std::size_t i = 0; i < sum.indicators.size(); ++i) {
    auto& indicator = sum.indicators[i];
    const auto& more = other.indicators[i];
    indicator.count += more.count;
    if (more.age_s && more.age_s < indicator.age_s.value_or(std::numeric_limits<double>::max()))
      indicator.age_s = more.age_s;
  }
}

}  // namespace

Stream make_stream(const stream::StreamReport& report, std::uint64_t now_ns,
                   const stream::StreamReport& before, double seconds) {
  Stream result;
  result.kind = stream::name_of(stream::Kind::unknown);
  result.sources = report.sources.size();
  result.received = report.counts.received;
  result.lost = result.lost_for_good = report.counts.lost;
  result.reordered = report.counts.reordered;
  result.duplicated = report.counts.duplicated;
  result.restarts = report.counts.restarts;
  if (report.sources.empty()) return result;
  const auto& latest = report.sources.front();
  result.kind = stream::name_of(latest.kind);
  if (latest.coarse) result.timing = "coarse";
  if (latest.clock_hz != 0) {
    result.jitter_us = static_cast<double>(latest.jitter_ns) / 1000;
    result.delay_factor_us = static_cast<double>(latest.delay_factor_ns) / 1000;
  }
  if (!latest.ts) return result;
  const auto* then = find(before, latest);
  result.ts =
      make_ts(*latest.ts, now_ns, then != nullptr && then->ts ? &*then->ts : nullptr, seconds);
  for (const auto& other : std::span(report.sources).subspan(1))
    if (other.ts) add_counts(*result.ts, make_ts(*other.ts, now_ns, nullptr, seconds));
  return result;
}

json to_json(const Stream& stream) {
  json object{{"kind", stream.kind},
              {"jitter_us", write(stream.jitter_us)},
              {"delay_factor_us", write(stream.delay_factor_us)},
              {"timing", stream.timing},
              {"ts", stream.ts ? write_ts(*stream.ts) : json()}};
  for (const auto& [name, count] : stream_keys)
    object[name] = stream.*count;
  return object;
}

std::optional<Stream> stream_from_json(const json& object) {
  if (!object.is_object()) return std::nullopt;
  Stream stream;
  stream.kind = read_text(object, "kind");
  stream.timing = read_text(object, "timing");
  stream.jitter_us = read_number(object, "jitter_us");
  stream.delay_factor_us = read_number(object, "delay_factor_us");
  for (const auto& [name, count] : stream_keys)
    stream.*count = read_count(object, name);
  const auto ts = object.find("ts");
  if (ts != object.end() && ts->is_object()) stream.ts = read_ts(*ts);
  return stream;
}

}  // namespace mcr::status
