// How an interface was before its UDP GRO was changed, kept in a file that outlives a killed
// process. Theory in gro.cpp. Control thread only.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "mcr/base/fd.hpp"
#include "mcr/host/ethtool.hpp"

namespace mcr {

/// One user's share of a record. Destroying it gives up the share, and leaves the file.
class GroRecord {
 public:
  /// Shares the record at `path`. Makes it with `now`, the setting of the interface but for its
  /// wait, if there is none. Throws OsError.
  static GroRecord share(const std::string& path, const GroSetting& now);
  /// The record of a killed process: nothing while somebody shares it, or where it is none.
  static std::optional<GroRecord> left_behind(const std::string& path);

  [[nodiscard]] const GroSetting& original() const noexcept { return original_; }
  /// Before the wait is changed for the first time: keeps it, unless another user has. Throws
  /// OsError.
  void keep_wait(std::chrono::nanoseconds now);
  /// True if nobody else shares it. Then nobody can until it is destroyed.
  [[nodiscard]] bool claim() noexcept;
  /// Removes the file. Only after claim().
  void remove() noexcept;

 private:
  GroRecord(std::string path, UniqueFd file, const GroSetting& original)
      : path_(std::move(path)), file_(std::move(file)), original_(original) {}

  std::string path_;
  UniqueFd file_;
  GroSetting original_;
};

}  // namespace mcr
