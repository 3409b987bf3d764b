// A JSON Schema (draft 7) of the configuration file, for editors: from the keys that the reader
// has.
#pragma once

#include <string>

namespace mcr {

/// The schema as JSON text. It tells of unknown keys and values of a wrong kind; what else is wrong
/// in a file only load_config() knows.
[[nodiscard]] std::string config_schema();

}  // namespace mcr
