// Things that an mDNS reflector lets pass from one interface to another.
#pragma once

#include <string>
#include <vector>

namespace mcr {

struct MdnsFilter {
  bool questions = true;              ///< false: messages that ask are left out
  std::vector<std::string> services;  ///< "_ipp._tcp"; empty: all

  /// It leaves something out.
  [[nodiscard]] explicit operator bool() const noexcept { return !questions || !services.empty(); }
  friend bool operator==(const MdnsFilter&, const MdnsFilter&) = default;
};

}  // namespace mcr
