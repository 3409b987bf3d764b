#include "mcr/rules/output_key.hpp"

#include "mcr/config/output.hpp"

namespace mcr {

OutputKey output_key(const std::string& rule, const Output& output, const Endpoint& destination) {
  return {rule, output.interface, destination, output.host.name};
}

}  // namespace mcr
