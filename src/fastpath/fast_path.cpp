// The program is loaded once, for as long as the process lives. A reload attaches it where it is
// missing before the commit point: without destinations of that interface in its table it leaves
// every frame alone. Likewise it is taken away only when the new table is in use. So the table
// alone decides which frames it takes. Whatever the kernel refuses on this way costs nothing but
// speed: the worker takes the frames.
#include "mcr/fastpath/fast_path.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/host/tc_filters.hpp"

namespace mcr::fastpath {

namespace {

Reason reason_of(const std::exception& error) {
  const auto* refused = dynamic_cast<const OsError*>(&error);
  return {error.what(), refused == nullptr ? 0 : refused->code()};
}

bool is_there(unsigned index, const FastCounters& counters) {
  return counters.interfaces.contains(index);
}

}  // namespace

FastPath::FastPath(FastPathMode mode) {
  if (mode == FastPathMode::off) {
    reason_ = {"fast_path is off"};
    return;
  }
  try {
    instance_ = Instance::claim_any();
    program_ = std::make_unique<KernelProgram>(instance_->mark());
    remove_left_behind();
  } catch (const std::exception& error) {
    program_.reset();
    instance_.reset();
    reason_ = reason_of(error);
    if (mode == FastPathMode::require)
      throw Failure(ExitCode::unavailable,
                    fmt::format("fast_path = \"require\": {}", reason_.text));
    log::notice("the kernel's way is not available, all goes the worker's way: reason={}",
                log::value(reason_.text));
  }
}

FastPath::~FastPath() {
  stop();
}

/// A daemon that was killed leaves its filters. Its number is free again; those of other daemons
/// are not.
void FastPath::remove_left_behind() const {
  for (unsigned number = 0; number < Instance::most; ++number) {
    const bool ours = number == instance_->number();
    const auto claimed = ours ? std::nullopt : Instance::claim(number);
    if (!ours && !claimed) continue;
    const auto priority = Instance::first_priority + number;
    auto* const all = ::if_nameindex();
    for (const auto* each = all; each != nullptr && each->if_index != 0; ++each) {
      if (!is_attached(each->if_index, priority)) continue;
      log::notice("a filter that a killed process left is removed: interface={}",
                  log::value(each->if_name));
      detach(each->if_index, priority, false);
    }
    ::if_freenameindex(all);
  }
}

void FastPath::attach_to(const std::set<unsigned>& wanted, const Interfaces& interfaces) {
  refusals_.clear();
  for (const auto index : wanted) {
    const auto& interface = *interfaces.find(index);
    const auto known = attached_.find(index);
    if (known != attached_.end() && known->second.incarnation == interface.incarnation) {
      known->second.name = interface.name;
      continue;
    }
    if (known != attached_.end()) close(index);
    try {
      const bool made = attach(program_->fd(), index, instance_->priority());
      attached_[index] = {interface.name, interface.incarnation, made, false};
    } catch (const OsError& error) {
      refusals_.emplace(index, error.what());
      log::warning("interface goes the worker's way: interface={} reason={}",
                   log::value(interface.name), log::value(error.what()));
    }
  }
}

void FastPath::prepare(const std::vector<Rule>& rules, const Interfaces& interfaces,
                       const std::vector<RuleStatus>& statuses, const SlotAllocators& slots,
                       std::uint16_t source_port) {
  next_table_.reset();
  next_ = {};
  if (!runs()) {
    next_.paths.assign(rules.size(), {false, reason_.text});
    return;
  }
  if (stands_by_) {
    next_.paths.assign(rules.size(), {false, "this host stands by"});
    return;
  }
  attach_to(wanted_interfaces(rules, interfaces, statuses), interfaces);
  next_ = compile_plain_table(rules, interfaces, statuses, slots, source_port, refusals_);
  if (next_.cells.empty()) return;
  try {
    next_table_ = program_->make_table(next_);
  } catch (const OsError& error) {
    log::error("all goes the worker's way: reason={}", log::value(error.what()));
    for (auto& path : next_.paths)
      if (path.kernel) path = {false, error.what()};
    next_.interfaces.clear();
  }
}

void FastPath::publish() noexcept {
  paths_ = std::move(next_.paths);
  used_ = std::move(next_.interfaces);
  if (!runs()) return;
  const int error = program_->use_table(next_table_);
  next_table_.reset();  // the kernel holds it now
  if (error == 0) return;
  log::error("the kernel's way has no table: error={}", log::value(errno_text(error)));
  program_->use_table({});
  for (auto& path : paths_)
    path.kernel = false;
  used_.clear();
}

void FastPath::stand_by(bool standby) noexcept {
  stands_by_ = standby;
  if (standby && runs()) program_->use_table({});
}

void FastPath::detach_unused() noexcept {
  if (!runs()) return;
  std::set<unsigned> unused;
  for (const auto& [index, attached] : attached_)
    if (!used_.contains(index)) unused.insert(index);
  for (const auto index : unused)
    close(index);
}

/// Its counters stay in the sum of all interfaces that had the name.
void FastPath::close(unsigned index) noexcept {
  const auto attached = attached_.extract(index);
  read();
  if (is_there(index, counters_)) {
    auto& sum = received_[attached.mapped().name];
    sum.frames += counters_.interfaces[index].frames;
    sum.datagrams += counters_.interfaces[index].datagrams;
    counters_.interfaces.erase(index);
  }
  if (const int error = detach(index, instance_->priority(), attached.mapped().made_hook);
      error != 0 && error != ENODEV)
    log::warning("filter not removed: interface={} error={}", log::value(attached.mapped().name),
                 log::value(errno_text(error)));
  program_->set_udp_only(index, false);
  program_->forget_interface(index);
}

void FastPath::tick() noexcept {
  if (!runs()) return;
  for (auto& [index, attached] : attached_) {
    try {
      if (is_attached(index, instance_->priority())) continue;
      attached.made_hook = attach(program_->fd(), index, instance_->priority());
      log::warning("the filter was taken away, and is put back: interface={}",
                   log::value(attached.name));
    } catch (const OsError& error) {
      log::debug("look for the filter: interface={} reason={}", log::value(attached.name),
                 log::value(error.what()));
    }
  }
}

/// Filters behind ours see what we let pass; those before us have seen it.
bool FastPath::is_heard(unsigned index, const std::string& name, const SocketInodes& own) const {
  const auto filters = tc_filters(index, TcHook::ingress);
  return std::ranges::any_of(
             filters,
             [this](const TcFilter& filter) { return filter.priority > instance_->priority(); }) ||
         has_audience(name, index, own);
}

void FastPath::watch_audience(const SocketInodes& own) noexcept {
  for (auto& [index, attached] : attached_) {
    bool only = false;
    try {
      only = !is_heard(index, attached.name, own);
    } catch (const std::exception&) {
      only = false;  // not known
    }
    if (std::exchange(attached.udp_only, only) != only) program_->set_udp_only(index, only);
  }
}

void FastPath::stop() noexcept {
  if (!runs()) return;
  while (!attached_.empty())
    close(attached_.begin()->first);
  program_->use_table({});
}

void FastPath::read() noexcept {
  if (!runs()) return;
  try {
    FastCounters now;
    program_->read(now);
    counters_ = std::move(now);
  } catch (const std::exception& error) {
    log::warning("{}", error.what());
  }
}

InterfaceCount FastPath::received(const std::string& interface) const {
  const auto left = received_.find(interface);
  InterfaceCount sum = left == received_.end() ? InterfaceCount{} : left->second;
  for (const auto& [index, attached] : attached_) {
    const auto now = counters_.interfaces.find(index);
    if (attached.name != interface || now == counters_.interfaces.end()) continue;
    sum.frames += now->second.frames;
    sum.datagrams += now->second.datagrams;
  }
  return sum;
}

void FastPath::forget_rule(std::uint32_t slot) noexcept {
  if (runs()) program_->forget_rule(slot);
}

void FastPath::forget_output(std::uint32_t slot) noexcept {
  if (runs()) program_->forget_output(slot);
}

}  // namespace mcr::fastpath
