// Configurations of other programs as rules of MCR. What has no counterpart is noted with its line;
// nothing is left out in silence. Pure: text in, rules out.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcr {

enum class ImportFormat : std::uint8_t { smcroute, igmpproxy, sdp, json5 };

/// Adds to the other program's file.
struct ImportOptions {
  std::string port;                 ///< routers relay every port: "5000" or "5000-5010"
  std::string interface;            ///< of inputs, for SDP
  std::vector<std::string> groups;  ///< those to relay, where hosts would ask for any (igmpproxy)
  std::vector<nlohmann::json> outputs;  ///< for SDP: objects of output keys
};

struct Imported {
  struct Rule {
    std::uint32_t line = 0;  ///< where it comes from
    nlohmann::json keys;     ///< as mcr rule has them
    std::string comment{};   ///< what to think of before it is used; "": nothing
  };
  struct Note {
    std::uint32_t line = 0;  ///< 0: the whole file
    std::string text;
  };
  std::vector<Rule> rules;  ///< each with a name of its own, and accepted for itself
  std::vector<Note> notes;  ///< what was not taken over, in the order of the lines
};

/// The program whose configuration the text looks like; nothing if it is none of them.
[[nodiscard]] std::optional<ImportFormat> recognise_import(std::string_view text);

[[nodiscard]] Imported import_rules(ImportFormat format, std::string_view text,
                                    const ImportOptions& options);

/// The rules as a TOML file; each names the line of `file` that it comes from.
[[nodiscard]] std::string write_imported(const Imported& imported, const std::string& file);

}  // namespace mcr
