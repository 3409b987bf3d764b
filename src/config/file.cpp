// The name of a configuration file may lead to anything. A FIFO would block the reader for ever and
// a device may have no end, so the file is opened without blocking, its kind and size are checked
// on the open descriptor, and only then is it read, up to the limit.
#include "file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {
namespace {

std::string_view kind(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

/// Says why the opened file must not be read; empty if it may.
std::string refusal(const struct stat& status) {
  if (!S_ISREG(status.st_mode))
    return fmt::format("cannot read: is {}, not a regular file", kind(status.st_mode));
  if (static_cast<std::size_t>(status.st_size) > limits::config_bytes)
    return fmt::format("has {} bytes, more than the {} MiB a configuration file may have",
                       status.st_size, limits::config_bytes >> 20U);
  return {};
}

/// Reads all of the text, but no more than limits::config_bytes. Returns nothing on an error
/// (errno).
std::optional<std::string> read_all(Fd fd, std::size_t expected) {
  std::string text(std::min(expected + 1, limits::config_bytes), '\0');
  std::size_t filled = 0;
  while (true) {
    const ssize_t count = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    filled += static_cast<std::size_t>(count);
    if (count == 0 || filled == limits::config_bytes) break;
    // Files that grow meanwhile, and those of /proc that have no size.
    if (filled == text.size()) text.resize(std::min(2 * filled + 4096, limits::config_bytes));
  }
  text.resize(filled);
  return text;
}

}  // namespace

std::optional<std::string> read_config_file(Position file, Diagnostics& diagnostics) {
  const auto fail = [&](int code) {
    diagnostics.add(file, "cannot read: " + errno_text(code));
    return std::nullopt;
  };
  // Without O_NONBLOCK a FIFO without a writer would hold us here for ever.
  const UniqueFd fd(
      ::open(diagnostics.file_name(file).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return fail(errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail(errno);
  if (auto message = refusal(status); !message.empty()) {
    diagnostics.add(file, std::move(message));
    return std::nullopt;
  }
  auto text = read_all(fd, static_cast<std::size_t>(status.st_size));
  if (!text) return fail(errno);
  return text;
}

std::string conf_d_of(const std::string& main_path) {
  // If the path has no slash, rfind() returns npos, and npos + 1 is 0: the folder is relative, too.
  return main_path.substr(0, main_path.rfind('/') + 1) + "conf.d";
}

std::vector<std::string> list_folder(const std::string& folder, Diagnostics& diagnostics) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
  if (!directory) {
    if (errno != ENOENT)
      diagnostics.add(diagnostics.add_file(folder), "cannot read: " + errno_text(errno));
    return {};
  }
  std::vector<std::string> paths;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): this stream is ours alone
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".toml") && !name.starts_with('.'))
      paths.push_back(folder + '/' + std::string(name));
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace mcr
