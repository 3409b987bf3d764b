// The same without libbpf: there is no program, and everything goes the worker's way.
#include "mcr/base/error.hpp"
#include "mcr/fastpath/kernel_program.hpp"

namespace mcr::fastpath {

struct KernelProgram::Loaded {};

KernelProgram::KernelProgram(std::uint32_t) {
  throw Failure(ExitCode::unavailable, "this mcr was built without it");
}
KernelProgram::~KernelProgram() = default;

Fd KernelProgram::fd() const noexcept {
  return {};
}
UniqueFd KernelProgram::make_table(const PlainTable&) {
  return {};
}
int KernelProgram::use_table(Fd) noexcept {
  return 0;
}
void KernelProgram::set_udp_only(unsigned, bool) noexcept {}
void KernelProgram::read(FastCounters&) const {}
void KernelProgram::forget_rule(std::uint32_t) noexcept {}
void KernelProgram::forget_output(std::uint32_t) noexcept {}
void KernelProgram::forget_interface(std::uint32_t) noexcept {}

bool is_built_in() noexcept {
  return false;
}
bool attach(Fd, unsigned, std::uint32_t) {
  return false;
}
int detach(unsigned, std::uint32_t, bool) noexcept {
  return 0;
}
bool is_attached(unsigned, std::uint32_t) {
  return false;
}

}  // namespace mcr::fastpath
