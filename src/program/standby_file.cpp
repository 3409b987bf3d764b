// A watch on the folder tells of a file that comes and goes. A folder that is removed takes its
// watch with it; the next look adds it again, and adding one that is there changes nothing.
#include "mcr/program/standby_file.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr {

StandbyFile::StandbyFile(std::string path)
    : path_(std::move(path)),
      folder_(path_.substr(0, path_.rfind('/') + 1)),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!inotify_.valid()) throw_errno("follow", path_);
}

bool StandbyFile::exists() noexcept {
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(inotify_.get(), events.data(), events.size()) > 0) {
  }
  ::inotify_add_watch(inotify_.get(), folder_.c_str(),
                      IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
  return ::access(path_.c_str(), F_OK) == 0;
}

void StandbyFile::put(bool exists) const {
  constexpr mode_t mode = 0644;
  if (exists) {
    const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, mode));
    if (!file.valid()) throw_errno("make", path_);
  } else if (::unlink(path_.c_str()) != 0 && errno != ENOENT) {
    throw_errno("remove", path_);
  }
}

}  // namespace mcr
