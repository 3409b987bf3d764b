// A sysfs shows the network namespace in which it was mounted. A relay in a namespace that somebody
// else has entered for it (systemd's NetworkNamespacePath=) may see the host's, where an interface
// of the same name is another one. So the interface must have the index and the link address there
// that it has for a socket of ours.
#include "mcr/host/gro_wait.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/socket.hpp"

namespace mcr {

namespace {

std::string path_of(const std::string& interface, const char* file) {
  return fmt::format("/sys/class/net/{}/{}", interface, file);
}

/// The line that the file has; "" if it cannot be read.
std::string read_line(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const auto length = file.valid() ? ::read(file.get(), text.data(), text.size()) : -1;
  if (length <= 0) return "";
  std::string line(text.data(), static_cast<std::size_t>(length));
  return line.substr(0, line.find('\n'));
}

/// As sysfs writes it, with zeroes behind it; "" if the interface is gone.
std::string link_address(const std::string& interface) {
  const Socket socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  interface.copy(request.ifr_name, IF_NAMESIZE - 1);
  if (!socket.valid() || ::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) return "";
  std::array<std::uint8_t, sizeof request.ifr_hwaddr.sa_data> bytes{};
  std::memcpy(bytes.data(), request.ifr_hwaddr.sa_data, bytes.size());
  return fmt::format("{:02x}", fmt::join(bytes, ":"));
}

bool is_shown(const std::string& interface) {
  return read_line(path_of(interface, "ifindex")) ==
             std::to_string(::if_nametoindex(interface.c_str())) &&
         link_address(interface).starts_with(read_line(path_of(interface, "address")));
}

}  // namespace

std::optional<std::chrono::nanoseconds> read_gro_wait(const std::string& interface) {
  if (!is_shown(interface)) return std::nullopt;
  const auto text = read_line(path_of(interface, "gro_flush_timeout"));
  const auto* end = text.data() + text.size();
  std::int64_t nanoseconds = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, nanoseconds);
  if (error != std::errc() || rest != end) return std::nullopt;
  return std::chrono::nanoseconds(nanoseconds);
}

void write_gro_wait(const std::string& interface, std::chrono::nanoseconds wait) {
  const auto fail = [&](int error) {
    throw OsError(error, "set gro_flush_timeout", "of " + interface);
  };
  if (!is_shown(interface)) fail(ENODEV);
  const UniqueFd file(
      ::open(path_of(interface, "gro_flush_timeout").c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) fail(errno);
  const auto text = std::to_string(wait.count());
  if (::write(file.get(), text.data(), text.size()) < 0) fail(errno);
}

}  // namespace mcr
