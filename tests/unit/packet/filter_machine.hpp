#pragma once
// For tests of the kernel filter: frames built of their parts, random destinations, a machine that
// runs a program as the kernel does, and the kernel itself as a judge.

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/packet/filter.hpp"

namespace mcr::filter_test {

using Program = std::vector<sock_filter>;
using Destinations = std::vector<FilterDestination>;

inline constexpr std::size_t roomy = 4096;
/// Instructions of the shortest program for untagged frames.
inline constexpr std::size_t kind_checks = 6;
inline constexpr RxKey untagged{7, 0, {}};

struct Frame {
  std::vector<std::uint8_t> bytes;
  std::uint8_t packet_type = PACKET_MULTICAST;
  std::uint32_t interface_index = untagged.interface_index;
  std::uint16_t ethertype = ETH_P_IP;
  std::uint16_t tag_protocol = 0;  ///< 0: no tag
  std::uint16_t tag = 0;
};

/// A UDP frame, built of its parts.
struct FrameSpec {
  std::uint32_t address = 0;
  std::uint16_t port = 0;
  std::size_t link_header = link_header::ethernet;
  std::uint16_t fragment = 0;  ///< flags and offset, as in the header
  std::size_t option_bytes = 0;
  std::uint8_t protocol = 17;
  std::uint8_t version = 4;
  std::uint8_t packet_type = PACKET_MULTICAST;
};

inline void put(std::vector<std::uint8_t>& bytes, std::size_t at, std::uint32_t value,
                std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
  }
}

inline Frame build(const FrameSpec& spec) {
  auto ip = spec.link_header;
  auto udp = ip + 20 + spec.option_bytes;
  Frame frame{std::vector<std::uint8_t>(udp + 8 + 10, 0xEE), spec.packet_type};
  put(frame.bytes, ip, spec.version * 16U + static_cast<std::uint32_t>(udp - ip) / 4, 1);
  put(frame.bytes, ip + 6, spec.fragment, 2);
  put(frame.bytes, ip + 9, spec.protocol, 1);
  put(frame.bytes, ip + 16, spec.address, 4);
  put(frame.bytes, udp + 2, spec.port, 2);
  return frame;
}

/// Interprets a program as the kernel does, as far as our programs need it. Anything else is an
/// error.
class Machine {
 public:
  Machine(const Program& program, const Frame& frame) : program_(program), frame_(frame) {}

  std::uint32_t run() {
    for (std::size_t at = 0;; ++at) {
      const auto& step = program_.at(at);
      if (step.code == (BPF_RET | BPF_K)) return step.k;
      if (step.code == (BPF_JMP | BPF_JA)) {
        at += step.k;
      } else if (BPF_CLASS(step.code) == BPF_JMP) {
        at += holds(step) ? step.jt : step.jf;
      } else if (!compute(step)) {
        return 0;
      }
    }
  }

 private:
  bool holds(const sock_filter& step) const {
    switch (step.code) {
      case BPF_JMP | BPF_JEQ | BPF_K:
        return a_ == step.k;
      case BPF_JMP | BPF_JGT | BPF_K:
        return a_ > step.k;
      case BPF_JMP | BPF_JGE | BPF_K:
        return a_ >= step.k;
      case BPF_JMP | BPF_JSET | BPF_K:
        return (a_ & step.k) != 0;
      default:
        throw std::logic_error("unknown jump");
    }
  }

  /// False where the kernel would end the program: a load beyond the frame.
  bool compute(const sock_filter& step) {
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_LEN:
        a_ = static_cast<std::uint32_t>(frame_.bytes.size());
        break;
      case BPF_LDX | BPF_W | BPF_IMM:
        x_ = step.k;
        break;
      case BPF_MISC | BPF_TAX:
        x_ = a_;
        break;
      case BPF_MISC | BPF_TXA:
        a_ = x_;
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a_ &= step.k;
        break;
      case BPF_LD | BPF_B | BPF_ABS:
        return load(step.k, 1);
      case BPF_LD | BPF_H | BPF_ABS:
        return load(step.k, 2);
      case BPF_LD | BPF_W | BPF_ABS:
        return load(step.k, 4);
      default:
        throw std::logic_error("unknown instruction");
    }
    return true;
  }

  bool load(std::uint32_t at, std::size_t size) {
    if (at >= static_cast<std::uint32_t>(SKF_AD_OFF))
      return load_ancillary(at - static_cast<std::uint32_t>(SKF_AD_OFF));
    if (at + size > frame_.bytes.size()) return false;
    a_ = 0;
    for (std::size_t i = 0; i < size; ++i)
      a_ = a_ << 8U | frame_.bytes[at + i];
    return true;
  }

  bool load_ancillary(std::uint32_t what) {
    switch (what) {
      case SKF_AD_PROTOCOL:
        a_ = frame_.ethertype;
        break;
      case SKF_AD_PKTTYPE:
        a_ = frame_.packet_type;
        break;
      case SKF_AD_IFINDEX:
        a_ = frame_.interface_index;
        break;
      case SKF_AD_VLAN_TAG:
        a_ = frame_.tag;
        break;
      case SKF_AD_VLAN_TAG_PRESENT:
        a_ = frame_.tag_protocol != 0 ? 1 : 0;
        break;
      case SKF_AD_VLAN_TPID:
        a_ = frame_.tag_protocol;
        break;
      default:
        throw std::logic_error("unknown ancillary data");
    }
    return true;
  }

  const Program& program_;
  const Frame& frame_;
  std::uint32_t a_ = 0;
  std::uint32_t x_ = 0;
};

inline bool passes(const Program& program, const Frame& frame) {
  auto verdict = Machine(program, frame).run();
  REQUIRE((verdict == 0 || verdict >= 262'144));
  return verdict != 0;
}

inline bool passes(const Program& program, const FrameSpec& spec) {
  return passes(program, build(spec));
}

/// Every jump lands inside, and the program ends with a return (the kernel's own conditions).
inline void require_sound(const Program& program) {
  REQUIRE_FALSE(program.empty());
  REQUIRE(BPF_CLASS(program.back().code) == BPF_RET);
  for (std::size_t i = 0; i < program.size(); ++i) {
    const auto& step = program[i];
    if (BPF_CLASS(step.code) != BPF_JMP) continue;
    std::size_t farthest = step.code == (BPF_JMP | BPF_JA) ? step.k : std::max(step.jt, step.jf);
    REQUIRE(i + 1 + farthest < program.size());
  }
}

inline FilterDestination destination(const char* address, std::uint16_t port) {
  return {*IpAddress::parse(address), port};
}

inline std::uint32_t number(const char* address) {
  return IpAddress::parse(address)->to_v4();
}

using Random = std::mt19937;

inline std::uint32_t pick(Random& random, std::uint32_t first, std::uint32_t last) {
  return std::uniform_int_distribution<std::uint32_t>(first, last)(random);
}

/// `count` destinations among `spread` addresses and `ports` ports; few of them "any port".
inline Destinations random_destinations(Random& random, std::size_t count, std::uint32_t spread,
                                        std::uint32_t ports) {
  Destinations result;
  auto base = pick(random, 0, 3) == 0 ? 0xFFFFFFFF - spread : pick(random, 0, 0xEF000000);
  for (std::size_t i = 0; i < count; ++i) {
    auto port = pick(random, 0, 20) == 0 ? 0 : pick(random, 65536 - ports, 65535);
    result.push_back({IpAddress::v4(base + pick(random, 0, spread)), std::uint16_t(port)});
  }
  return result;
}

/// The verdict of the kernel's verifier: an errno value, 0 for accepted.
inline int attach(Fd socket, Program& program) {
  sock_fprog argument{static_cast<unsigned short>(program.size()), program.data()};
  auto result =
      ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &argument, sizeof argument);
  return result == 0 ? 0 : errno;
}

/// The kernel takes the programs of many counts of destinations, shortened to many lengths.
/// `program(random, count, spread, limit)` compiles one.
template <typename MakeProgram>
void check_kernel_accepts(MakeProgram make_program) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    WARN("skipped: no UDP socket: " << errno_text(errno));
    return;
  }
  Random random(5);
  for (std::size_t count : {0U, 1U, 50U, 1000U, 10'000U}) {
    for (std::size_t limit : {0U, 12U, 128U, 624U, 1264U}) {
      for (std::uint32_t spread : {1000U, 0x0FFFFFFFU}) {
        auto program = make_program(random, count, spread, limit);
        CAPTURE(count, limit, spread, program.size());
        // For a live replacement both programs have to fit; take the old one off first.
        SocketOptions(socket).detach_filter();
        const auto refusal = attach(socket, program);
        // The long ones do not fit into the option memory of older kernels (optmem_max 20480).
        if (refusal != ENOMEM || limit <= 128) CHECK(errno_text(refusal) == errno_text(0));
      }
    }
  }
}

}  // namespace mcr::filter_test
