// The sink: one socket receives everything, however many groups there are.
//
// The kernel limits the memberships of a socket (net.ipv4.igmp_max_memberships,
// net.core.optmem_max). Helper sockets hold them, as many as it takes; they are bound to no port
// and receive nothing. The receiving socket is bound to the port on any address. IP_MULTICAST_ALL
// (on by default, ip(7)) gives it datagrams of all groups that the interface is a member of, each
// once. Other programs may have joined further groups: IP_PKTINFO tells each datagram's group, and
// datagrams of foreign groups are not counted. With one stream the socket is bound to its address,
// and the kernel selects.
//
// The kernel hands over a burst of one flow in one buffer if it can (UDP_GRO, udp(7)). All its
// datagrams have the size in the control message; the last one may be shorter.
//
// The arrival time of a datagram, for its latency, is when its batch came out of the kernel: one
// reading of the clock for each batch. It says nothing if our clock is behind the sender's; one
// datagram that came before it was sent proves that, and then no latency is told.
#include "mcr/traffic/sink.hpp"

#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/base/log.hpp"
#include "mcr/base/output.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/host/group_join.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/traffic/stream_judge.hpp"
#include "mcr/traffic/streams.hpp"
#include "mcr/traffic/test_datagram.hpp"

namespace mcr {

namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
constexpr int receive_buffer_bytes = 64 << 20;

struct SinkOptions {
  Streams streams;
  std::uint64_t count = unlimited;
  std::optional<double> duration;  ///< seconds
  std::optional<unsigned> cpu;
  bool strict = false;
  bool json = false;
  std::optional<stream::Format> inspect;  ///< real streams are expected, not test datagrams
};

/// Joins every group, on as many sockets as the kernel demands; closing them leaves.
std::vector<UniqueFd> join_all(const Streams& streams) {
  std::vector<UniqueFd> sockets;
  if (!streams.group.is_multicast()) return sockets;
  const auto index = streams.find_interface().index;
  bool fresh = false;
  for (std::uint32_t i = 0; i < streams.count;) {
    const auto group = streams.group.plus(i);
    const int error = sockets.empty() ? ENOBUFS : join_group(sockets.back(), index, group, {});
    if (error == 0) {
      ++i;
      fresh = false;
    } else if (!fresh && (error == ENOBUFS || error == ENOMEM)) {
      sockets.push_back(open_membership_socket(group.family()));
      if (!sockets.back().valid()) throw_errno("open socket to join", group.str());
      fresh = true;
    } else {
      throw OsError(error, "join", fmt::format("{} on {}", group, streams.interface));
    }
  }
  return sockets;
}

/// The receiving socket. It receives only what arrives on the interface of the streams.
UniqueFd open_receiver(const Streams& streams) {
  const bool ipv6 = streams.group.is_v6();
  const auto interface = streams.find_interface();
  Socket socket(static_cast<int>(streams.group.family()), SOCK_DGRAM, IPPROTO_UDP);
  if (!socket.valid()) throw_errno("open UDP socket");
  socket.bind_to_device(interface.name);
  // Multicast goes to every socket of a shared port, unicast to one of them only.
  if (streams.group.is_multicast()) socket.set(SOL_SOCKET, SO_REUSEADDR, 1, "set", "SO_REUSEADDR");
  if (ipv6) socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 1, "set", "IPV6_V6ONLY");
  if (streams.count > 1 && ipv6)
    socket.set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "set", "IPV6_RECVPKTINFO");
  if (streams.count > 1 && !ipv6) socket.set(IPPROTO_IP, IP_PKTINFO, 1, "set", "IP_PKTINFO");
  socket.set(SOL_UDP, UDP_GRO, 1, "set", "UDP_GRO");
  const timeval wait{0, interrupt::latest_ns / 1000};
  socket.set(SOL_SOCKET, SO_RCVTIMEO, wait, "set", "SO_RCVTIMEO");
  const auto any = ipv6 ? IpAddress::v6(std::array<std::uint8_t, 16>{}) : IpAddress::v4(0U);
  const Endpoint local{streams.count > 1 ? any : streams.group, streams.port};
  const SocketAddress address(local, interface.index);
  if (!socket.bind(address)) throw_errno("listen on", fmt::format("{}", local));
  return std::move(socket).take();
}

/// Frames that the socket has dropped: its buffer was full, or the UDP checksum bad. From
/// SO_MEMINFO: SO_RXQ_OVFL tells a drop only together with a later datagram.
std::uint32_t socket_drops(Fd socket) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
  if (!SocketOptions(socket).try_read(SOL_SOCKET, SO_MEMINFO, values)) return 0;
  return values[SK_MEMINFO_DROPS];
}

/// One receive: a datagram, or several of one size (the last may be smaller) from UDP_GRO.
struct Burst {
  std::span<const std::uint8_t> bytes;
  std::size_t segment = 0;  ///< size of one datagram; 0: the burst is one
  IpAddress destination;    ///< only with IP_PKTINFO
  Endpoint source;
};

/// Reads the socket in batches, into its own memory.
class Receiver {
 public:
  explicit Receiver(Fd socket) : socket_(socket), memory_(batch * stride) {
    for (std::size_t i = 0; i < batch; ++i) {
      vectors_[i] = {memory_.data() + i * stride, buffer_bytes};
      headers_[i].msg_hdr.msg_iov = &vectors_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
      headers_[i].msg_hdr.msg_control = controls_[i].bytes.data();
      headers_[i].msg_hdr.msg_name = &sources_[i].generic;
    }
  }

  /// Waits for at least one, up to interrupt::latest_ns; returns how many bursts came.
  std::size_t receive() {
    for (std::size_t i = 0; i < used_; ++i) {
      headers_[i].msg_hdr.msg_controllen = controls_[i].bytes.size();
      headers_[i].msg_hdr.msg_namelen = sizeof sources_[i].v6;
    }
    const int got = ::recvmmsg(socket_.get(), headers_.data(), batch, MSG_WAITFORONE, nullptr);
    if (got < 0 && errno != EAGAIN && errno != EINTR) throw_errno("receive");
    used_ = static_cast<std::size_t>(std::max(got, 0));
    return used_;
  }

  /// The i-th burst of the last batch; valid until the next receive().
  [[nodiscard]] Burst burst(std::size_t i) noexcept {
    auto& header = headers_[i].msg_hdr;
    Burst burst;
    burst.bytes = {memory_.data() + i * stride, headers_[i].msg_len};
    burst.source = sources_[i].endpoint();
    for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr;
         control = CMSG_NXTHDR(&header, control))
      read_control(*control, burst);
    return burst;
  }

 private:
  static constexpr std::size_t batch = 32;
  static constexpr std::size_t buffer_bytes = 65'536;
  /// Buffers that begin a multiple of 4 KiB apart would compete for the same cache lines.
  static constexpr std::size_t stride = buffer_bytes + 1088;

  /// Room for a UDP_GRO and an IPV6_PKTINFO.
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(in6_pktinfo))> bytes;
  };

  static void read_control(const cmsghdr& control, Burst& burst) noexcept {
    const auto* data = CMSG_DATA(&control);
    if (control.cmsg_level == SOL_UDP && control.cmsg_type == UDP_GRO) {
      int size = 0;
      std::memcpy(&size, data, sizeof size);
      burst.segment = static_cast<std::size_t>(size);
    } else if (control.cmsg_level == IPPROTO_IP && control.cmsg_type == IP_PKTINFO) {
      burst.destination =
          IpAddress::v4(std::span<const std::uint8_t, 4>(data + offsetof(in_pktinfo, ipi_addr), 4));
    } else if (control.cmsg_level == IPPROTO_IPV6 && control.cmsg_type == IPV6_PKTINFO) {
      burst.destination = IpAddress::v6(
          std::span<const std::uint8_t, 16>(data + offsetof(in6_pktinfo, ipi6_addr), 16));
    }
  }

  Fd socket_;
  std::size_t used_ = batch;  ///< headers whose lengths have to be set again
  std::vector<std::uint8_t> memory_;
  std::array<iovec, batch> vectors_{};
  std::array<mmsghdr, batch> headers_{};
  std::array<Control, batch> controls_{};
  std::array<SocketAddress, batch> sources_{};
};

struct SinkResult {
  TrafficJudge::Totals totals;
  LatencyHistogram latency;
  double seconds = 0;  ///< from the first datagram to the last
  std::uint32_t dropped_here = 0;
  std::uint64_t clock_behind_ns = 0;
  std::vector<std::uint32_t> silent_groups;
  std::vector<status::Stream> inspected;  ///< by group, with --inspect
  bool raised = false;                    ///< an indicator of TR 101 290, with --inspect
};

class Sink {
 public:
  explicit Sink(const SinkOptions& options)
      : options_(options),
        socket_(open_receiver(options.streams)),
        receiver_(socket_),
        judge_(options.streams.count) {
    if (options.inspect) inspection_.emplace(options.streams.count, *options.inspect);
    const auto granted =
        SocketOptions(socket_).ask_for_buffer(SocketBuffer::receive, receive_buffer_bytes);
    helpers_ = join_all(options.streams);
    log::notice("sink: ready on {} for {} (streams {}, helper sockets {}, receive buffer {} KiB)",
                options.streams.interface, options.streams.str(), options.streams.count,
                helpers_.size(), granted / 1024);
  }

  SinkResult run() {
    const auto end = end_ns(monotonic_ns(), options_.duration);
    while (!interrupt::requested() && received_ < options_.count && monotonic_ns() < end) {
      const auto bursts = receiver_.receive();
      now_ns_ = realtime_ns();
      arrived_ns_ = monotonic_ns();
      for (std::size_t i = 0; i < bursts; ++i)
        judge(receiver_.burst(i));
      if (inspection_) inspection_->read(static_cast<std::uint64_t>(arrived_ns_));
    }
    SinkResult result;
    result.totals = judge_.totals();
    result.latency = judge_.latency();
    result.seconds = static_cast<double>(last_ns_ - first_ns_) / 1e9;
    result.dropped_here = socket_drops(socket_);
    result.clock_behind_ns = judge_.clock_behind_ns();
    result.silent_groups = judge_.silent_groups();
    if (inspection_) use_inspection(result);
    return result;
  }

 private:
  void judge(const Burst& burst) noexcept {
    std::uint32_t group = 0;
    if (burst.destination) {
      const auto index =
          group_index(options_.streams.group, options_.streams.count, burst.destination);
      if (!index) return;
      group = *index;
    }
    if (received_ == 0) first_ns_ = arrived_ns_;
    last_ns_ = arrived_ns_;
    if (inspection_) return inspect(group, burst);
    auto rest = burst.bytes;
    do {
      if (received_ == options_.count) return;
      const auto size = burst.segment == 0 ? rest.size() : std::min(burst.segment, rest.size());
      judge_.received(group, rest.first(size), now_ns_);
      rest = rest.subspan(size);
      ++received_;
    } while (!rest.empty());
  }

  /// As many of the burst as --count wants.
  void inspect(std::uint32_t group, const Burst& burst) noexcept {
    const auto size = burst.segment == 0 ? burst.bytes.size() : burst.segment;
    const auto all = size == 0 ? 1 : (burst.bytes.size() + size - 1) / size;
    const auto datagrams = std::min<std::uint64_t>(all, options_.count - received_);
    const auto bytes = burst.bytes.first(std::min(burst.bytes.size(), datagrams * size));
    received_ += datagrams;
    if (datagrams == 0) return;
    inspection_->received(
        group, {burst.source, std::as_bytes(bytes), static_cast<std::uint32_t>(size),
                static_cast<std::uint32_t>(datagrams), static_cast<std::uint64_t>(arrived_ns_)});
  }

  void use_inspection(SinkResult& result) {
    auto verdict = inspection_->verdict(static_cast<std::uint64_t>(monotonic_ns()), result.seconds);
    result.totals = verdict.totals;
    result.silent_groups = std::move(verdict.silent_groups);
    result.inspected = std::move(verdict.streams);
    result.raised = verdict.raised;
  }

  const SinkOptions& options_;
  UniqueFd socket_;
  Receiver receiver_;
  TrafficJudge judge_;
  std::optional<StreamJudge> inspection_;  ///< instead of judge_
  std::vector<UniqueFd> helpers_;
  std::uint64_t received_ = 0;
  std::uint64_t now_ns_ = 0;     ///< of the batch, CLOCK_REALTIME
  std::int64_t arrived_ns_ = 0;  ///< of the batch, CLOCK_MONOTONIC
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
};

/// Every 20 groups take a socket: with many groups, more than the usual soft limit allows.
void raise_open_file_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

SinkResult run(const SinkOptions& options) {
  options.streams.check();
  pin_to_cpu(options.cpu);
  raise_open_file_limit();
  interrupt::catch_signals();
  const auto sink = std::make_unique<Sink>(options);
  return sink->run();
}

double microseconds(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / 1000;
}

double pps(const SinkResult& result) noexcept {
  return result.seconds > 0 ? static_cast<double>(result.totals.received) / result.seconds : 0;
}

/// Null where the clocks contradict each other: a latency would be wrong by an unknown time.
nlohmann::ordered_json latency_json(const SinkResult& result) {
  if (result.clock_behind_ns > 0) return nullptr;
  return {{"p50", microseconds(result.latency.at(0.5))},
          {"p99", microseconds(result.latency.at(0.99))},
          {"p999", microseconds(result.latency.at(0.999))},
          {"max", microseconds(result.latency.max())}};
}

/// The kind of each stream and the indicators that it raised: "rtp+ts; 1.4 Continuity_count_error
/// 3".
std::string inspected_text(const SinkResult& result) {
  std::string text;
  for (const auto& stream : result.inspected) {
    text += (text.empty() ? "" : " | ") + stream.kind;
    if (stream.restarts != 0) text += fmt::format(", restarts {}", stream.restarts);
    if (!stream.ts) continue;
    for (const auto& one : stream.ts->indicators)
      if (one.count != 0) text += fmt::format("; {} {} {}", one.number, one.name, one.count);
  }
  return text;
}

void print_json(const SinkOptions& options, const SinkResult& result) {
  const auto& totals = result.totals;
  nlohmann::ordered_json object{{"streams", options.streams.count},
                                {"received", totals.received},
                                {"lost", totals.lost},
                                {"duplicated", totals.duplicated},
                                {"reordered", totals.reordered},
                                {"corrupt", totals.corrupt},
                                {"bytes", totals.bytes},
                                {"seconds", result.seconds},
                                {"pps", pps(result)},
                                {"latency_us", latency_json(result)},
                                {"clock_behind_us", microseconds(result.clock_behind_ns)},
                                {"silent_streams", result.silent_groups.size()}};
  if (options.inspect) {
    object["latency_us"] = nullptr;
    object["inspected"] = nlohmann::ordered_json::array();
    for (const auto& stream : result.inspected)
      object["inspected"].push_back(nlohmann::ordered_json(status::to_json(stream)));
  }
  write_output(object.dump() + '\n');
}

std::string latency_text(const SinkOptions& options, const SinkResult& result) {
  if (options.inspect) return inspected_text(result);
  if (result.clock_behind_ns > 0)
    return fmt::format("latency unknown: this clock is {:.1f} us or more behind the sender's",
                       microseconds(result.clock_behind_ns));
  const auto& latency = result.latency;
  return fmt::format("latency us p50 {:.1f} p99 {:.1f} p999 {:.1f} max {:.1f}",
                     microseconds(latency.at(0.5)), microseconds(latency.at(0.99)),
                     microseconds(latency.at(0.999)), microseconds(latency.max()));
}

void print_line(const SinkOptions& options, const SinkResult& result) {
  const auto& totals = result.totals;
  write_output(fmt::format(
      "sink: {} for {} ({}): received {}, {} in {:.3f} s, {:.0f} pps; lost {}, duplicated {}, "
      "reordered {}, corrupt {}; {}\n",
      options.streams.interface, options.streams.str(), options.streams.count,
      counted(totals.received, "datagram"), counted(totals.bytes, "byte"), result.seconds,
      pps(result), totals.lost, totals.duplicated, totals.reordered, totals.corrupt,
      latency_text(options, result)));
}

void warn(const SinkOptions& options, const SinkResult& result) {
  if (result.dropped_here > 0)
    log::warning(
        "sink: this socket dropped {} (receive buffer full, or bad UDP checksum): what it dropped "
        "counts as lost here, but it arrived",
        counted(result.dropped_here, "frame"));
  if (!result.silent_groups.empty())
    log::warning("sink: nothing came for {} of {}, the first is {}", result.silent_groups.size(),
                 counted(options.streams.count, "stream"),
                 options.streams.group.plus(result.silent_groups.front()));
}

/// With a count, what is missing decides. Without one, a stream that nothing came for is a dead
/// path: nobody can have sent zero datagrams to be judged.
ExitCode verdict(const SinkOptions& options, const SinkResult& result) noexcept {
  if (!options.strict) return ExitCode::ok;
  const bool counted_in_advance = options.count != unlimited;
  const bool complete =
      counted_in_advance ? result.totals.received >= options.count : result.silent_groups.empty();
  return result.totals.faultless() && !result.raised && complete ? ExitCode::ok : ExitCode::data;
}

void add_options(CLI::App& command, SinkOptions& options) {
  options.streams.add_options(command);
  command
      .add_option("--count", options.count,
                  "End after this many datagrams, duplicates and corrupt ones included [until "
                  "SIGINT or SIGTERM]")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("N");
  command
      .add_option("--duration", options.duration,
                  "End after this many seconds from being ready; with --count, whichever comes "
                  "first")
      ->check(CLI::PositiveNumber)
      ->type_name("SEC");
  command.add_option("--cpu", options.cpu, "Run on this CPU only [any]")->type_name("N");
  command
      .add_option_function<std::string>(
          "--inspect", [&](const std::string& name) { options.inspect = stream_format(name); },
          "Judge real streams instead of test datagrams: their RTP or other numbers, and MPEG-TS "
          "by "
          "ETSI TR 101 290")
      ->check(CLI::IsMember({"auto", "rtp", "ts", "moldudp64"}))
      ->type_name("auto|rtp|ts|moldudp64");
  command.add_flag(
      "--strict", options.strict,
      "Exit 65 if a datagram was lost, duplicated, reordered or corrupt, if fewer than "
      "--count came, or, without --count, if nothing came for one of the streams; with --inspect "
      "also if an indicator was raised");
  command.add_flag("--json", options.json,
                   "Print one JSON object: streams received lost duplicated reordered corrupt "
                   "bytes seconds pps latency_us{p50,p99,p999,max} clock_behind_us silent_streams; "
                   "latency_us is null if this clock is behind the sender's; with --inspect "
                   "there is `inspected` instead, a stream each as in mcr status");
}

}  // namespace

void add_sink_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("sink", "Receive test streams and judge them");
  auto options = std::make_shared<SinkOptions>();
  add_options(*command, *options);
  command->callback([options, &exit_code] {
    const auto result = run(*options);
    options->json ? print_json(*options, result) : print_line(*options, result);
    warn(*options, result);
    exit_code = static_cast<int>(verdict(*options, result));
  });
}

}  // namespace mcr
