#include "mcr/program/user_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/base/printable.hpp"
#include "mcr/base/utf8.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {

std::string read_user_file(const std::string& name) {
  UniqueFd opened;
  if (name != "-") opened = UniqueFd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  const Fd file = name == "-" ? Fd(STDIN_FILENO) : opened;
  if (!file.valid()) throw_errno("read", name);
  std::string text;
  std::array<char, 65536> buffer{};
  while (text.size() <= limits::config_bytes) {
    const auto count = ::read(file.get(), buffer.data(), buffer.size());
    if (count == 0) return text;
    if (count > 0)
      text.append(buffer.data(), static_cast<std::size_t>(count));
    else if (errno != EINTR)
      throw_errno("read", name);
  }
  throw Failure(ExitCode::config, fmt::format("{}: has more than the {} MiB a configuration file "
                                              "may have",
                                              printable(name), limits::config_bytes >> 20U));
}

void require_utf8(std::string_view text, const std::string& file) {
  const auto front = text.substr(0, valid_utf8(text));
  if (front.size() == text.size()) return;
  const auto line = front.substr(front.rfind('\n') + 1);
  throw Failure(ExitCode::config,
                fmt::format("{}:{}:{}: the byte here is no UTF-8", printable(file),
                            std::ranges::count(front, '\n') + 1, line.size() + 1));
}

}  // namespace mcr
