// libFuzzer: whatever the text of a configuration file is, the answer is a Config or errors that
// stand inside the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mcr/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const mcr::ConfigResult result = mcr::parse_config(text, "fuzz.toml");
  for (const auto& error : result.errors)
    if (error.line == 0 || error.column == 0 || error.message.empty()) std::abort();
  if (!result.errors.empty()) return 0;
  for (const auto& rule : result.config.rules)
    if (rule.name.empty() || rule.inputs.empty() || rule.outputs.empty()) std::abort();
  const auto difference = mcr::compare(result.config, result.config);
  if (difference.unchanged != result.config.rules.size()) std::abort();
  return 0;
}
