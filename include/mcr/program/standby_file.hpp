// The file that makes a host stand by: while it exists, the relay sends nothing.
#pragma once

#include <string>

#include "mcr/base/fd.hpp"

namespace mcr {

/// Control thread only.
class StandbyFile {
 public:
  /// Follows it by inotify(7), as far as its folder exists. Throws OsError without inotify.
  explicit StandbyFile(std::string path);

  /// Readable when something in the folder has changed: ask exists() then.
  [[nodiscard]] Fd fd() const noexcept { return inotify_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Clears fd(), and looks. Follows a folder that has come meanwhile.
  [[nodiscard]] bool exists() noexcept;
  /// Makes or removes the file. Throws OsError.
  void put(bool exists) const;

 private:
  const std::string path_;
  const std::string folder_;
  UniqueFd inotify_;
};

}  // namespace mcr
