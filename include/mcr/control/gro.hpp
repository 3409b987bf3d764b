// UDP GRO of the input interfaces: switched as the configuration asks, and put back.
// Theory in gro.cpp. Control thread only.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "mcr/config/interface_tuning.hpp"
#include "mcr/control/gro_record.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

struct Rule;

/// The configuration's wish for an interface.
struct GroWish {
  Gro gro = Gro::automatic;
  std::optional<std::chrono::nanoseconds> wait{};  ///< nothing: as it is

  friend bool operator==(const GroWish&, const GroWish&) = default;
};

class GroSwitch {
 public:
  /// `folder`: where records are kept, made when it is needed. Puts back what a killed process left
  /// behind in this network namespace, if nobody uses it.
  explicit GroSwitch(std::string folder);
  /// Puts everything back.
  ~GroSwitch();
  GroSwitch(const GroSwitch&) = delete;
  GroSwitch& operator=(const GroSwitch&) = delete;

  /// Brings the interfaces of all inputs to what the configuration asks for, and puts back those
  /// that no input uses any more. What cannot be done is logged once an interface, and left.
  void apply(std::span<const Rule> rules, const InterfaceTunings& tunings,
             const Interfaces& interfaces);

 private:
  void switch_to(const Interface& interface, const GroWish& wish);
  void wait_as_wished(const Interface& interface, std::chrono::nanoseconds wait);
  /// True the first time.
  [[nodiscard]] bool tells(const std::string& interface, std::string_view what);
  void put_back(unsigned index) noexcept;
  void restore_left_behind() const;
  [[nodiscard]] std::string path_of(unsigned index) const;

  std::string folder_;
  std::string prefix_;                     ///< of this network namespace's records
  std::map<unsigned, GroRecord> records_;  ///< of interfaces that we use, by index
  std::set<std::string> told_;             ///< what was logged already, of which interface
};

/// The setting that a wish makes of an interface's own one. `described`: the kernel tells packet
/// sockets the segment size of merged datagrams; where it does not, UDP must not be merged.
[[nodiscard]] GroSetting gro_setting(const GroWish& wish, const GroSetting& original,
                                     bool described) noexcept;

/// The interfaces of inputs, as far as they exist, and the UDP GRO asked for. By interface index;
/// those to be left alone are not in it.
[[nodiscard]] std::map<unsigned, GroWish> gro_wishes(std::span<const Rule> rules,
                                                     const InterfaceTunings& tunings,
                                                     const Interfaces& interfaces);

}  // namespace mcr
