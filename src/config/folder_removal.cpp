#include "folder_removal.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

namespace mcr {

namespace {

void remove(const std::string& folder) noexcept try {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
} catch (const std::bad_alloc&) {
}

}  // namespace

void FolderRemoval::begin(const std::string& folder, const std::string& name) noexcept {
  wait();
  if (std::rename(folder.c_str(), name.c_str()) != 0) return remove(folder);
  try {
    thread_ = std::thread([name] { remove(name); });
  } catch (const std::exception&) {  // no thread, or no memory for one
    remove(name);
  }
}

}  // namespace mcr
