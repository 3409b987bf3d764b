// A reflector: discovery in all directions between segments. It runs as ordinary rules, one for
// each group and interface that it takes datagrams from; they bear its name.
#pragma once

#include <string>
#include <vector>

#include "mcr/config/reflector_kind.hpp"

namespace mcr {

struct Reflector {
  std::string name;
  ReflectorKind kind = ReflectorKind::udp;
  std::vector<std::string> interfaces;
  std::string comment{};

  friend bool operator==(const Reflector&, const Reflector&) = default;
};

}  // namespace mcr
