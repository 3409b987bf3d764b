// When several datagrams may leave as one message (UDP_SEGMENT). Pure: answers in, a decision out.
//
// A path may refuse a segmented message: its MTU is smaller than the interface's, or a link on it
// cannot checksum. Then the output sends each datagram on its own for a while. A path that has
// accepted one is trusted: only until then a segmented message is a trial, with nothing behind it.
#pragma once

#include <cerrno>
#include <cstdint>

namespace mcr {

/// Learned by one output.
class SegmentationPolicy {
 public:
  /// Packets that are sent without, after a refusal.
  static constexpr std::uint16_t single_before_retry = 1024;

  /// True if this packet's datagrams may be gathered. Asked once for each packet: it counts down to
  /// the next try.
  [[nodiscard]] bool gathers() noexcept {
    if (single_left_ == 0) return true;
    --single_left_;
    return false;
  }
  [[nodiscard]] bool accepted_before() const noexcept { return accepted_; }

  /// A segmented message was not refused as such; true if that is news.
  bool accepted() noexcept {
    const bool news = !accepted_;
    accepted_ = true;
    return news;
  }
  void refused() noexcept {
    single_left_ = single_before_retry;
    accepted_ = false;
  }

  /// True if this errno of a segmented send can mean that the path takes no segmented message of
  /// this size (udp(7); EIO: no checksum offload, before Linux 6.11).
  [[nodiscard]] static constexpr bool is_refusal(int error) noexcept {
    return error == EMSGSIZE || error == EINVAL || error == EIO;
  }

 private:
  std::uint16_t single_left_ = 0;
  bool accepted_ = false;
};

}  // namespace mcr
