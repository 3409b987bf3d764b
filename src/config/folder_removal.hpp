// Removes folders that nobody reads any more, in a thread of its own: a file system may take
// seconds for thousands of files.
#pragma once

#include <string>
#include <thread>

namespace mcr {

class FolderRemoval {
 public:
  FolderRemoval() = default;
  FolderRemoval(const FolderRemoval&) = delete;
  FolderRemoval& operator=(const FolderRemoval&) = delete;
  /// Waits until all are gone.
  ~FolderRemoval() { wait(); }

  /// Waits for the one before, gives the folder another name, so that its own may be used at once,
  /// and begins. Errors do not matter: what is left is removed another time.
  void begin(const std::string& folder, const std::string& name) noexcept;

 private:
  void wait() noexcept {
    if (thread_.joinable()) thread_.join();
  }

  std::thread thread_;
};

}  // namespace mcr
