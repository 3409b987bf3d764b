// One file is changed by rename(2), several by exchanging the whole folder with a second one,
// renameat2(2), in which unchanged files are links to the same inodes. Names that begin with a dot
// are read by nobody (file.cpp).
//
// A file that gets its name by that is on the disk before, and the name is on the disk when we
// return: a host that loses its power finds the old rules or the new ones. Of many files the file
// system is asked once (syncfs(2)): a journal is written once for all of them, and not once for
// each.
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
#include <unordered_map>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

namespace fs = std::filesystem;

constexpr mode_t file_mode = 0644;  // whatever the umask: it holds no more than /etc/mcr does
constexpr mode_t folder_mode = 0755;
constexpr std::string_view suffix = ".toml";
constexpr const char* unfinished = ".unfinished";

bool stands_for_itself(unsigned char byte) {
  return std::isalnum(byte) != 0 || byte == '-' || byte == '_' || byte == '.';
}

/// The name of a rule's file.
std::string name_of(std::string_view rule) {
  std::string name;
  for (const char byte : rule) {
    const auto value = static_cast<unsigned char>(byte);
    if (stands_for_itself(value) && (byte != '.' || !name.empty()))
      name += byte;
    else
      name += fmt::format("%{:02X}", value);
  }
  return name.append(suffix);
}

/// The modes are what we say, whatever the umask: other threads make no files.
struct NoUmask {
  const mode_t before = ::umask(0);
  NoUmask() = default;
  NoUmask(const NoUmask&) = delete;
  NoUmask& operator=(const NoUmask&) = delete;
  ~NoUmask() { ::umask(before); }
};

/// Root makes files for the user that the folder belongs to, as whom the daemon may run.
class Owner {
 public:
  explicit Owner(const std::string& folder) : known_(::stat(folder.c_str(), &status_) == 0) {}
  void take(Fd file) const {
    if (known_ && ::geteuid() == 0 && status_.st_uid != 0) [[maybe_unused]]
      const int refused = ::fchown(file.get(), status_.st_uid, status_.st_gid);
  }

 private:
  struct stat status_ {};
  bool known_;
};

UniqueFd open_folder(const std::string& path) {
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) throw_errno("open", path);
  return folder;
}

/// Some file systems keep nothing on a disk.
void sync(Fd file, const std::string& path) {
  if (::fsync(file.get()) != 0 && errno != EINVAL && errno != ENOTSUP) throw_errno("sync", path);
}

/// After the commit point: what the disk refuses now cannot be taken back any more.
void sync_names(const std::string& path) noexcept {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.valid()) ::fsync(folder.get());
}

void make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), folder_mode) != 0) {
    if (errno == EEXIST) return;
    throw_errno("make folder", path);
  }
  const auto parent = fs::path(path).parent_path().string();
  Owner(parent).take(open_folder(path));
  sync_names(parent);
}

UniqueFd write_file(Fd folder, const std::string& name, std::string_view text, const Owner& owner) {
  UniqueFd file(
      ::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode));
  if (!file.valid()) throw_errno("write", name);
  owner.take(file);
  while (!text.empty()) {
    const auto count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno != EINTR) throw_errno("write", name);
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  return file;
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
  return path_ + '/' + name_of(rule);
}

void RuleFolder::change(const Changes& changes) const {
  if (changes.empty()) return;
  const NoUmask none;
  make_folder(fs::path(path_).parent_path());
  const auto held = lock();
  make_folder(path_);
  if (changes.size() == 1)
    change_one(name_of(changes.begin()->first), changes.begin()->second);
  else
    change_many(changes);
}

UniqueFd RuleFolder::lock() const {
  const auto path = path_ + ".lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) throw_errno("open", path);
  Owner(fs::path(path_).parent_path()).take(file);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) throw_errno("lock", path);
  throw OsError(EAGAIN, "another program holds the lock", path);
}

void RuleFolder::change_one(const std::string& name, const std::optional<std::string>& text) const {
  const auto folder = open_folder(path_);
  if (text) {
    sync(write_file(folder, unfinished, *text, Owner(path_)), path_ + '/' + unfinished);
    if (::renameat(folder.get(), unfinished, folder.get(), name.c_str()) != 0) {
      const int error = errno;
      ::unlinkat(folder.get(), unfinished, 0);
      throw OsError(error, "rename to", path_ + '/' + name);
    }
  } else if (::unlinkat(folder.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    throw_errno("remove", path_ + '/' + name);
  }
  ::fsync(folder.get());
}

void RuleFolder::change_many(const Changes& changes) const {
  const auto path = path_ + unfinished;
  std::error_code ignored;
  fs::remove_all(path, ignored);
  const Unfinished goes{path};
  make_folder(path);
  fill(path, changes);
  // The commit point: the new folder has the name, and the old one goes.
  if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0)
    throw_errno("exchange", path_);
  sync_names(fs::path(path_).parent_path());
}

/// The new folder gets what the old one has, but for the changes.
void RuleFolder::fill(const std::string& path, const Changes& changes) const {
  constexpr std::size_t few = 16;
  const auto folder = open_folder(path);
  const Owner owner(path_);
  std::unordered_map<std::string, const std::optional<std::string>*> files;
  for (const auto& [rule, text] : changes)
    files.emplace(name_of(rule), &text);
  for (const auto& entry : fs::directory_iterator(path_))
    if (const auto name = entry.path().filename().string();
        !files.contains(name) && name != unfinished)
      keep(entry.path(), path + '/' + name);
  for (const auto& [name, text] : files)
    if (*text) {
      const auto file = write_file(folder, name, **text, owner);
      if (files.size() <= few) sync(file, path + '/' + name);
    }
  if (files.size() > few && ::syncfs(folder.get()) != 0) throw_errno("sync", path);
  sync(folder, path);
}

void RuleFolder::clean() const noexcept try {
  const auto folder = path_ + unfinished;
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
