// The generator: Pace says how many datagrams are due, Sender composes and sends them.
//
// Pace follows an absolute schedule: datagram i is due at start + i / rate, no matter when those
// before it went. The rate is therefore exact over any length of time. Below 20,000 datagrams a
// second each one has a wake-up of its own; above, those of 50 us share one. A generator that is
// late catches up with a burst of at most 20 ms of traffic or 128 datagrams, whichever is more. If
// it is later than that, it moves the schedule: a longer burst would test somebody's buffers
// instead of the rate that was asked for.
//
// Sender attempts a datagram once. If the kernel refuses it for a reason that may pass (no buffers,
// a full queueing discipline, a link that is down), it counts in `errors` and not in `sent`, and
// takes no sequence number: all that the sink misses was lost on the way. sendmmsg(2) reports an
// error only of its first message; a later one is tried again, and its second error counts.
//
// The kernel reports success for a datagram that a queueing discipline dropped, unless IP_RECVERR
// is set. Sender sets it, except
//   - with GSO: the kernel may split a message in software, and then only its last segment decides
//     the result;
//   - for unicast: there IP_RECVERR would also report ICMP errors of earlier datagrams.
#include "mcr/traffic/gen.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/traffic/media_writer.hpp"
#include "mcr/traffic/streams.hpp"
#include "mcr/traffic/test_datagram.hpp"

namespace mcr {

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t max_segments = 64;             // UDP_MAX_SEGMENTS before Linux 6.9
constexpr std::size_t max_messages = 64;             // in one sendmmsg
constexpr std::size_t composed_bytes = 256U << 10U;  // in one sendmmsg: fits the L2 cache
constexpr int send_buffer_bytes = 4 << 20;

struct GenOptions {
  Streams streams;
  std::optional<double> rate = 1000;  ///< datagrams a second; none: max
  std::size_t size = 1400;
  std::uint64_t count = unlimited;
  std::optional<double> duration;  ///< seconds
  int ttl = 16;
  std::optional<bool> gso;
  std::optional<unsigned> cpu;
  bool json = false;
  bool rtp = false;
  bool ts = false;
  std::vector<Defect> defects;

  [[nodiscard]] bool media() const noexcept { return rtp || ts; }
};

/// The rate that the time stamps of a stream at --rate max go by, datagrams a second.
constexpr double nominal_max_rate = 100'000;

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

std::optional<MediaWriter> make_media(const GenOptions& options) {
  if (!options.media()) return std::nullopt;
  const auto pps = options.rate.value_or(nominal_max_rate) / options.streams.count;
  return MediaWriter({options.rtp, options.ts, options.size, pps}, Defects(options.defects));
}

struct GenTotals {
  std::uint64_t sent = 0;    ///< accepted by the kernel
  std::uint64_t errors = 0;  ///< refused by it
  double seconds = 0;

  [[nodiscard]] std::uint64_t attempts() const noexcept { return sent + errors; }
};

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

void set_up_ipv4(const Socket& socket, const GenOptions& options, unsigned index) {
  if (!options.streams.group.is_multicast()) {
    socket.set(IPPROTO_IP, IP_UNICAST_IF, htonl(index), "set", "IP_UNICAST_IF");
    socket.set(IPPROTO_IP, IP_TTL, options.ttl, "set", "IP_TTL");
    return;
  }
  ip_mreqn interface {};
  interface.imr_ifindex = static_cast<int>(index);
  socket.set(IPPROTO_IP, IP_MULTICAST_IF, interface, "set", "IP_MULTICAST_IF");
  socket.set(IPPROTO_IP, IP_MULTICAST_LOOP, 0, "set", "IP_MULTICAST_LOOP");
  socket.set(IPPROTO_IP, IP_MULTICAST_TTL, options.ttl, "set", "IP_MULTICAST_TTL");
}

void set_up_ipv6(const Socket& socket, const GenOptions& options, unsigned index) {
  if (!options.streams.group.is_multicast()) {
    socket.set(IPPROTO_IPV6, IPV6_UNICAST_IF, htonl(index), "set", "IPV6_UNICAST_IF");
    socket.set(IPPROTO_IPV6, IPV6_UNICAST_HOPS, options.ttl, "set", "IPV6_UNICAST_HOPS");
    return;
  }
  socket.set(IPPROTO_IPV6, IPV6_MULTICAST_IF, index, "set", "IPV6_MULTICAST_IF");
  socket.set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "set", "IPV6_MULTICAST_LOOP");
  socket.set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, options.ttl, "set", "IPV6_MULTICAST_HOPS");
}

UniqueFd open_socket(const GenOptions& options, unsigned index) {
  Socket socket(static_cast<int>(options.streams.group.family()), SOCK_DGRAM, IPPROTO_UDP);
  if (!socket.valid()) throw_errno("open UDP socket");
  options.streams.group.is_v6() ? set_up_ipv6(socket, options, index)
                                : set_up_ipv4(socket, options, index);
  socket.set(SOL_SOCKET, SO_SNDTIMEO, timeval{0, interrupt::latest_ns / 1000}, "set",
             "SO_SNDTIMEO");
  socket.ask_for_buffer(SocketBuffer::send, send_buffer_bytes);
  return std::move(socket).take();
}

void report_queue_drops(SocketOptions socket, bool ipv6) {
  if (ipv6)
    socket.set(IPPROTO_IPV6, IPV6_RECVERR, 1, "set", "IPV6_RECVERR");
  else
    socket.set(IPPROTO_IP, IP_RECVERR, 1, "set", "IP_RECVERR");
}

std::size_t interface_mtu(Fd socket, const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) throw_errno("read MTU of", name);
  return static_cast<std::size_t>(request.ifr_mtu);
}

/// True if Sender uses UDP_SEGMENT: as --gso says; without it, with --rate max where the size fits.
bool decide_gso(const GenOptions& options, Fd socket) {
  const std::size_t headers = options.streams.group.is_v6() ? 48 : 28;
  const auto mtu = interface_mtu(socket, options.streams.interface);
  const bool fits = options.size > 0 && options.size + headers <= mtu;
  if (options.gso && *options.gso && !fits)
    throw Failure(ExitCode::usage, fmt::format("--gso on: --size must be 1 to {} (MTU {} of {})",
                                               mtu - headers, mtu, options.streams.interface));
  return options.gso.value_or(!options.rate && fits);
}

/// Sends datagrams round-robin over the streams: one a message, or with GSO up to 64 of one stream.
/// Each message has memory of its own: the filler is written once, the headers for each send.
class Sender {
 public:
  explicit Sender(const GenOptions& options)
      : streams_(options.streams),
        writer_(options.size),
        media_(make_media(options)),
        fd_(open_socket(options, streams_.interface_index())),
        gso_(decide_gso(options, fd_)),
        segments_(gso_ ? std::min(max_segments, probe_max_bytes / options.size) : 1),
        stride_(std::max<std::size_t>(segments_ * options.size, 1)),
        messages_(std::clamp<std::size_t>(composed_bytes / stride_, 1, max_messages)),
        sequences_(streams_.count) {
    if (!gso_ && streams_.group.is_multicast())
      report_queue_drops(SocketOptions(fd_), streams_.group.is_v6());
    const auto index = streams_.interface_index();
    for (std::uint32_t i = 0; i < streams_.count; ++i)
      destinations_.emplace_back(Endpoint{streams_.group.plus(i), streams_.port}, index);
    prepare();
  }

  /// Attempts up to `ready` datagrams, as many as fit one system call.
  void send(std::uint64_t ready) {
    const auto composed = compose(ready);
    std::size_t done = 0;
    while (done < composed) {
      const int accepted =
          ::sendmmsg(fd_.get(), &headers_[done], static_cast<unsigned>(composed - done), 0);
      const int error = errno;
      if (accepted > 0) {
        for (const auto last = done + static_cast<std::size_t>(accepted); done < last; ++done)
          totals_.sent += parts_[done].datagrams;
      } else if (error != EINTR && error != EAGAIN) {
        refused(parts_[done], error);
        return take_back(done, composed, parts_[done].stream + 1);
      } else if (interrupt::requested()) {
        return take_back(done, composed, parts_[done].stream);
      }
    }
  }

  [[nodiscard]] const GenTotals& totals() const noexcept { return totals_; }
  [[nodiscard]] bool gso() const noexcept { return gso_; }

 private:
  /// The datagrams of one message.
  struct Part {
    std::uint32_t stream = 0;
    std::size_t datagrams = 0;
    std::uint64_t first_sequence = 0;
  };

  /// Room for one UDP_SEGMENT (udp(7)).
  struct alignas(cmsghdr) SegmentSize {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(std::uint16_t))> bytes{};
  };

  void prepare() {
    memory_.resize(messages_ * stride_);
    parts_.resize(messages_);
    vectors_.resize(messages_);
    headers_.resize(messages_);
    for (std::size_t i = 0; i < messages_; ++i) {
      for (std::size_t segment = 0; segment < segments_; ++segment)
        writer_.fill(datagram(i, segment));
      headers_[i].msg_hdr.msg_iov = &vectors_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
      vectors_[i].iov_base = &memory_[i * stride_];
      if (gso_) ask_for_segments(headers_[i].msg_hdr);
    }
  }

  void ask_for_segments(msghdr& header) noexcept {
    header.msg_control = segment_size_.bytes.data();
    header.msg_controllen = segment_size_.bytes.size();
    auto* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto size = static_cast<std::uint16_t>(writer_.size());
    std::memcpy(CMSG_DATA(control), &size, sizeof size);
  }

  std::span<std::uint8_t> datagram(std::size_t message, std::size_t segment) noexcept {
    return {memory_.data() + message * stride_ + segment * writer_.size(), writer_.size()};
  }

  void write(std::span<std::uint8_t> to, const Probe& probe) const noexcept {
    media_ ? media_->write(to, probe.stream, probe.sequence) : writer_.stamp(to, probe);
  }

  std::size_t compose(std::uint64_t ready) noexcept {
    const auto now = realtime_ns();
    std::size_t message = 0;
    for (; message < messages_ && ready > 0; ++message) {
      auto& part = parts_[message];
      part = {next_stream_, std::min<std::size_t>(segments_, ready), sequences_[next_stream_]};
      for (std::size_t i = 0; i < part.datagrams; ++i)
        write(datagram(message, i), {part.stream, part.first_sequence + i, now});
      sequences_[part.stream] += part.datagrams;
      ready -= part.datagrams;
      address(message);
      if (++next_stream_ == streams_.count) next_stream_ = 0;
    }
    return message;
  }

  void address(std::size_t message) noexcept {
    auto& destination = destinations_[parts_[message].stream];
    headers_[message].msg_hdr.msg_name = &destination.generic;
    headers_[message].msg_hdr.msg_namelen = destination.length;
    vectors_[message].iov_len = parts_[message].datagrams * writer_.size();
  }

  /// Takes back the messages from `first` on, which were not sent: their sequence numbers are used
  /// again, and `stream` is next.
  void take_back(std::size_t first, std::size_t composed, std::uint32_t stream) noexcept {
    for (auto i = composed; i-- > first;)
      sequences_[parts_[i].stream] = parts_[i].first_sequence;
    next_stream_ = stream % streams_.count;
  }

  /// Counts an error that may pass; throws OsError for one that will not.
  void refused(const Part& part, int error) {
    const auto one_of = [error](std::initializer_list<int> codes) {
      return std::ranges::find(codes, error) != codes.end();
    };
    const bool passing =
        one_of({ENOBUFS, ENOMEM, EPERM}) ||
        (totals_.sent > 0 && one_of({ENETDOWN, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED}));
    if (!passing)
      throw OsError(
          error, "send to",
          fmt::format("{} on {}{}", Endpoint{streams_.group.plus(part.stream), streams_.port},
                      streams_.interface, gso_ ? " (with --gso on)" : ""));
    totals_.errors += part.datagrams;
  }

  Streams streams_;
  ProbeWriter writer_;
  std::optional<MediaWriter> media_;  ///< with --rtp, --ts: instead of test datagrams
  UniqueFd fd_;
  bool gso_;
  std::size_t segments_;                  ///< datagrams of one message
  std::size_t stride_;                    ///< bytes from message to message
  std::size_t messages_;                  ///< in one sendmmsg
  std::vector<std::uint64_t> sequences_;  ///< the next one of each stream
  std::vector<SocketAddress> destinations_;
  std::uint32_t next_stream_ = 0;
  std::vector<std::uint8_t> memory_;
  std::vector<Part> parts_;
  std::vector<iovec> vectors_;
  std::vector<mmsghdr> headers_;
  SegmentSize segment_size_;
  GenTotals totals_;
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
  pin_to_cpu(options.cpu);
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // ns; 50 us otherwise
  interrupt::catch_signals();
  Sender sender(options);
  const auto start = monotonic_ns();
  Pace pace(options, start);
  while (!interrupt::requested()) {
    const auto now = monotonic_ns();
    const auto attempts = sender.totals().attempts();
    if (pace.over(now, attempts)) break;
    if (const auto ready = pace.ready(now, attempts); ready > 0)
      sender.send(ready);
    else
      sleep_until(pace.wake_up(attempts), now);
  }
  auto totals = sender.totals();
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

void add_options(CLI::App& command, GenOptions& options) {
  options.streams.add_options(command);
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
      ->check(CLI::Range(std::uint64_t{1}, unlimited))
      ->type_name("N");
  command
      .add_option("--duration", options.duration,
                  "End after this many seconds; with --count, whichever comes first")
      ->check(CLI::PositiveNumber)
      ->type_name("SEC");
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
  command.add_option("--cpu", options.cpu, "Run on this CPU only [any]")->type_name("N");
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
