// Fact: bpf_clone_redirect() returns 0 for a frame that an interface took, 1 (NET_XMIT_DROP) for
// one that its queueing discipline dropped, and a negative errno value otherwise: ENETDOWN, or
// EINVAL for an index that no interface has. Needs root.
#include "bpf.hpp"
#include "packet.hpp"

namespace {

/// Returns what the helper returns for a frame to that interface.
int redirect(unsigned interface) {
  using namespace world::bpf;
  const auto program = load_program({set(BPF_REG_2, static_cast<int>(interface)), set(BPF_REG_3, 0),
                                     call(BPF_FUNC_clone_redirect), leave()});
  const std::array<unsigned char, 100> frame{1, 0, 0x5E, 1, 1, 1, 2, 0, 0, 0, 0, 1, 8, 0};
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.data_in = frame.data();
  options.data_size_in = frame.size();
  const int result = ::bpf_prog_test_run_opts(program.get(), &options);
  if (result != 0) world::skip(fmt::format("run a program: {}", std::strerror(-result)));
  ::close(program.get());
  return static_cast<int>(options.retval);
}

}  // namespace

int main() {
  world::enter_as_root();
  const int away = world::peer();
  const int arrived = world::packets(away);
  const auto near = ::if_nametoindex("near");
  world::expect(redirect(near) == 0, "0 for what the interface took");
  std::array<char, 200> frame{};
  world::expect(::recv(arrived, frame.data(), frame.size(), 0) == 100, "it arrives");
  const int missing = redirect(9999);
  world::expect(missing == -EINVAL, fmt::format("-EINVAL without an interface: {}", missing));

  world::run("tc qdisc add dev near root tbf rate 8bit burst 120 limit 120");
  redirect(near);
  redirect(near);
  const int full = redirect(near);
  world::expect(full == 1, fmt::format("1 from a full queue: {}", full));
  world::run("tc qdisc del dev near root");

  world::run("ip link set near down");
  const int down = redirect(near);
  world::expect(down < 0 || down == 2,
                fmt::format("refused by an interface that is down: {}", down));
}
