// One value of a TOML file, read as the kind of thing that its key stands for. If it is not one,
// the read returns nothing, and a diagnostic at its position says what was expected and what was
// found.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagnostics.hpp"
#include "mcr/base/address.hpp"
#include "mcr/base/prefix.hpp"
#include "mcr/config/header_fields.hpp"
#include "toml.hpp"

namespace mcr {

/// Consecutive UDP ports, host byte order.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t count = 1;

  friend bool operator==(const PortRange&, const PortRange&) = default;
};

class Value {
 public:
  /// Borrows all of its arguments. `name` is the value's name in messages: "port". A node that was
  /// not read from a file has the position `key_at`.
  Value(std::string_view name, const toml::node& node, Position key_at, Diagnostics& diagnostics)
      : name_(name), node_(node), key_at_(key_at), diagnostics_(diagnostics) {}

  [[nodiscard]] Position at() const {
    return node_.source().begin ? position_of(node_.source(), key_at_) : key_at_;
  }
  [[nodiscard]] Position key_at() const { return key_at_; }
  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] Diagnostics& diagnostics() const { return diagnostics_; }
  [[nodiscard]] bool is_string() const { return node_.is_string(); }

  [[nodiscard]] const toml::table* table() const;
  [[nodiscard]] const toml::array* array(std::string_view of) const;
  /// An element of this value, with the same name in messages.
  [[nodiscard]] Value element(const toml::node& node) const;

  // Each of these returns nothing if the value is refused, after it added a diagnostic.
  [[nodiscard]] std::optional<std::string> string(std::string_view expected = "a string") const;
  [[nodiscard]] std::optional<std::uint64_t> integer(std::uint64_t least, std::uint64_t most) const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::uint16_t> port() const;
  /// 1 to 255, "preserve" or "decrement".
  [[nodiscard]] std::optional<Ttl> ttl() const;
  /// 0 to 63, a name such as "EF", or "preserve".
  [[nodiscard]] std::optional<Dscp> dscp() const;
  /// "interface", "preserve", or the address of a host.
  [[nodiscard]] std::optional<Source> source() const;
  [[nodiscard]] std::optional<std::string> interface() const;
  [[nodiscard]] std::optional<std::string> rule_name() const;
  [[nodiscard]] std::optional<std::string> comment() const;
  /// The absolute path of a folder, without a slash at its end. It need not exist.
  [[nodiscard]] std::optional<std::string> folder() const;
  /// Bytes: 65536 or "64 MiB".
  [[nodiscard]] std::optional<std::uint64_t> buffer_size() const;
  /// Bits a second: 10000000 or "10 Mbit".
  [[nodiscard]] std::optional<std::uint64_t> bit_rate() const;
  /// Millionths: 1000 of "0.1%".
  [[nodiscard]] std::optional<std::uint32_t> percentage() const;
  /// "20us", "5ms", "1s"; from `shortest` to `longest`.
  [[nodiscard]] std::optional<std::chrono::microseconds> duration(
      std::chrono::microseconds longest, std::chrono::microseconds shortest = {}) const;
  /// An address of this host and a port: "127.0.0.1:9464", "[::1]:9464".
  [[nodiscard]] std::optional<Endpoint> listener() const;
  /// Names of hosts, in letters, digits, dots and hyphens.
  [[nodiscard]] std::optional<std::vector<std::string>> host_names() const;
  static constexpr std::size_t most_host_names = 16;
  /// A multicast group. `hint` ends the message for an address that is not one.
  [[nodiscard]] std::optional<IpAddress> group(std::string_view hint = {}) const;
  /// One host: not a group, not broadcast, not unspecified. Loopback is allowed.
  [[nodiscard]] std::optional<IpAddress> host(std::string_view hint = {}) const;

  /// The name of a host, in small letters. A name that looks like an address is none.
  [[nodiscard]] std::optional<std::string> host_name() const;

  /// A host, or "broadcast": limited_broadcast.
  [[nodiscard]] std::optional<IpAddress> host_or_broadcast(std::string_view hint = {}) const;

  /// A multicast group, or a block of them: "239.1.0.0/24".
  [[nodiscard]] std::optional<Prefix> groups(std::string_view hint = {}) const;
  /// 5000 or "5000-5010".
  [[nodiscard]] std::optional<PortRange> ports() const;
  /// One host, or a block of them: "10.1.0.0/24".
  [[nodiscard]] std::optional<Prefix> hosts() const;

  /// Adds a diagnostic about this value: "NAME: message".
  void refuse(std::string_view message) const;

 private:
  [[nodiscard]] std::optional<std::string> line(std::size_t most_bytes) const;
  [[nodiscard]] std::optional<IpAddress> address() const;
  [[nodiscard]] std::size_t slash() const;
  [[nodiscard]] std::optional<Prefix> block() const;
  void refuse_type(std::string_view expected) const;

  std::string_view name_;
  const toml::node& node_;
  Position key_at_;
  Diagnostics& diagnostics_;
};

/// Says why Linux would refuse this name of a network interface (dev_valid_name()); nothing if it
/// would not.
[[nodiscard]] std::optional<std::string> interface_name_fault(std::string_view name);

}  // namespace mcr
