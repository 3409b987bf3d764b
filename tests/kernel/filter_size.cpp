// Fact: how long a packet filter may be depends on net.core.optmem_max, in which the kernel charges
// the program as translated: at 20480 (the default of Linux 6.1) 2544 plain instructions, and 1264
// where as many are replaced, because for a moment the socket pays for both; ENOMEM then. A
// comparison that jumps either way is two instructions in translation: a filter of 624 of them can
// be replaced. At 131072 (the default of later kernels) the 4096 of a classic program, twice over.
#include <numeric>
#include <vector>

#include "packet.hpp"

namespace {

constexpr unsigned returns = 3;     // at the end of each program
constexpr unsigned longest = 4096;  // BPF_MAXINSNS

constexpr sock_filter plain = BPF_STMT(BPF_LD | BPF_IMM, 0);
constexpr sock_filter comparison = BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1, 1, 2);

int attach(int socket, const sock_filter& each, unsigned instructions) {
  std::vector<sock_filter> code(instructions, each);
  code.resize(instructions + returns, BPF_STMT(BPF_RET | BPF_K, 0));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return world::set(socket, SOL_SOCKET, SO_ATTACH_FILTER, program) == 0 ? 0 : errno;
}

/// True if a socket takes a program of this length so many times, one after the other.
bool takes(const sock_filter& each, unsigned instructions, unsigned times) {
  const int socket = world::need(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
  int error = 0;
  for (unsigned i = 0; i < times && error == 0; ++i)
    error = attach(socket, each, instructions);
  ::close(socket);
  if (error != 0 && error != ENOMEM) world::wrong(fmt::format("attach: {}", std::strerror(error)));
  return error == 0;
}

unsigned longest_that(unsigned times) {
  unsigned fits = returns + 1, too_long = longest + 1;
  while (too_long - fits > 1) {
    const unsigned middle = std::midpoint(fits, too_long);
    (takes(plain, middle - returns, times) ? fits : too_long) = middle;
  }
  return fits;
}

}  // namespace

int main() {
  unsigned optmem = 0;
  std::ifstream("/proc/sys/net/core/optmem_max") >> optmem;
  world::enter();
  const unsigned first = longest_that(1), replacement = longest_that(2);
  const auto finding = fmt::format("optmem_max {}: {} instructions, {} for a replacement", optmem,
                                   first, replacement);
  if (optmem == 20480)
    world::expect(first == 2544 && replacement == 1264, finding);
  else if (optmem == 131072)
    world::expect(first == longest && replacement == longest, finding);
  else
    world::expect(replacement <= first, finding);
  if (optmem >= 20480)
    world::expect(takes(comparison, 624 - returns, 2), "624 comparisons, and again");
}
