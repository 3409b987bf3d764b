// Small programs of bpf(2) for traffic control, instruction by instruction. They need root of the
// host: a user namespace is not enough.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cstddef>
#include <span>
#include <vector>

#include "mcr/fastpath/kernel_program.hpp"
#include "world.hpp"

namespace world {

/// Enters an empty network namespace, still as root of the host.
inline void enter_as_root() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (::geteuid() != 0) skip("bpf(2) needs root");
  need(::unshare(CLONE_NEWNET), "unshare");
  run("ip link set lo up");
  ::libbpf_set_print(nullptr);
}

namespace bpf {

constexpr bpf_insn instruction(unsigned code, unsigned to, unsigned from = 0, int offset = 0,
                               int value = 0) {
  return {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(to & 15U),
          static_cast<std::uint8_t>(from & 15U), static_cast<std::int16_t>(offset), value};
}
constexpr bpf_insn set(unsigned to, int value) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}
constexpr bpf_insn copy(unsigned to, unsigned from) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from);
}
constexpr bpf_insn add(unsigned to, int value) {
  return instruction(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value);
}
/// `size`: BPF_W, BPF_H, BPF_DW.
constexpr bpf_insn load(unsigned size, unsigned to, unsigned base, int offset) {
  return instruction(BPF_LDX | BPF_MEM | size, to, base, offset);
}
constexpr bpf_insn store(unsigned size, unsigned base, int offset, unsigned from) {
  return instruction(BPF_STX | BPF_MEM | size, base, from, offset);
}
constexpr bpf_insn store_value(unsigned size, unsigned base, int offset, int value) {
  return instruction(BPF_ST | BPF_MEM | size, base, 0, offset, value);
}
constexpr bpf_insn call(int helper) {
  return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}
constexpr bpf_insn leave() {
  return instruction(BPF_JMP | BPF_EXIT, 0);
}

inline mcr::Fd load_program(const std::vector<bpf_insn>& code) {
  const int fd =
      ::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "fact", "MIT", code.data(), code.size(), nullptr);
  if (fd < 0) skip(fmt::format("load a program: {}", std::strerror(-fd)));
  return mcr::Fd(fd);
}

/// At the ingress; a lower priority runs first.
inline void attach(mcr::Fd program, const char* interface, std::uint32_t priority = 100) {
  mcr::fastpath::attach(program, ::if_nametoindex(interface), priority);
}

}  // namespace bpf
}  // namespace world
