// Daemons of one network namespace tell each other apart by a small number: it chooses the priority
// of their filters and the bit of skb->mark that each of them uses.
#pragma once

#include <cstdint>
#include <optional>

#include "mcr/base/fd.hpp"

namespace mcr::fastpath {

/// The number belongs to this object until it goes, or the process dies.
class Instance {
 public:
  static constexpr unsigned most = 8;
  static constexpr std::uint32_t first_priority = 0x4D43;     ///< of filters of traffic control
  static constexpr std::uint32_t first_mark = 0x01'00'00'00;  ///< of bits 24 to 31

  /// This number, or nothing if another daemon has it. Throws OsError.
  static std::optional<Instance> claim(unsigned number);
  /// The lowest number that is free. Throws OsError, Failure (unavailable).
  static Instance claim_any();

  [[nodiscard]] unsigned number() const noexcept { return number_; }
  [[nodiscard]] std::uint32_t priority() const noexcept { return first_priority + number_; }
  [[nodiscard]] std::uint32_t mark() const noexcept { return first_mark << number_; }

  /// Readable when another relay has begun to listen somewhere.
  [[nodiscard]] Fd news() const noexcept { return name_; }
  /// Takes what has come of them.
  void take_news() const noexcept;
  /// Tells the relays that use the kernel's way, but for `own`, that this process has begun to
  /// listen: what they relay must go on to it.
  static void tell_others(const Instance* own) noexcept;

 private:
  Instance(unsigned number, UniqueFd name) : number_(number), name_(std::move(name)) {}

  unsigned number_;
  UniqueFd name_;
};

}  // namespace mcr::fastpath
