#include "mcr/host/softnet.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace mcr {

Softnet read_softnet(std::istream& text) {
  Softnet sum;
  for (std::string line; std::getline(text, line);) {
    std::istringstream columns(line);
    std::uint64_t processed = 0;
    std::uint64_t dropped = 0;
    std::uint64_t squeezed = 0;
    if (!(columns >> std::hex >> processed >> dropped >> squeezed)) continue;
    sum.dropped += dropped;
    sum.squeezed += squeezed;
  }
  return sum;
}

Softnet read_softnet() {
  std::ifstream file("/proc/net/softnet_stat");
  return read_softnet(file);
}

}  // namespace mcr
