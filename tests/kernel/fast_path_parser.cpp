// The program of the kernel's way against the worker's parser: it claims a frame exactly if that is
// plain and the worker would relay it, sends the copies that the worker would send, and leaves the
// original as it was. Frames are built by name, then damaged at random. Needs root.
#include <cstdlib>
#include <random>

#include "bpf.hpp"
#include "frame_builder.hpp"
#include "mcr/fastpath/plain_table.hpp"
#include "mcr/host/netlink.hpp"
#include "mcr/packet/parse.hpp"
#include "packet.hpp"
#include "rule_builder.hpp"

namespace {

using namespace mcr;
using test::FrameBuilder;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t mark = 0x01'00'00'00;
constexpr std::size_t ethernet = 14;
constexpr std::size_t most_payload_v4 = 1472, most_payload_v6 = 1452;

Rule relayed(std::string name, const char* from, const char* to, const char* preserving) {
  auto one = rule(std::move(name), ip(from), 5000);
  one.outputs[0] = {"near", ip(to), 6000, Ttl::of(9)};
  one.outputs.push_back(
      {"near", ip(preserving), 6001, {Ttl::Mode::preserve}, {true, 0}, {Source::Mode::preserve}});
  return one;
}

std::vector<Rule> rules() {
  auto all = std::vector{relayed("v4", "239.1.1.1", "239.9.9.9", "239.9.9.8"),
                         relayed("v6", "ff15::1:2", "ff15::9", "ff15::8"),
                         relayed("some", "239.1.1.2", "239.9.9.7", "239.9.9.6")};
  all[2].inputs[0].sources = {*Prefix::parse("10.0.0.0/29"), *Prefix::parse("10.7.0.0/16")};
  return all;
}

/// The program with a table for these rules.
class Stage {
 public:
  Stage() : program_(mark) {
    const auto wanted = rules();
    const auto host = Netlink().snapshot();
    std::vector<RuleStatus> statuses;
    for (const auto& one : wanted)
      statuses.push_back(rule_status(one, host, never_refused));
    SlotAllocators slots;
    [[maybe_unused]] const auto table = compile_table(wanted, host, statuses, slots, 1, 7777);
    const auto plain = fastpath::compile_plain_table(wanted, host, statuses, slots, 7777, {});
    if (plain.cells.empty())
      world::wrong("no rule goes the kernel's way: " + plain.paths[0].reason);
    table_ = program_.make_table(plain);
    if (program_.use_table(table_) != 0) world::wrong("the table cannot be used");
  }

  struct Result {
    bool claimed = false;
    Bytes after;
  };

  /// Nothing: the kernel does not run it for such a frame.
  std::optional<Result> run(const Bytes& frame) {
    Result result;
    result.after.resize(frame.size());
    __sk_buff context{}, context_after{};
    context.ifindex = ::if_nametoindex("in");
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = result.after.data();
    options.data_size_out = options.data_size_in;
    options.ctx_in = &context;
    options.ctx_size_in = sizeof context;
    options.ctx_out = &context_after;
    options.ctx_size_out = sizeof context_after;
    const int error = ::bpf_prog_test_run_opts(program_.fd().get(), &options);
    if (error == -EINVAL) return std::nullopt;
    if (error != 0) world::wrong(fmt::format("run the program: {}", std::strerror(-error)));
    result.after.resize(options.data_size_out);
    result.claimed = (context_after.mark & mark) != 0;
    return result;
  }

 private:
  fastpath::KernelProgram program_;
  UniqueFd table_;
};

/// The packet that the worker makes of it; nothing: it relays it to nobody.
std::optional<Packet> workers_packet(const Bytes& frame) {
  Packet packet;
  if (parse_frame(frame, {}, ethernet, packet)) return std::nullopt;
  if (!packet.checksum_trusted && !udp_checksum_holds(packet)) return std::nullopt;
  for (const auto& one : rules()) {
    const auto& input = one.inputs[0];
    if (packet.destination != Endpoint{input.destination, 5000}) continue;
    const auto allowed = [&](const Prefix& sources) {
      return sources.first() <= packet.source.address && packet.source.address <= sources.last();
    };
    if (input.sources.empty() || std::ranges::any_of(input.sources, allowed)) return packet;
  }
  return std::nullopt;
}

/// True for what the kernel's way promises to take, of what the worker would relay.
bool is_plain(const Bytes& frame, const Packet& packet) {
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(frame[at]); };
  const auto length = [&](std::size_t at) { return byte(at) << 8U | byte(at + 1); };
  const auto payload = packet.payload.size();
  const auto first = packet.source.address.bytes()[0];
  if (packet.source.address.is_v4())
    return byte(ethernet) == 0x45 && length(ethernet + 2) == payload + 28 &&
           payload <= most_payload_v4 && packet.source.address.to_v4() != 0 && first != 127 &&
           first < 224;
  const auto& source = packet.source.address.bytes();
  const bool host = std::any_of(source.begin(), source.begin() + 12, [](auto b) { return b != 0; });
  return byte(ethernet + 6) == IPPROTO_UDP && length(ethernet + 4) == payload + 8 &&
         payload <= most_payload_v6 && host && first != 0xFF;
}

std::vector<Bytes> take_copies(int socket) {
  std::vector<Bytes> copies;
  Bytes frame(4096);
  for (ssize_t size = 0; (size = ::recv(socket, frame.data(), frame.size(), MSG_DONTWAIT)) > 0;) {
    copies.emplace_back(frame.begin(), frame.begin() + size);
    // IGMP and neighbour discovery of the host are not ours.
    Packet packet;
    if (parse_frame(copies.back(), {}, ethernet, packet) ||
        (packet.destination.port != 6000 && packet.destination.port != 6001))
      copies.pop_back();
  }
  return copies;
}

std::string dump(const Bytes& frame) {
  std::string text;
  for (const auto byte : frame)
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

void require(bool holds, std::string_view what, const Bytes& frame) {
  if (!holds) world::wrong(fmt::format("{}: {}", what, dump(frame)));
}

void check_copy(const Bytes& copy, const Packet& original, const Output& output,
                const Bytes& frame) {
  Packet packet;
  require(!parse_frame(copy, {}, ethernet, packet), "the copy is damaged", frame);
  require(packet.checksum_trusted || udp_checksum_holds(packet), "its checksum is wrong", frame);
  const bool preserved = output.source.mode == Source::Mode::preserve;
  require(packet.destination == Endpoint{output.destination, output.port}, "its destination",
          frame);
  require(preserved ? packet.source == original.source : packet.source.port == 7777, "its source",
          frame);
  require(packet.ttl == (preserved ? original.ttl : 9), "its TTL", frame);
  require(packet.traffic_class == (preserved ? original.traffic_class & 0xFCU : 0), "its DSCP",
          frame);
  require(std::ranges::equal(packet.payload, original.payload), "its payload", frame);
  const auto group = output.destination.bytes();
  require(copy[0] == std::byte{static_cast<unsigned char>(output.destination.is_v6() ? 0x33 : 1)} &&
              copy[5] == std::byte{group.back()},
          "its link address", frame);
}

class Judge {
 public:
  Judge(Stage& stage, int arrived) : stage_(stage), arrived_(arrived), rules_(rules()) {}

  void judge(const Bytes& frame) {
    const auto result = stage_.run(frame);
    if (!result) return;
    ++runs_;
    const auto packet = workers_packet(frame);
    const bool plain = packet && is_plain(frame, *packet);
    const auto copies = take_copies(arrived_);
    require(result->claimed == plain, plain ? "not claimed" : "claimed", frame);
    const auto end = static_cast<std::ptrdiff_t>(result->after.size());
    require(std::equal(frame.begin(), frame.begin() + end, result->after.begin()) &&
                (plain || result->after.size() == frame.size()),
            "the original was changed", frame);
    if (!plain) return require(copies.empty(), "copies of an unclaimed frame", frame);
    ++claimed_;
    const auto rule = std::ranges::find_if(rules_, [&](const Rule& one) {
      return one.inputs[0].destination == packet->destination.address;
    });
    const bool expired = packet->ttl == 0;
    require(copies.size() == (expired ? 1U : 2U), "the number of copies", frame);
    for (std::size_t i = 0; i < copies.size(); ++i)
      check_copy(copies[i], *packet, rule->outputs[i], frame);
  }

  void finish() const {
    world::expect(claimed_ > runs_ / 20, fmt::format("{} frames, {} claimed", runs_, claimed_));
  }

 private:
  Stage& stage_;
  int arrived_;
  std::vector<Rule> rules_;
  unsigned runs_ = 0;
  unsigned claimed_ = 0;
};

std::vector<Bytes> corpus() {
  std::vector<FrameBuilder> built;
  for (const auto& base : {FrameBuilder{}, FrameBuilder::ipv6()}) {
    const auto add = [&](auto&& change) {
      auto frame = base;
      change(frame);
      built.push_back(frame);
    };
    for (const std::size_t size : {0U, 1U, 3U, 100U, 511U, 513U, 1400U, 1452U, 1472U, 1473U, 3000U})
      add([&](FrameBuilder& f) { f.payload.assign(size, 0xA5); });
    add([](FrameBuilder& f) { f.with_checksum = false; });
    add([](FrameBuilder& f) { f.break_checksum = true; });
    add([](FrameBuilder& f) { f.break_header_checksum = true; });
    add([](FrameBuilder& f) { f.padding = 13; });
    add([](FrameBuilder& f) { f.option_bytes = 8; });
    add([](FrameBuilder& f) { f.extensions = {test::Extension::hop_by_hop()}; });
    add([](FrameBuilder& f) { f.extensions = {test::Extension::fragment(0, true)}; });
    add([](FrameBuilder& f) { f.fragment = 0x2000; });
    add([](FrameBuilder& f) { f.fragment = 0x4000; });
    add([](FrameBuilder& f) { f.protocol = 6; });
    add([](FrameBuilder& f) { f.ttl = 0; });
    add([](FrameBuilder& f) { f.traffic_class = 0xBB; });
    add([](FrameBuilder& f) { f.udp_length_error = -2; });
    add([](FrameBuilder& f) { f.ip_length_error = 3; });
    add([](FrameBuilder& f) { f.ip_length_error = -3; });
    add([](FrameBuilder& f) { f.destination.port = 5001; });
    add([](FrameBuilder& f) { f.source.port = 0; });
    for (const auto* source : {"10.0.0.7", "10.0.0.8", "10.7.255.255", "0.0.0.1", "127.0.0.1",
                               "224.0.0.1", "255.255.255.255"})
      if (base.destination.address.is_v4()) {
        add([&](FrameBuilder& f) { f.source.address = ip(source); });
        add([&](FrameBuilder& f) {
          f.source.address = ip(source);
          f.destination.address = ip("239.1.1.2");
        });
      }
  }
  std::vector<Bytes> frames;
  for (const auto& one : built) {
    frames.push_back(one.build());
    frames.back()[0] = one.destination.address.is_v6() ? std::byte{0x33} : std::byte{1};
  }
  return frames;
}

}  // namespace

int main() {
  if (!fastpath::is_built_in()) world::skip("mcr was built without it");
  world::enter_as_root();
  const int away = world::peer();
  world::run("ip link add in type veth peer name in2 && ip link set in up && ip link set in2 up");
  world::wait_up("in");
  world::run("ip addr add 2001:db8:1::1/64 dev near nodad");
  const int arrived = world::packets(away, ETH_P_ALL);
  Stage stage;
  Judge judge(stage, arrived);
  const auto frames = corpus();
  for (const auto& frame : frames)
    judge.judge(frame);
  std::mt19937 random(16);
  const auto* rounds = std::getenv("MCR_FUZZ_ROUNDS");
  for (int round = rounds == nullptr ? 20'000 : std::atoi(rounds); round > 0; --round) {
    auto frame = frames[random() % frames.size()];
    for (auto changes = random() % 3; changes != 0; --changes) {
      const auto end = std::min<std::size_t>(frame.size(), 70);
      frame[12 + random() % (end - 12)] = std::byte{static_cast<unsigned char>(random())};
    }
    if (random() % 8 == 0) frame.resize(ethernet + random() % (frame.size() - ethernet + 1));
    judge.judge(frame);
  }
  judge.finish();
}
