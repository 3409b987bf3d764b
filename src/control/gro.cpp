// An interface's offloads belong to the host: whoever changes them must put them back, also when it
// was killed, and not while another instance still uses them. So each changed interface has a
// record, FOLDER/NAMESPACE-INDEX, which says how it was, and every user holds a shared lock
// (flock(2)) on it, which a killed process loses. Whoever gets the exclusive lock is alone: the
// first user writes the record (or finds one left behind, which then still tells the truth), the
// last one restores and removes it. A record whose interface could not be restored stays, for the
// next start to try again.
//
// Records go by the index of the interface in its network namespace, since an interface can be
// renamed while it is in use. It is restored under the name that it has then. With an interface
// that is gone its setting is gone, too.
#include "mcr/control/gro.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/control/try_or_log.hpp"
#include "mcr/host/gro_wait.hpp"
#include "mcr/rules/remedies.hpp"

namespace mcr {

namespace {

/// The inode number names a network namespace (namespaces(7)).
std::string namespace_name() {
  struct stat status {};
  return ::stat("/proc/self/ns/net", &status) == 0 ? std::to_string(status.st_ino) : "0";
}

/// "" if there is no such interface.
std::string name_of(unsigned index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(index, name.data()) == nullptr ? "" : name.data();
}

/// 0, which is no interface's, if the text is no number.
unsigned index_of(std::string_view text) noexcept {
  unsigned index = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, index);
  return error == std::errc() && rest == end ? index : 0;
}

std::string_view on_off(bool on) {
  return on ? "on" : "off";
}

/// False if the interface is still there and not as it was.
bool restore(unsigned index, const GroSetting& original) {
  const auto interface = name_of(index);
  if (interface.empty()) return true;
  try {
    const auto now = read_gro(interface);
    if (!now) throw OsError(EOPNOTSUPP, "read UDP GRO", "of " + interface);
    if (!now->has_features_of(original)) write_gro(interface, original);
    if (original.wait && original.wait != now->wait) write_gro_wait(interface, *original.wait);
    return true;
  } catch (const OsError& error) {
    log::warning("UDP GRO not put back: interface={} reason={}", log::value(interface),
                 log::value(error.what()));
    return false;
  }
}

}  // namespace

GroSetting gro_setting(const GroWish& wish, const GroSetting& original, bool described) noexcept {
  const auto wait = wish.wait ? wish.wait : original.wait;
  switch (wish.gro) {
    case Gro::automatic:
      return {original.merging, described, wait};
    case Gro::on:
      return {original.merging || described, described, wait};
    case Gro::off:
      return {original.merging, false, wait};
    case Gro::leave:
      break;
  }
  return original;
}

std::map<unsigned, GroWish> gro_wishes(std::span<const Rule> rules, const InterfaceTunings& tunings,
                                       const Interfaces& interfaces) {
  std::map<unsigned, GroWish> wishes;
  for (const auto& rule : rules)
    for (const auto& input : rule.inputs) {
      const auto tuning = tuning_of(tunings, input.interface);
      const auto* interface = interfaces.find(input.interface);
      if (rule.enabled && !input.local && tuning.gro != Gro::leave && interface != nullptr)
        wishes.emplace(interface->index, GroWish{tuning.gro, tuning.gro_wait});
    }
  return wishes;
}

GroSwitch::GroSwitch(std::string folder)
    : folder_(std::move(folder)), prefix_(namespace_name() + "-") {
  restore_left_behind();
}

GroSwitch::~GroSwitch() {
  while (!records_.empty())
    put_back(records_.begin()->first);
}

std::string GroSwitch::path_of(unsigned index) const {
  return folder_ + "/" + prefix_ + std::to_string(index);
}

void GroSwitch::apply(std::span<const Rule> rules, const InterfaceTunings& tunings,
                      const Interfaces& interfaces) {
  const auto wishes = gro_wishes(rules, tunings, interfaces);
  std::set<unsigned> unused;
  for (const auto& [index, record] : records_)
    if (!wishes.contains(index)) unused.insert(index);
  for (const auto index : unused)
    put_back(index);
  for (const auto& [index, wish] : wishes) {
    const auto& interface = *interfaces.find(index);
    try {
      switch_to(interface, wish);
    } catch (const OsError& error) {
      if (tells(interface.name, "features"))
        log::notice(
            "UDP GRO stays as it is: interface={} reason={}{}", log::value(interface.name),
            log::value(error.what()),
            error.code() == EPERM ? fmt::format(" do=\"{}\"", remedy(Trouble::gro_refused)) : "");
    }
  }
}

bool GroSwitch::tells(const std::string& interface, std::string_view what) {
  return told_.insert(fmt::format("{} {}", interface, what)).second;
}

void GroSwitch::switch_to(const Interface& interface, const GroWish& wish) {
  const auto now = read_gro(interface.name);
  if (!now) return;
  const bool described = superframes_are_described();
  if (wish.gro != Gro::off && !described && tells(interface.name, "no sizes"))
    log::notice(
        "UDP GRO is kept off: interface={} reason=\"this kernel cannot tell the size of merged "
        "datagrams (Linux 6.2 can)\"",
        log::value(interface.name));
  // Shared also where nothing is to change, so that another instance's stop does not change it.
  auto record = records_.find(interface.index);
  if (record == records_.end()) {
    std::error_code ignored;
    std::filesystem::create_directories(folder_, ignored);
    record =
        records_.emplace(interface.index, GroRecord::share(path_of(interface.index), *now)).first;
  }
  if (wish.wait && now->wait) record->second.keep_wait(*now->wait);
  const auto wanted = gro_setting(wish, record->second.original(), described);
  if (wanted.wait && wanted.wait != now->wait) wait_as_wished(interface, *wanted.wait);
  if (wanted.has_features_of(*now)) return;
  write_gro(interface.name, wanted);
  log::notice(
      "UDP GRO switched until the end: interface={} merging={} udp_forwarding={} merging_before={} "
      "udp_forwarding_before={}",
      log::value(interface.name), on_off(wanted.merging), on_off(wanted.udp_forwarding),
      on_off(now->merging), on_off(now->udp_forwarding));
}

void GroSwitch::wait_as_wished(const Interface& interface, std::chrono::nanoseconds wait) {
  try {
    write_gro_wait(interface.name, wait);
    log::notice("GRO waits until the end: interface={} gro_flush_timeout={}",
                log::value(interface.name), wait.count());
  } catch (const OsError& error) {
    if (tells(interface.name, "wait"))
      log::notice("GRO waits as the host has it: interface={} reason={} do=\"{}\"",
                  log::value(interface.name), log::value(error.what()),
                  remedy(Trouble::gro_wait_refused, interface.name));
  }
}

void GroSwitch::put_back(unsigned index) noexcept {
  auto record = records_.extract(index);
  if (!record || !record.mapped().claim()) return;  // another instance still uses it
  try_or_log("put UDP GRO back", "", [&] {
    if (restore(index, record.mapped().original())) record.mapped().remove();
  });
}

void GroSwitch::restore_left_behind() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(prefix_)) continue;
    const auto index = index_of(std::string_view(name).substr(prefix_.size()));
    auto record = GroRecord::left_behind(entry.path().string());
    if (!record) continue;
    log::notice("UDP GRO that a killed process left is put back: interface={}",
                log::value(name_of(index)));
    if (restore(index, record->original())) record->remove();
  }
}

}  // namespace mcr
