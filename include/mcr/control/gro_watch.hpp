// Finds out, where an interface's GRO is on and merges nothing, why. Control thread only.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>

#include "mcr/control/socket_pool.hpp"
#include "mcr/host/frame_sample.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/packet/gro_reason.hpp"

namespace mcr {

struct Rule;

class GroWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// A second with fewer frames is not worth a look.
  static constexpr std::uint64_t busy = 1000;
  static constexpr std::chrono::seconds apart{30};  ///< from look to look at an interface

  /// Once a second. Throws OsError if an interface cannot be looked at.
  void tick(std::span<const Rule> rules, const Interfaces& interfaces, const SocketPool& sockets,
            Time now);

  /// By index. Nothing: it merges, or no look was worth it yet.
  [[nodiscard]] std::optional<GroReason> why(unsigned interface) const;

 private:
  struct Watched {
    Received before;
    Time next_look;
    std::optional<FrameSample> sample;  ///< while it is taken
    std::optional<GroReason> why;
  };

  static void look(Watched& watched, const Interface& interface, const Received& received,
                   Time now);
  static void judge(Watched& watched, std::size_t link_header);

  std::map<unsigned, Watched> watched_;  ///< by index
};

}  // namespace mcr
