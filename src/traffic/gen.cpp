// The generator: Pace says how many datagrams are due, a Sender (sender.hpp) composes and sends
// them.
//
// Pace follows an absolute schedule: datagram i is due at start + i / rate, no matter when those
// before it went. The rate is therefore exact over any length of time. Below 20,000 datagrams a
// second each one has a wake-up of its own; above, those of 50 us share one. A generator that is
// late catches up with a burst of at most 20 ms of traffic or 128 datagrams, whichever is more. If
// it is later than that, it moves the schedule: a longer burst would test somebody's buffers
// instead of the rate that was asked for.
#include "mcr/traffic/gen.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/traffic/sender.hpp"

namespace mcr {

namespace {

constexpr std::int64_t second = 1'000'000'000;

/// Throws Failure(usage).
void check_media(GenOptions& options) {
  const auto refuse = [](const char* why) { throw Failure(ExitCode::usage, why); };
  if (options.rtp && !options.ts && options.size < MediaWriter::rtp_header)
    refuse("--rtp: --size must be 12 at least, for the header");
  for (const auto& defect : options.defects) {
    if (!options.media()) refuse("--defect needs --rtp or --ts");
    if (!options.ts && !defect.of_datagrams()) refuse("--defect: this one needs --ts");
    if (!options.rtp && defect.kind == Defect::Kind::restart)
      refuse("--defect restart needs --rtp");
  }
  if (options.ts)
    options.size = MediaWriter::ts_bytes + (options.rtp ? MediaWriter::rtp_header : 0);
}

/// Throws Failure(usage).
void check_way(const GenOptions& options) {
  const auto refuse = [](const char* why) { throw Failure(ExitCode::usage, why); };
  const bool gso = options.gso.value_or(false);
  if (options.interleave && gso)
    refuse("--interleave: with --gso on many datagrams of one stream are one message");
  if (options.tx_ring && gso) refuse("--tx-ring sends frames of one datagram: --gso must be off");
}

class Pace {
 public:
  Pace(const GenOptions& options, std::int64_t start)
      : rate_(options.rate),
        count_(options.count),
        start_(start),
        end_(end_ns(start, options.duration)) {
    if (!rate_) return;
    shared_ = static_cast<std::uint64_t>(*rate_ * shared_wakeup / second);
    max_late_ =
        std::max(max_late_, static_cast<std::int64_t>(std::min(128 / *rate_, 4e9) * second));
  }

  /// How many more datagrams are due at `now`.
  std::uint64_t ready(std::int64_t now, std::uint64_t attempts) noexcept {
    const auto left = count_ - attempts;
    if (!rate_) return now < end_ ? left : 0;
    now = std::min(now, end_ - 1);
    const auto late = now - due(attempts);
    if (late < 0) return 0;
    start_ += std::max<std::int64_t>(late - max_late_, 0);
    const auto elapsed = static_cast<double>(now - start_);
    const auto total = static_cast<std::uint64_t>(elapsed * *rate_ / second) + 1;
    return std::min(std::max(total, attempts + 1) - attempts, left);
  }

  [[nodiscard]] bool over(std::int64_t now, std::uint64_t attempts) const noexcept {
    if (attempts >= count_) return true;
    return now >= end_ && (!rate_ || due(attempts) >= end_);
  }

  [[nodiscard]] std::int64_t wake_up(std::uint64_t attempts) const noexcept {
    const auto last = attempts + std::min(shared_, count_ - attempts - 1);
    return std::min(due(last), end_);
  }

 private:
  static constexpr std::int64_t shared_wakeup = 50'000;

  [[nodiscard]] std::int64_t due(std::uint64_t datagram) const noexcept {
    const auto offset = std::ceil(static_cast<double>(datagram) * second / *rate_);
    return start_ + static_cast<std::int64_t>(std::min(offset, 4e18));
  }

  std::optional<double> rate_;
  std::uint64_t count_;
  std::int64_t start_;
  std::int64_t end_;
  std::int64_t max_late_ = 20'000'000;
  std::uint64_t shared_ = 0;  ///< datagrams that share the wake-up of a later one
};

/// Sleeps until `deadline`, at most interrupt::latest_ns.
void sleep_until(std::int64_t deadline, std::int64_t now) noexcept {
  deadline = std::min(deadline, now + interrupt::latest_ns);
  const timespec until{deadline / second, deadline % second};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

GenTotals run(GenOptions& options) {
  options.streams.check();
  check_media(options);
  check_way(options);
  pin_to_cpu(options.cpu);
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // ns; 50 us otherwise
  interrupt::catch_signals();
  const auto sender = options.tx_ring ? make_frame_sender(options) : make_socket_sender(options);
  const auto start = monotonic_ns();
  Pace pace(options, start);
  while (!interrupt::requested()) {
    const auto now = monotonic_ns();
    const auto attempts = sender->totals().attempts();
    if (pace.over(now, attempts)) break;
    if (const auto ready = pace.ready(now, attempts); ready > 0)
      sender->send(ready);
    else
      sleep_until(pace.wake_up(attempts), now);
  }
  sender->finish();
  auto totals = sender->totals();
  totals.seconds = static_cast<double>(monotonic_ns() - start) / second;
  return totals;
}

void print_totals(const GenOptions& options, const GenTotals& totals) {
  const auto bytes = totals.sent * options.size;
  const auto pps = totals.seconds > 0 ? static_cast<double>(totals.sent) / totals.seconds : 0;
  if (!options.json) {
    write_output(fmt::format(
        "gen: {} to {} ({}): sent {}, {} in {:.3f} s, {:.0f} pps, {}\n", options.streams.interface,
        options.streams.str(), options.streams.count, counted(totals.sent, "datagram"),
        counted(bytes, "byte"), totals.seconds, pps, counted(totals.errors, "error")));
    return;
  }
  const nlohmann::ordered_json object{
      {"streams", options.streams.count}, {"sent", totals.sent}, {"bytes", bytes},
      {"seconds", totals.seconds},        {"pps", pps},          {"errors", totals.errors}};
  write_output(object.dump() + '\n');
}

std::optional<double> read_rate(const std::string& text) {
  if (text == "max") return std::nullopt;
  double rate = 0;
  const auto* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, rate);
  if (result.ec != std::errc{} || result.ptr != end || !(rate > 0 && rate <= 1e9))
    throw CLI::ValidationError("--rate",
                               text + " is neither a number of datagrams a second nor max");
  return rate;
}

void add_load_options(CLI::App& command, GenOptions& options) {
  command
      .add_option_function<std::string>(
          "--rate", [&](const std::string& text) { options.rate = read_rate(text); },
          "Datagrams a second over all streams, evenly paced, or max [1000]")
      ->type_name("PPS|max");
  command
      .add_option("--size", options.size,
                  "UDP payload in bytes; from 32 on each datagram bears stream, sequence, send "
                  "time and checksum, below it is filler; above the MTU the kernel fragments")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{0}, probe_max_bytes))
      ->type_name("BYTES");
  command
      .add_option("--count", options.count,
                  "End after this many datagrams over all streams, those that the "
                  "kernel refused (errors) included [until SIGINT or SIGTERM]")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("N");
  command
      .add_option("--first", options.first,
                  "Number of the first datagram of each stream: a run that goes on where another "
                  "ended")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("N");
  command
      .add_option("--duration", options.duration,
                  "End after this many seconds; with --count, whichever comes first")
      ->check(CLI::PositiveNumber)
      ->type_name("SEC");
}

void add_way_options(CLI::App& command, GenOptions& options) {
  command.add_option("--ttl", options.ttl, "IPv4 TTL or IPv6 hop limit")
      ->capture_default_str()
      ->check(CLI::Range(0, 255))
      ->type_name("N");
  command
      .add_option_function<std::string>(
          "--gso", [&](const std::string& text) { options.gso = text == "on"; },
          "Hand the kernel up to 64 datagrams of one stream in one message (UDP_SEGMENT) "
          "[on with --rate max where the size fits the MTU, else off]")
      ->check(CLI::IsMember({"on", "off"}))
      ->type_name("on|off");
  command.add_flag("--interleave", options.interleave,
                   "Change the stream with each datagram, also with --rate max");
  command.add_flag("--tx-ring", options.tx_ring,
                   "Send frames from shared memory (PACKET_TX_RING), past the host's routing, "
                   "firewall and queueing discipline: multicast on Ethernet, needs CAP_NET_RAW");
  command.add_option("--cpu", options.cpu, "Run on this CPU only [any]")->type_name("N");
}

void add_media_options(CLI::App& command, GenOptions& options) {
  command.add_flag("--rtp", options.rtp, "Send RTP (RFC 3550) instead of test datagrams");
  command.add_flag("--ts", options.ts,
                   "Send MPEG-TS, 7 packets a datagram: one program with H.264 (PID 256) and AAC "
                   "(PID 257); with --rtp in RTP");
  command
      .add_option_function<std::vector<std::string>>(
          "--defect",
          [&](const std::vector<std::string>& texts) {
            for (const auto& text : texts)
              options.defects.push_back(Defect::parse(text));
          },
          "Put a defect into the stream, may be given several times: " + Defect::names())
      ->allow_extra_args(false)
      ->type_name("KIND");
}

void add_options(CLI::App& command, GenOptions& options) {
  options.streams.add_options(command);
  add_load_options(command, options);
  add_way_options(command, options);
  add_media_options(command, options);
  command.add_flag("--json", options.json,
                   "Print one JSON object: streams sent bytes seconds pps errors");
}

}  // namespace

void add_gen_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("gen", "Send test streams: multicast or unicast UDP");
  auto options = std::make_shared<GenOptions>();
  add_options(*command, *options);
  command->callback([options, &exit_code] {
    print_totals(*options, run(*options));
    exit_code = static_cast<int>(ExitCode::ok);
  });
}

}  // namespace mcr
