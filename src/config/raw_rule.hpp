// Raw values of rules and reflectors: key by key, as the user wrote them. A value that was refused
// is nothing. No default is filled in yet (resolve.hpp does that).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diagnostics.hpp"
#include "mcr/config/consume.hpp"
#include "mcr/config/header_fields.hpp"
#include "mcr/config/inspection.hpp"
#include "mcr/config/redundancy.hpp"
#include "mcr/config/reflector_kind.hpp"
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
  Field<bool> warm;
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
  Field<std::uint64_t> capture_before;
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

}  // namespace mcr
