// A few of the frames with UDP that an interface receives, for a look. packet(7).
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "mcr/host/socket.hpp"

namespace mcr {

/// From its making on, frames are kept until a small buffer is full; further ones cost no copy.
class FrameSample {
 public:
  /// Throws OsError.
  FrameSample(const std::string& interface, unsigned index);

  /// Calls `use(frame)` for each that was kept, with its link header. Frames above 9 KiB are cut.
  template <typename Use>
  void read(Use use) {
    for (ssize_t bytes; (bytes = ::recv(socket_.get(), frame_.data(), frame_.size(), 0)) > 0;)
      use(std::span<const std::byte>(frame_).first(static_cast<std::size_t>(bytes)));
  }

 private:
  Socket socket_;
  std::array<std::byte, 9216> frame_{};
};

}  // namespace mcr
