// One file is changed by rename(2), several by exchanging the whole folder with a second one,
// renameat2(2), in which unchanged files are links to the same inodes. Names that begin with a dot
// are read by nobody (file.cpp).
//
// A file that gets its name by that is on the disk before, and the name is on the disk when we
// return: a host that loses its power finds the old rules or the new ones. Of many files the file
// system is asked once (syncfs(2)): a journal is written once for all of them, and not once for
// each. It does so, as the writing itself, in a thread, while the control thread checks the rules:
// only the exchange of the folders waits for both. The old folder is removed in another.
//
// A rules.d that is a link stays one: the folder that it leads to is exchanged.
//
// The lock keeps two daemons, or a daemon and a person's flock(1), from losing each other's change.
// It lies beside rules.d, since the folder itself may be exchanged, and is never waited for: the
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
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

namespace fs = std::filesystem;

constexpr mode_t file_mode = 0644;  // whatever the umask: it holds no more than /etc/mcr does
constexpr mode_t folder_mode = 0755;
constexpr std::string_view suffix = ".toml";
constexpr const char* unfinished = ".unfinished";
constexpr const char* gone = ".gone";

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

UniqueFd write_file(Fd folder, const std::string& name, std::string_view text, const Owner& owner,
                    const std::string& path) {
  UniqueFd file(
      ::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode));
  if (!file.valid()) throw_errno("write", path + '/' + name);
  owner.take(file);
  while (!text.empty()) {
    const auto count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno != EINTR) throw_errno("write", path + '/' + name);
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  return file;
}

/// On the disk; if that fails, nothing of it is left.
void write_unfinished(Fd folder, std::string_view text, const std::string& path) try {
  sync(write_file(folder, unfinished, text, Owner(path), path), path + '/' + unfinished);
} catch (const OsError&) {
  ::unlinkat(folder.get(), unfinished, 0);
  throw;
}

/// The new folder has the rights of the old one, as far as we may give them.
void take_rights(Fd folder, Fd from) {
  struct stat old {};
  if (::fstat(from.get(), &old) != 0) return;
  [[maybe_unused]] int refused = ::fchown(folder.get(), old.st_uid, old.st_gid);
  refused = ::fchmod(folder.get(), old.st_mode & 07777);
}

/// The same file in the new folder, or a copy where it is another user's (fs.protected_hardlinks).
void keep(Fd from, const fs::path& path, Fd to, const std::string& folder) {
  const auto name = path.filename();
  if (::linkat(from.get(), name.c_str(), to.get(), name.c_str(), 0) == 0) return;
  if (errno != EPERM) throw_errno("link", folder + '/' + name.string());
  std::error_code error;
  fs::copy(path, fs::path(folder) / name, error);
  if (error) throw OsError(error.value(), "copy", path.string());
}

UniqueFd lock(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) throw_errno("open", path);
  Owner(fs::path(path).parent_path()).take(file);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) throw_errno("lock", path);
  throw OsError(EAGAIN, "another program holds the lock", path);
}

/// Somebody has put a file there meanwhile: its rules would be lost.
[[noreturn]] void refuse_stranger(const std::string& path) {
  throw Failure(
      ExitCode::config,
      fmt::format("{}: the file is there already, and is not what the relay has read; mcr "
                  "reload reads it",
                  path));
}

/// 0, or why not. Where the file system cannot tell by itself, somebody may be quicker than we are.
int rename_new(Fd folder, const std::string& name) {
  if (::renameat2(folder.get(), unfinished, folder.get(), name.c_str(), RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL) return errno;
  if (::faccessat(folder.get(), name.c_str(), F_OK, 0) == 0) return EEXIST;
  return ::renameat(folder.get(), unfinished, folder.get(), name.c_str()) == 0 ? 0 : errno;
}

/// The unfinished file gets its name, or goes.
void give_name(Fd folder, const std::string& name, bool added, const std::string& path) {
  int error = 0;
  if (added)
    error = rename_new(folder, name);
  else if (::renameat(folder.get(), unfinished, folder.get(), name.c_str()) != 0)
    error = errno;
  if (error == 0) return;
  ::unlinkat(folder.get(), unfinished, 0);
  if (added && error == EEXIST) refuse_stranger(path);
  throw OsError(error, "rename to", path);
}

}  // namespace

std::string RuleFolder::file_of(std::string_view rule) const {
  return path_ + '/' + name_of(rule);
}

std::string RuleFolder::real_path() const {
  std::error_code missing;
  const auto path = fs::canonical(path_, missing);
  return missing ? path_ : path.string();
}

void RuleFolder::clean() const noexcept try {
  const auto path = real_path();
  const auto folder = path + unfinished;
  const auto file = fmt::format("{}/{}", path, unfinished);
  const auto old = path + gone;
  const auto is_there = [](const std::string& name) { return ::access(name.c_str(), F_OK) == 0; };
  if (!exists() || !(is_there(folder) || is_there(file) || is_there(old))) return;
  const auto held = lock(path_ + ".lock");
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  fs::remove_all(old, ignored);
  ::unlink(file.c_str());
} catch (const std::exception&) {
}

RuleFolderChange::RuleFolderChange(const RuleFolder& folder, RuleFolder::Changes changes,
                                   FolderRemoval& removal)
    : lock_path_(folder.path_ + ".lock"),
      path_(folder.real_path()),
      draft_(path_ + unfinished),
      changes_(std::move(changes)),
      removal_(removal) {
  if (changes_.size() > 1) writer_ = std::thread([this] { write_all(); });
}

RuleFolderChange::~RuleFolderChange() {
  if (writer_.joinable()) writer_.join();
  if (drafted_) retire();
}

void RuleFolderChange::commit() {
  if (changes_.empty()) return;
  if (changes_.size() == 1)
    change_one();
  else
    change_many();
}

void RuleFolderChange::prepare() {
  make_folder(fs::path(lock_path_).parent_path());
  lock_ = lock(lock_path_);
  make_folder(path_);
}

void RuleFolderChange::change_one() {
  const NoUmask none;
  prepare();
  const auto& [rule, change] = *changes_.begin();
  const auto name = name_of(rule);
  const auto folder = open_folder(path_);
  if (change.text) {
    write_unfinished(folder, *change.text, path_);
    give_name(folder, name, change.added, path_ + '/' + name);
  } else if (::unlinkat(folder.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    throw_errno("remove", path_ + '/' + name);
  }
  ::fsync(folder.get());
}

void RuleFolderChange::change_many() {
  writer_.join();
  if (failure_) std::rethrow_exception(failure_);
  // The commit point: the new folder has the name, and the old one goes.
  if (::renameat2(AT_FDCWD, draft_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0)
    throw_errno("exchange", path_);
  sync_names(fs::path(path_).parent_path());
}

void RuleFolderChange::write_all() noexcept {
  try {
    const NoUmask none;
    prepare();
    std::error_code ignored;
    fs::remove_all(draft_, ignored);
    drafted_ = true;
    if (::mkdir(draft_.c_str(), folder_mode) != 0) throw_errno("make folder", draft_);
    fill();
  } catch (...) {
    failure_ = std::current_exception();
  }
}

/// The new folder gets what the old one has, but for the changes.
void RuleFolderChange::fill() const {
  constexpr std::size_t few = 16;
  const auto folder = open_folder(draft_);  // its name is synced with the exchange
  const auto before = open_folder(path_);
  take_rights(folder, before);
  const Owner owner(path_);
  std::unordered_map<std::string, const RuleFileChange*> files;
  for (const auto& [rule, change] : changes_)
    files.emplace(name_of(rule), &change);
  for (const auto& entry : fs::directory_iterator(path_)) {
    const auto name = entry.path().filename().string();
    const auto changed = files.find(name);
    if (changed == files.end() && name != unfinished)
      keep(before, entry.path(), folder, draft_);
    else if (changed != files.end() && changed->second->added)
      refuse_stranger(entry.path().string());
  }
  for (const auto& [name, change] : files)
    if (change->text) {
      const auto file = write_file(folder, name, *change->text, owner, draft_);
      if (files.size() <= few) sync(file, draft_ + '/' + name);
    }
  if (files.size() > few && ::syncfs(folder.get()) != 0) throw_errno("sync", draft_);
  sync(folder, draft_);
}

/// While the lock is held: nobody else has a draft.
void RuleFolderChange::retire() noexcept {
  removal_.begin(draft_, path_ + gone);
}

}  // namespace mcr
