// A few of the frames with UDP that an interface receives, for a look. packet(7).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "mcr/host/socket.hpp"

namespace mcr {

/// From its making on, frames are kept until a small buffer is full; further ones cost no copy.
class FrameSample {
 public:
  /// So many frames fit, of up to 2 KiB each.
  static constexpr unsigned frames = 1000;

  /// Each frame is kept with this probability, up to 1. Throws OsError.
  FrameSample(const std::string& interface, unsigned index, double probability);

  /// Calls `use(frame)` for each that was kept, as they came, with its vnet and link headers.
  template <typename Use>
  void read(Use use) {
    std::vector<std::byte> frame(largest);
    for (unsigned n = 0; n < most; ++n) {
      const auto bytes = ::recv(socket_.get(), frame.data(), frame.size(), 0);
      if (bytes > 0)
        use(std::span<const std::byte>(frame).first(static_cast<std::size_t>(bytes)));
      else if (errno != EINVAL)  // Linux before 6.2 cannot describe a superframe
        return;
    }
  }

 private:
  static constexpr std::size_t largest = 66UL << 10U;
  static constexpr unsigned most = 10 * frames;  ///< some may come while they are read

  Socket socket_;
};

}  // namespace mcr
