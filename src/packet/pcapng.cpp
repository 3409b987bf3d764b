#include "mcr/packet/pcapng.hpp"

#include <cstring>

namespace mcr::pcapng {

namespace {

constexpr std::uint32_t section_block = 0x0A0D0D0A;
constexpr std::uint32_t interface_block = 1;
constexpr std::uint32_t statistics_block = 5;
constexpr std::uint32_t byte_order_magic = 0x1A2B3C4D;
constexpr std::uint32_t shortest_block = 12;

constexpr std::uint16_t comment_option = 1;
namespace section {
constexpr std::uint16_t application = 4;
}
namespace interface {
constexpr std::uint16_t name = 2;
constexpr std::uint16_t resolution = 9;
constexpr char nanoseconds = 9;  // 10^-9
}  // namespace interface
namespace packet {
constexpr std::uint16_t flags = 2;
}
namespace statistics {
constexpr std::uint16_t dropped = 5;
}

/// One block while it is written. Everything in it is padded to 4 bytes.
class Writer {
 public:
  explicit Writer(std::uint32_t type) {
    number(type);
    number(std::uint32_t{0});  // its length, once it is known
  }

  template <typename Number>
  void number(Number value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  /// As two halves, the high one first.
  void time(std::uint64_t ns) {
    number(static_cast<std::uint32_t>(ns >> 32U));
    number(static_cast<std::uint32_t>(ns));
  }
  void padded(std::string_view bytes) {
    text_ += bytes;
    text_.append((4 - bytes.size() % 4) % 4, '\0');
  }
  void option(std::uint16_t code, std::string_view value) {
    number(code);
    number(static_cast<std::uint16_t>(value.size()));
    padded(value);
  }
  template <typename Number>
  void option(std::uint16_t code, Number value) {
    option(code, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }
  [[nodiscard]] std::string end(bool with_options) && {
    if (with_options) number(std::uint32_t{0});  // opt_endofopt
    const auto length = static_cast<std::uint32_t>(text_.size() + sizeof(std::uint32_t));
    std::memcpy(text_.data() + sizeof(std::uint32_t), &length, sizeof length);
    number(length);
    return std::move(text_);
  }

 private:
  std::string text_;
};

}  // namespace

std::string section_header(std::string_view application) {
  Writer block(section_block);
  block.number(byte_order_magic);
  block.number(std::uint16_t{1});  // version 1.0
  block.number(std::uint16_t{0});
  block.number(~std::uint64_t{0});  // the section's length is not known
  block.option(section::application, application);
  return std::move(block).end(true);
}

std::string interface_description(std::string_view name, LinkType type, std::uint32_t snap) {
  Writer block(interface_block);
  block.number(static_cast<std::uint16_t>(type));
  block.number(std::uint16_t{0});
  block.number(snap);
  block.option(interface::name, name);
  block.option(interface::resolution, interface::nanoseconds);
  return std::move(block).end(true);
}

std::string enhanced_packet(const Packet& one) {
  Writer block(packet_block);
  block.number(one.interface);
  block.time(one.time_ns);
  block.number(static_cast<std::uint32_t>(one.bytes.size()));
  block.number(one.original);
  block.padded({reinterpret_cast<const char*>(one.bytes.data()), one.bytes.size()});
  block.option(packet::flags, static_cast<std::uint32_t>(one.direction));
  if (!one.comment.empty()) block.option(comment_option, one.comment);
  return std::move(block).end(true);
}

std::string interface_statistics(std::uint32_t interface, std::uint64_t time_ns,
                                 std::uint64_t missed) {
  Writer block(statistics_block);
  block.number(interface);
  block.time(time_ns);
  block.option(statistics::dropped, missed);
  return std::move(block).end(true);
}

Block first_block(std::string_view bytes) noexcept {
  std::uint32_t type = 0;
  std::uint32_t length = 0;
  if (bytes.size() < shortest_block) return {};
  std::memcpy(&type, bytes.data(), sizeof type);
  std::memcpy(&length, bytes.data() + sizeof type, sizeof length);
  if (length < shortest_block || length % 4 != 0 || length > bytes.size()) return {type, 0};
  return {type, length};
}

}  // namespace mcr::pcapng
