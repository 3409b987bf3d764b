// The services that a reflector hears, for people: what `mcr inspect REFLECTOR` prints.
#pragma once

#include <string>

#include "mcr/status/status.hpp"

namespace mcr::status {

/// Lines of at most 80 columns, UTF-8.
[[nodiscard]] std::string render_services(const Reflector& reflector);

}  // namespace mcr::status
