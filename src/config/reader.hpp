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
#include "mcr/config/daemon.hpp"
#include "mcr/config/inspection.hpp"
#include "mcr/config/interface_tuning.hpp"
#include "mcr/config/redundancy.hpp"
#include "mcr/config/reflector.hpp"
#include "mcr/config/rule.hpp"
#include "toml.hpp"
#include "value.hpp"

namespace mcr {

/// A key's value. `present` tells that the key is there; a value that was refused is nothing.
template <typename T>
struct Field {
  bool present = false;
  Position at;
  std::optional<T> value;

  void set(Position where, std::optional<T> read) {
    present = true;
    at = where;
    value = std::move(read);
  }
};

/// Each list sorted and disjoint.
struct RawSources {
  std::vector<Prefix> named;
  std::vector<Prefix> excluded;  ///< those with "!"; a part of one of `named` if there are any
};

struct RawInput {
  Position at;
  Field<std::string> interface;
  Field<Prefix> group;
  Field<IpAddress> address;
  Field<PortRange> port;
  Field<RawSources> sources;
  Field<std::uint16_t> vlan;
  Field<bool> local;
  Field<std::uint8_t> priority;
};

struct RawOutput {
  Position at;
  Field<std::string> interface;
  Field<Prefix> group;
  Field<IpAddress> address;
  Field<std::string> host;
  Field<bool> addresses;  ///< of the host: all of them
  Field<PortRange> port;
  Field<Ttl> ttl;
  Field<std::uint64_t> max_pps;
  Field<std::uint64_t> max_bps;
  Field<Dscp> dscp;
  Field<Source> source;
  Field<std::uint16_t> source_port;
  Field<bool> loopback;
  Field<bool> segmentation;
};

struct RawExpectation {
  Field<std::uint64_t> min_pps;
  Field<std::chrono::microseconds> silent_after;
  Field<std::uint32_t> max_loss;  ///< millionths
  Field<std::uint64_t> max_cc_errors;
  Field<std::uint64_t> min_bps;
  Field<std::uint64_t> max_bps;
  Field<std::vector<std::uint16_t>> pids;
  Field<std::chrono::microseconds> within;
};

struct RawRule {
  Position at;
  Field<std::string> name;
  Field<RawInput> input;
  Field<std::vector<RawInput>> inputs;
  Field<std::vector<RawOutput>> outputs;
  Field<RawExpectation> expect;
  Field<bool> enabled;
  Field<std::string> comment;
  Field<bool> allow_loop;
  Field<Consume> consume;
  Field<std::optional<Inspection>> inspect;
  Field<Merge> merge;
  Field<Failover> failover;
};

/// An element of a list, with its place.
template <typename T>
struct Placed {
  Position at;
  T value;
};

/// allow = [ { from = "lan", to = "iot" } ]
struct RawAllow {
  Position at;
  Field<std::string> from;
  Field<std::string> to;
  Field<bool> questions;
  Field<std::vector<std::string>> services;
};

struct RawReflector {
  Position at;
  Field<std::string> name;
  Field<ReflectorKind> kind;
  Field<std::vector<Placed<std::string>>> interfaces;
  Field<std::vector<Placed<IpAddress>>> groups;
  Field<IpAddress> address;
  Field<std::uint16_t> port;
  Field<std::vector<RawAllow>> allow;
  Field<RawSources> sources;
  Field<std::vector<std::string>> services;
  Field<Ttl> ttl;
  Field<std::uint64_t> max_pps;
  Field<bool> enabled;
  Field<std::string> comment;
};

/// The contents of all files together.
struct RawConfig {
  Daemon daemon;
  RawOutput defaults;
  std::map<std::string, InterfaceTuning> interfaces;
  std::vector<RawRule> rules;  ///< at most limits::rules; the first one beyond is a mistake
  std::vector<RawReflector> reflectors;  ///< at most limits::reflectors, likewise
};

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
