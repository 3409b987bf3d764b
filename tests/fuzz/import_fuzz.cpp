// Whatever the file of another program is, each line is taken over or noted, and what is written is
// text that MCR's own reader takes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mcr/config/import.hpp"
#include "mcr/config/load.hpp"
#include "require.hpp"

using mcr::test::require;

namespace {

const mcr::ImportOptions options{
    .port = "5000-5001",
    .interface = "eth9",
    .groups = {"239.9.9.9"},
    .outputs = {{{"interface", "eth8"}, {"address", "239.8.8.8"}}},
};

void check_import(mcr::ImportFormat format, std::string_view text) {
  const auto lines = static_cast<std::uint32_t>(std::ranges::count(text, '\n')) + 1;
  const auto imported = import_rules(format, text, options);
  for (const auto& rule : imported.rules)
    require(rule.line <= lines);
  for (const auto& note : imported.notes)
    require(note.line <= lines && !note.text.empty());
  const auto written = write_imported(imported, "fuzz.conf");
  if (imported.rules.size() != 1) return;  // several may contradict each other
  require(mcr::parse_config(written, "written.toml").errors.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(mcr::recognise_import(text));
  using enum mcr::ImportFormat;
  for (const auto format : {smcroute, igmpproxy, sdp, json5})
    check_import(format, text);
  return 0;
}
