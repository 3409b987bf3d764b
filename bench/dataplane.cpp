// The hottest lines without the kernel: frame -> parse -> lookup -> add -> flush -> complete. The
// worker's ring is never handed over; its sends are answered by hand, each with success. The time
// is that of one datagram of one output.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "build.hpp"
#include "frame_builder.hpp"
#include "mcr/dataplane/worker.hpp"
#include "media.hpp"

namespace mcr {

/// Drives a worker that has no thread.
struct WorkerRound {
  Worker& worker;

  void receive(std::uint16_t buffer, std::span<const std::byte> frame, std::uint16_t gso_size) {
    worker.buffers_.received(buffer);
    Frame received;
    received.buffer = buffer;
    received.slot = 0;
    if (gso_size != 0) {
      received.vnet.gso_type = VnetHeader::gso_udp_l4;
      received.vnet.gso_size = gso_size;
    }
    received.vnet.flags = VnetHeader::data_valid;
    received.bytes = frame;
    worker.forward(received, table());
  }
  [[nodiscard]] const RuleTable& table() const { return worker.rules_.current(); }
  [[nodiscard]] std::byte* memory(std::uint16_t buffer) const { return worker.buffers_.at(buffer); }
  void pass(std::uint64_t ns) { worker.now_ns_ += ns; }
  void online() {
    worker.rules_.online();
    worker.look_for_captures();
  }

  /// Sends and answers until nothing is left: an answer may let more go (a trial of segments goes
  /// alone). Returns how many sends that were.
  std::size_t complete() {
    std::size_t sends = 0;
    while (const auto answered = answer_all())
      sends += answered;
    return sends;
  }

  unsigned seen = 0;

 private:
  std::size_t answer_all() {
    worker.tx_.flush();
    auto& queue = worker.ring_.raw().sq;
    std::size_t sends = 0;
    for (; seen != queue.sqe_tail; ++seen, ++sends)
      answer(queue.sqes[seen & *queue.kring_mask]);
    *queue.khead = *queue.ktail = queue.sqe_head = queue.sqe_tail;
    return sends;
  }

  void answer(const io_uring_sqe& request) {
    const auto token = std::bit_cast<Token>(std::uint64_t{request.user_data});
    const bool zerocopy = request.opcode == IORING_OP_SENDMSG_ZC;
    io_uring_cqe answer{};
    answer.user_data = request.user_data;
    answer.res = 1;
    answer.flags = zerocopy ? IORING_CQE_F_MORE : 0U;
    worker.tx_.complete(token, answer);
    if (!zerocopy) return;
    answer.res = 0;
    answer.flags = IORING_CQE_F_NOTIF;
    worker.tx_.complete(token, answer);
  }
};

}  // namespace mcr

namespace {

using namespace mcr;

constexpr std::size_t payload = 1400;

struct Shape {
  std::size_t streams;    ///< rules, one output interface
  std::size_t outputs;    ///< of each
  std::size_t datagrams;  ///< of a frame
  std::size_t frames;     ///< of a round
  enum class Look : std::uint8_t { none, other_rule, back };
  Look look = Look::none;  ///< a capture sees another rule; or these rules keep what comes
  bool reflector = false;  ///< beside the rules, without traffic
  bool inspect = false;
};

/// A reflector's rule from one interface to the other.
Rule reflected(const std::string& from, const std::string& to) {
  auto result = rule("mdns/" + from, *IpAddress::parse("224.0.0.251"), 5353);
  result.reflector = "mdns";
  result.kind = ReflectorKind::mdns;
  result.circle.number = 1;
  result.inputs.front().interface = from;
  auto& output = result.outputs.front();
  output.interface = to;
  output.source_port = 5353;
  output.limit.pps = 1000;
  output.mdns.questions = false;
  return result;
}

RuleTable compiled(const Shape& shape) {
  auto rules = bench::rules(shape.streams);
  for (auto& rule : rules) {
    if (shape.look == Shape::Look::back) rule.capture_before = std::uint64_t{4} << 20U;
    if (shape.inspect) rule.inspect.emplace();
    for (std::size_t n = 1; n < shape.outputs; ++n) {
      auto output = rule.outputs.front();
      output.port = static_cast<std::uint16_t>(output.port + n);
      rule.outputs.push_back(output);
    }
  }
  if (shape.reflector)
    for (const auto& [from, to] : {std::pair("in", "out"), std::pair("out", "in")})
      rules.push_back(reflected(from, to));
  auto in = up("in", 2, {});
  if (shape.reflector) in.addresses = {*IpAddress::parse("10.1.0.1")};
  auto out = up("out", 3, {*IpAddress::parse("10.2.0.1")});
  out.segments = true;
  const Interfaces interfaces({in, out});
  SlotAllocators allocators;
  return compile_table(rules, interfaces, bench::judged(rules, interfaces), allocators, 1);
}

/// A worker with these rules.
struct Path {
  RcuPointer<RuleTable> tables;
  Mapping<RateLimiter> limiters{slots::outputs};
  LoopGuard loop_guard;
  Worker worker{tables, limiters, loop_guard, 0, std::nullopt, Tx::Mode::bulk};
  WorkerRound round{worker};

  explicit Path(const Shape& shape)
      : tables(std::make_unique<const RuleTable>(compiled(shape)), 1) {
    for (auto& tx : worker.sockets().tx)
      tx.send_buffer.store(1U << 30U);
    worker.sockets().rx[0].link_header = 14;
    if (shape.look == Shape::Look::other_rule)
      worker.capture_for(
          {std::make_shared<const Capture>(CaptureWish{.rule = 1000, .in = true}, 1)});
    round.online();
  }
  void count(benchmark::State& state, std::size_t copies_a_round) {
    const auto copies =
        static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(copies_a_round);
    if (static_cast<std::int64_t>(worker.counters().worker.tx_datagrams.get()) != copies)
      state.SkipWithError("not every datagram was sent");
    state.SetItemsProcessed(copies);
  }
};

void forward(benchmark::State& state, const Shape& shape) {
  Path path(shape);
  auto& round = path.round;
  std::vector<std::vector<std::byte>> frames;
  for (std::size_t stream = 0; stream < shape.streams; ++stream) {
    test::FrameBuilder frame;
    frame.destination = bench::destination(stream);
    frame.payload.assign(payload * shape.datagrams, 1);
    frames.push_back(frame.build());
  }
  for (std::size_t i = 0; i < shape.frames; ++i)
    std::memcpy(round.memory(static_cast<std::uint16_t>(i)), frames[i % shape.streams].data(),
                frames[i % shape.streams].size());
  std::size_t sends = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < shape.frames; ++i) {
      const auto buffer = static_cast<std::uint16_t>(i);
      round.receive(buffer, {round.memory(buffer), frames[i % shape.streams].size()},
                    static_cast<std::uint16_t>(shape.datagrams > 1 ? payload : 0));
    }
    sends += round.complete();
  }
  path.count(state, shape.frames * shape.datagrams * shape.outputs);
  state.counters["sends"] = static_cast<double>(sends) / static_cast<double>(state.iterations());
}

/// The same with RTP or MPEG-TS, a datagram of each stream in turn. What is stamped into a datagram
/// is stamped without inspection, too: so the difference of both is what inspection costs.
void forward_media(benchmark::State& state, const bench::Media& media, bool inspect) {
  constexpr std::size_t frames = 64;
  constexpr std::size_t headers = 42;
  const auto streams = static_cast<std::size_t>(state.range(0));
  Path path(
      {.streams = streams, .outputs = 1, .datagrams = 1, .frames = frames, .inspect = inspect});
  std::vector<std::vector<std::byte>> datagrams;
  for (std::size_t stream = 0; stream < streams; ++stream) {
    test::FrameBuilder frame;
    frame.destination = bench::destination(stream);
    frame.payload = media.datagram();
    datagrams.push_back(frame.build());
  }
  std::size_t stream = 0;
  std::uint64_t number = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < frames; ++i) {
      auto& datagram = datagrams[stream];
      media.stamp(&datagram[headers], number);
      path.round.receive(static_cast<std::uint16_t>(i), datagram, 0);
      if (++stream != streams) continue;
      stream = 0;
      ++number;
    }
    path.round.complete();
    path.round.pass(frames * bench::apart_ns / streams);
  }
  path.count(state, frames);
}

}  // namespace

BENCHMARK_CAPTURE(forward, single_frames, Shape{1, 1, 1, 64});
BENCHMARK_CAPTURE(forward, single_frames_beside_a_reflector,
                  Shape{1, 1, 1, 64, Shape::Look::none, true});
BENCHMARK_CAPTURE(forward, single_frames_of_50_streams, Shape{50, 1, 1, 50});
BENCHMARK_CAPTURE(forward, single_frames_of_50_streams_deep, Shape{50, 1, 1, 500});
// A capture that is off is one branch, the same that these take on the other side.
BENCHMARK_CAPTURE(forward, while_another_rule_is_captured,
                  Shape{1, 1, 1, 64, Shape::Look::other_rule});
BENCHMARK_CAPTURE(forward, with_its_past_kept, Shape{1, 1, 1, 64, Shape::Look::back});
BENCHMARK_CAPTURE(forward_media, rtp, bench::rtp, false)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(forward_media, rtp_inspected, bench::rtp, true)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(forward_media, ts, bench::ts, false)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(forward_media, ts_inspected, bench::ts, true)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(forward, superframes, Shape{1, 1, 40, 32});
BENCHMARK_CAPTURE(forward, superframes_to_10_outputs, Shape{1, 10, 40, 6});
