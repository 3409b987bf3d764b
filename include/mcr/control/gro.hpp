// UDP GRO of the input interfaces: switched as the configuration asks, and put back.
// Theory in gro.cpp. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "mcr/base/fd.hpp"
#include "mcr/host/ethtool.hpp"
#include "mcr/host/interfaces.hpp"

namespace mcr {

struct Config;
enum class Gro : std::uint8_t;

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
  void apply(const Config& config, const Interfaces& interfaces);

 private:
  /// An interface that we use, as it was before anybody changed it.
  struct Record {
    UniqueFd lock;
    GroSetting original;
  };

  void enable_for(const std::string& interface, Gro wish);
  void put_back(const std::string& interface);
  [[nodiscard]] Record hold(const std::string& interface) const;
  void release(const std::string& interface, Record& record) const;
  void restore_left_behind() const;
  [[nodiscard]] std::string path_of(const std::string& interface) const;

  std::string folder_;
  std::string prefix_;  ///< of this network namespace's records
  std::map<std::string, Record> records_;
  std::set<std::string> told_;  ///< interfaces whose trouble is logged already
};

}  // namespace mcr
