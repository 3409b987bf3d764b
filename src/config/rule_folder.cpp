// One file is changed by rename(2), several by exchanging the whole folder with a second one,
// renameat2(2), in which unchanged files are links to the same inodes. Names that begin with a dot
// are read by nobody (file.cpp).
//
// The lock keeps two daemons, or a daemon and a person's flock(1), from losing each other's change.
// It lies beside the folder, since the folder itself may be exchanged, and is never waited for: the
// control thread would stand still.
#include "rule_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

namespace fs = std::filesystem;

constexpr mode_t file_mode = 0644;  // whatever the umask: it holds no more than /etc/mcr does
constexpr mode_t folder_mode = 0755;
constexpr std::string_view suffix = ".toml";
constexpr std::string_view unfinished = ".unfinished";

bool stands_for_itself(unsigned char byte) {
  return std::isalnum(byte) != 0 || byte == '-' || byte == '_' || byte == '.';
}

void make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), folder_mode) == 0)
    ::chmod(path.c_str(), folder_mode);
  else if (errno != EEXIST)
    throw_errno("make folder", path);
}

void write_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode));
  if (!file.valid()) throw_errno("write", path);
  ::fchmod(file.get(), file_mode);
  while (!text.empty()) {
    const auto count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno != EINTR) throw_errno("write", path);
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string base_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// The same file in the new folder, or a copy where it is another user's (fs.protected_hardlinks).
void keep(const std::string& path, const std::string& to) {
  if (::link(path.c_str(), to.c_str()) == 0) return;
  if (errno != EPERM) throw_errno("link", to);
  std::error_code error;
  fs::copy(path, to, error);
  if (error) throw OsError(error.value(), "copy", path);
}

/// Goes, with all that is in it.
struct Unfinished {
  std::string path;
  ~Unfinished() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

}  // namespace

std::string RuleFolder::file_of(std::string_view rule) const {
  std::string file = path_ + '/';
  const auto start = file.size();
  for (const char byte : rule) {
    const auto value = static_cast<unsigned char>(byte);
    if (stands_for_itself(value) && (byte != '.' || file.size() != start))
      file += byte;
    else
      file += fmt::format("%{:02X}", value);
  }
  return file + std::string(suffix);
}

void RuleFolder::change(const Changes& changes) const {
  if (changes.empty()) return;
  make_folder(fs::path(path_).parent_path());
  const auto held = lock();
  make_folder(path_);
  if (changes.size() == 1)
    change_one(changes.begin()->first, changes.begin()->second);
  else
    change_many(changes);
}

UniqueFd RuleFolder::lock() const {
  const auto path = path_ + ".lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) throw_errno("open", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) throw_errno("lock", path);
  throw OsError(EAGAIN, "another program holds the lock", path);
}

void RuleFolder::change_one(const std::string& file, const std::optional<std::string>& text) const {
  if (!text) {
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) throw_errno("remove", file);
    return;
  }
  const auto fresh = fmt::format("{}/{}", path_, unfinished);
  write_file(fresh, *text);
  if (::rename(fresh.c_str(), file.c_str()) == 0) return;
  const int error = errno;
  ::unlink(fresh.c_str());
  throw OsError(error, "rename to", file);
}

void RuleFolder::change_many(const Changes& changes) const {
  const auto fresh = path_ + std::string(unfinished);
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  const Unfinished goes{fresh};
  make_folder(fresh);
  for (const auto& entry : fs::directory_iterator(path_))
    if (const auto path = entry.path().string();
        !changes.contains(path) && base_of(path) != unfinished)
      keep(path, fresh + '/' + base_of(path));
  for (const auto& [path, text] : changes)
    if (text) write_file(fresh + '/' + base_of(path), *text);
  // The commit point: the new folder has the name, and the old one goes.
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0)
    throw_errno("exchange", path_);
}

void RuleFolder::clean() const noexcept try {
  const auto folder = path_ + std::string(unfinished);
  const auto file = fmt::format("{}/{}", path_, unfinished);
  if (!exists() || (::access(folder.c_str(), F_OK) != 0 && ::access(file.c_str(), F_OK) != 0))
    return;
  const auto held = lock();
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  ::unlink(file.c_str());
} catch (const std::exception&) {
}

}  // namespace mcr
