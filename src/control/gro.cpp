// An interface's offloads belong to the host: whoever changes them must put them back, also when it
// was killed, and not while another instance still uses them. So each changed interface has a
// record, FOLDER/NAMESPACE-INTERFACE, which says how it was, and every user holds a shared lock
// (flock(2)) on it, which a killed process loses. Whoever gets the exclusive lock is alone: the
// first user writes the record (or finds one left behind, which then still tells the truth), the
// last one restores and removes it.
#include "mcr/control/gro.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/config.hpp"
#include "mcr/rules/remedies.hpp"

namespace mcr {

namespace {

constexpr mode_t record_mode = 0600;

/// The inode number names a network namespace (namespaces(7)).
std::string namespace_name() {
  struct stat status {};
  return ::stat("/proc/self/ns/net", &status) == 0 ? std::to_string(status.st_ino) : "0";
}

bool lock(Fd file, int how) {
  return ::flock(file.get(), how) == 0;
}

/// Whether this is still the file of that name, and not one that was removed meanwhile.
bool is_at(Fd file, const std::string& path) {
  struct stat ours {};
  struct stat named {};
  return ::fstat(file.get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
         ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

std::string text_of(const GroSetting& setting) {
  return {setting.merging ? '1' : '0', setting.udp_forwarding ? '1' : '0', '\n'};
}

std::optional<GroSetting> read_record(Fd file) {
  std::array<char, 3> text{};
  if (::pread(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return std::nullopt;
  return GroSetting{text[0] == '1', text[1] == '1'};
}

/// What to make of a host's own setting.
GroSetting wished(Gro wish, const GroSetting& original) {
  switch (wish) {
    case Gro::automatic:
      return {original.merging, true};
    case Gro::on:
      return {true, true};
    case Gro::off:
      return {original.merging, false};
    case Gro::leave:
      break;
  }
  return original;
}

Gro wish_of(const Config& config, const std::string& interface) {
  const auto known = config.interfaces.find(interface);
  return known == config.interfaces.end() ? Gro::automatic : known->second.gro;
}

std::string_view on_off(bool on) {
  return on ? "on" : "off";
}

}  // namespace

GroSwitch::GroSwitch(std::string folder)
    : folder_(std::move(folder)), prefix_(namespace_name() + "-") {
  restore_left_behind();
}

GroSwitch::~GroSwitch() {
  while (!records_.empty())
    put_back(std::string(records_.begin()->first));
}

std::string GroSwitch::path_of(const std::string& interface) const {
  return folder_ + "/" + prefix_ + interface;
}

void GroSwitch::apply(const Config& config, const Interfaces& interfaces) {
  std::set<std::string> inputs;
  for (const auto& rule : config.rules)
    for (const auto& input : rule.inputs)
      if (rule.enabled && !input.local && interfaces.find(input.interface) != nullptr)
        inputs.insert(input.interface);
  std::set<std::string> unused;
  for (const auto& [interface, record] : records_)
    if (!inputs.contains(interface) || wish_of(config, interface) == Gro::leave)
      unused.insert(interface);
  for (const auto& interface : unused)
    put_back(interface);
  for (const auto& interface : inputs) {
    try {
      enable_for(interface, wish_of(config, interface));
    } catch (const OsError& error) {
      if (told_.insert(interface).second)
        log::notice(
            "UDP GRO stays as it is: interface={} reason={}{}", log::value(interface),
            log::value(error.what()),
            error.code() == EPERM ? fmt::format(" do=\"{}\"", remedy(Trouble::gro_refused)) : "");
    }
  }
}

void GroSwitch::enable_for(const std::string& interface, Gro wish) {
  const auto now = read_gro(interface);
  if (wish == Gro::leave || !now) return;
  if (wish != Gro::off && !superframes_are_described()) {
    if (told_.insert(interface).second)
      log::notice(
          "UDP GRO is kept off: interface={} reason=\"this kernel cannot tell the size of merged "
          "datagrams (Linux 6.2 can)\"",
          log::value(interface));
    wish = Gro::off;
  }
  // Held also where nothing is to change, so that another instance's stop does not change it.
  if (!records_.contains(interface)) records_.emplace(interface, hold(interface));
  const auto wanted = wished(wish, records_.at(interface).original);
  if (wanted == *now) return;
  write_gro(interface, wanted);
  log::notice(
      "UDP GRO switched until the end: interface={} merging={} udp_forwarding={} merging_before={} "
      "udp_forwarding_before={}",
      log::value(interface), on_off(wanted.merging), on_off(wanted.udp_forwarding),
      on_off(now->merging), on_off(now->udp_forwarding));
}

void GroSwitch::put_back(const std::string& interface) {
  auto record = records_.extract(interface);
  if (record) release(interface, record.mapped());
}

GroSwitch::Record GroSwitch::hold(const std::string& interface) const {
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  const auto path = path_of(interface);
  for (;;) {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, record_mode));
    if (!file.valid()) throw_errno("open record", path);
    const bool alone = lock(file, LOCK_EX | LOCK_NB);
    if (!alone && !lock(file, LOCK_SH)) throw_errno("lock record", path);
    if (!is_at(file, path)) continue;
    auto original = read_record(file);
    if (!original) {
      original = read_gro(interface).value_or(GroSetting{});
      const auto text = text_of(*original);
      if (::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        throw_errno("write record", path);
    }
    lock(file, LOCK_SH);
    return {std::move(file), *original};
  }
}

void GroSwitch::release(const std::string& interface, Record& record) const {
  if (!lock(record.lock, LOCK_EX | LOCK_NB)) return;  // another instance still uses it
  try {
    if (const auto now = read_gro(interface); now && *now != record.original)
      write_gro(interface, record.original);
  } catch (const OsError& error) {
    log::warning("UDP GRO not put back: interface={} reason={}", log::value(interface),
                 log::value(error.what()));
  }
  ::unlink(path_of(interface).c_str());
}

void GroSwitch::restore_left_behind() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(prefix_)) continue;
    UniqueFd file(::open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
    const auto original = file.valid() ? read_record(file) : std::nullopt;
    if (!original || !lock(file, LOCK_EX | LOCK_NB)) continue;
    const auto interface = name.substr(prefix_.size());
    log::notice("UDP GRO that a killed process left is put back: interface={}",
                log::value(interface));
    Record record{std::move(file), *original};
    release(interface, record);
  }
}

}  // namespace mcr
