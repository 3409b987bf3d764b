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
#include <fmt/format.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/traffic/sender.hpp"

namespace mcr {

namespace {

constexpr std::size_t max_segments = 64;             // UDP_MAX_SEGMENTS before Linux 6.9
constexpr std::size_t max_messages = 64;             // in one sendmmsg
constexpr std::size_t composed_bytes = 256U << 10U;  // in one sendmmsg: fits the L2 cache
constexpr int send_buffer_bytes = 4 << 20;

/// The rate that the time stamps of a stream at --rate max go by, datagrams a second.
constexpr double nominal_max_rate = 100'000;

std::optional<MediaWriter> make_media(const GenOptions& options) {
  if (!options.media()) return std::nullopt;
  const auto pps = options.rate.value_or(nominal_max_rate) / options.streams.count;
  return MediaWriter({options.rtp, options.ts, options.size, pps}, Defects(options.defects));
}

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

/// True if the sender uses UDP_SEGMENT: as --gso says; without it, with --rate max where the size
/// fits.
bool decide_gso(const GenOptions& options, std::size_t mtu) {
  const std::size_t headers = options.streams.group.is_v6() ? 48 : 28;
  const bool fits = options.size > 0 && options.size + headers <= mtu;
  if (options.gso && *options.gso && !fits)
    throw Failure(ExitCode::usage, fmt::format("--gso on: --size must be 1 to {} (MTU {} of {})",
                                               mtu - headers, mtu, options.streams.interface));
  return options.gso.value_or(!options.rate && fits && !options.interleave);
}

/// Sends datagrams round-robin over the streams: one a message, or with GSO up to 64 of one stream.
/// Each message has memory of its own: the filler is written once, the headers for each send.
class SocketSender final : public Sender {
 public:
  explicit SocketSender(const GenOptions& options)
      : SocketSender(options, options.streams.find_interface()) {}

  void send(std::uint64_t ready) override {
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

 private:
  SocketSender(const GenOptions& options, const Interface& interface)
      : streams_(options.streams),
        writer_(options),
        fd_(open_socket(options, interface.index)),
        gso_(decide_gso(options, interface.mtu)),
        segments_(gso_ ? std::min(max_segments, probe_max_bytes / options.size) : 1),
        stride_(std::max<std::size_t>(segments_ * options.size, 1)),
        messages_(std::clamp<std::size_t>(composed_bytes / stride_, 1, max_messages)),
        sequences_(streams_.count, options.first) {
    if (!gso_ && streams_.group.is_multicast())
      report_queue_drops(SocketOptions(fd_), streams_.group.is_v6());
    for (std::uint32_t i = 0; i < streams_.count; ++i)
      destinations_.emplace_back(Endpoint{streams_.group.plus(i), streams_.port}, interface.index);
    prepare();
  }

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

  std::size_t compose(std::uint64_t ready) noexcept {
    const auto now = realtime_ns();
    std::size_t message = 0;
    for (; message < messages_ && ready > 0; ++message) {
      auto& part = parts_[message];
      part = {next_stream_, std::min<std::size_t>(segments_, ready), sequences_[next_stream_]};
      for (std::size_t i = 0; i < part.datagrams; ++i)
        writer_.write(datagram(message, i), {part.stream, part.first_sequence + i, now});
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
  PayloadWriter writer_;
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
};

}  // namespace

PayloadWriter::PayloadWriter(const GenOptions& options)
    : probes_(options.size), media_(make_media(options)) {}

std::unique_ptr<Sender> make_socket_sender(const GenOptions& options) {
  return std::make_unique<SocketSender>(options);
}

}  // namespace mcr
