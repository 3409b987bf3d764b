#include "mcr/control/gro_record.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

constexpr mode_t record_mode = 0600;

bool lock(Fd file, int how) noexcept {
  return ::flock(file.get(), how) == 0;
}

/// False if the file of that name was removed meanwhile, and perhaps made anew.
bool is_at(Fd file, const std::string& path) noexcept {
  struct stat ours {};
  struct stat named {};
  return ::fstat(file.get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
         ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/// "10", or with a wait in nanoseconds "10 20000"; and the end of the line.
std::string text_of(const GroSetting& setting) {
  const auto wait = setting.wait ? fmt::format(" {}", setting.wait->count()) : "";
  return fmt::format("{:d}{:d}{}\n", setting.merging, setting.udp_forwarding, wait);
}

std::optional<GroSetting> read_record(Fd file) noexcept {
  std::array<char, 32> text{};
  const auto length = ::pread(file.get(), text.data(), text.size(), 0);
  if (length < 3 || text[static_cast<std::size_t>(length) - 1] != '\n') return std::nullopt;
  GroSetting setting{text[0] == '1', text[1] == '1'};
  std::int64_t wait = 0;
  if (text[2] == ' ' &&
      std::from_chars(text.data() + 3, text.data() + length, wait).ec == std::errc())
    setting.wait = std::chrono::nanoseconds(wait);
  return setting;
}

void write_record(Fd file, const std::string& path, const GroSetting& setting) {
  const auto text = text_of(setting);
  if (::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    throw_errno("write record", path);
}

}  // namespace

GroRecord GroRecord::share(const std::string& path, const GroSetting& now) {
  for (;;) {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, record_mode));
    if (!file.valid()) throw_errno("open record", path);
    const bool alone = lock(file, LOCK_EX | LOCK_NB);
    if (!alone && !lock(file, LOCK_SH)) throw_errno("lock record", path);
    if (!is_at(file, path)) continue;
    auto original = read_record(file);
    if (!original) {
      original = GroSetting{now.merging, now.udp_forwarding};
      write_record(file, path, *original);
    }
    lock(file, LOCK_SH);
    return {path, std::move(file), *original};
  }
}

std::optional<GroRecord> GroRecord::left_behind(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  const auto original = file.valid() ? read_record(file) : std::nullopt;
  if (!original || !lock(file, LOCK_EX | LOCK_NB)) return std::nullopt;
  return GroRecord(path, std::move(file), *original);
}

void GroRecord::keep_wait(std::chrono::nanoseconds now) {
  if (original_.wait) return;
  original_ = read_record(file_).value_or(original_);
  if (original_.wait) return;
  original_.wait = now;
  write_record(file_, path_, original_);
}

bool GroRecord::claim() noexcept {
  return lock(file_, LOCK_EX | LOCK_NB);
}

void GroRecord::remove() noexcept {
  ::unlink(path_.c_str());
}

}  // namespace mcr
