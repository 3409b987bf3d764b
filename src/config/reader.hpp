// Reads the tables of all files into raw values: table by table and key by key, as the user wrote
// them. No default is filled in yet (resolve.hpp does that).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "choice.hpp"
#include "diagnostics.hpp"
#include "keys.hpp"
#include "toml.hpp"
#include "value.hpp"

namespace mcr {

struct Failover;
struct Merge;
struct NumberField;
struct RawConfig;
struct RawExpectation;
struct RawOutput;
struct RawReflector;
struct RawSources;

/// Adds the tables of one file to `raw`. Files other than the main file may have only rules
/// and reflectors.
void read_config_tables(const toml::table& root, Position file, Position main_file,
                        Diagnostics& diagnostics, RawConfig& raw);

[[nodiscard]] std::vector<KeyTable> key_tables();

/// The value of `sequence`, in `inspect` and in `merge`.
[[nodiscard]] NumberField read_sequence(const Value& value);

/// The values of the keys `merge` and `failover`; nothing if they were refused. In
/// redundancy_reader.cpp, with the keys that they have.
[[nodiscard]] std::optional<Merge> read_merge(const Value& value);
[[nodiscard]] std::optional<Failover> read_failover(const Value& value);
[[nodiscard]] std::vector<KeyTable> redundancy_key_tables();

// In output_reader.cpp.
/// "auto": several datagrams may leave as one message.
inline constexpr Choices<bool, 2> segmentation_choices{{{"auto", true}, {"off", false}}};
[[nodiscard]] std::optional<RawOutput> read_output(const Value& value);
/// Reads the table [defaults].
void read_default_keys(const toml::table& table, const Value& value, RawOutput& defaults);
[[nodiscard]] std::vector<KeyTable> output_key_tables();

/// The value of the key `sources`; nothing if it was refused. In sources_reader.cpp.
[[nodiscard]] std::optional<RawSources> read_sources(const Value& value);

/// The value of the key `expect`, and the keys of its table. In expect_reader.cpp.
[[nodiscard]] std::optional<RawExpectation> read_expect(const Value& value);
[[nodiscard]] KeyTable expect_key_table();

// In reflector_reader.cpp.
/// Appends the reflectors of this array of tables.
void read_reflectors(const Value& value, std::vector<RawReflector>& reflectors);
/// For the schema.
[[nodiscard]] std::vector<KeyTable> reflector_key_tables();

}  // namespace mcr
