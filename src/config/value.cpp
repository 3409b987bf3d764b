// Each kind of value is read by one method of Value, in one shape: take the TOML type, parse the
// text, check the range; the first of these that fails adds one diagnostic and ends the read.
// Messages quote what the user wrote and show an example of what is right.
#include "value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

#include "mcr/config/dscp.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {
namespace {

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    case toml::node_type::date_time:
      return "a date-time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

bool is_control(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  return code < 0x20 || code == 0x7F;
}

/// isspace() of the kernel, which counts the no-break space of Latin-1.
bool is_kernel_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == '\xA0';
}

using Unit = std::pair<std::string_view, std::uint64_t>;
constexpr Unit size_units[] = {{"KiB", 1U << 10U}, {"MiB", 1U << 20U}, {"GiB", 1U << 30U}};
constexpr Unit rate_units[] = {{"kbit", 1'000}, {"Mbit", 1'000'000}, {"Gbit", 1'000'000'000}};

/// Parses "64 MiB" or "64MiB": 67108864. Nothing if the text is not of that form, or too large.
std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  for (const auto& [name, factor] : units)
    if (unit == name && number <= std::numeric_limits<std::uint64_t>::max() / factor)
      return number * factor;
  return std::nullopt;
}

/// Parses "20us" or "20 us": whole numbers below a million.
std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
  constexpr std::size_t most_digits = 6;
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > most_digits) return std::nullopt;
  const auto number = std::stol(std::string(text.substr(0, digits)));
  auto unit = text.substr(digits);
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit == "us") return std::chrono::microseconds(number);
  if (unit == "ms") return std::chrono::milliseconds(number);
  if (unit == "s") return std::chrono::seconds(number);
  return std::nullopt;
}

/// Parses "0.1%": 1000 millionths. At most four digits after the point.
std::optional<std::uint32_t> parse_percentage(std::string_view text) {
  constexpr std::size_t most_digits = 3;
  constexpr std::size_t most_decimals = 4;
  constexpr std::uint32_t all = 1'000'000;
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  while (text.ends_with(' '))
    text.remove_suffix(1);
  const auto point = std::min(text.find('.'), text.size());
  const auto whole = text.substr(0, point);
  const auto decimals = text.substr(std::min(point + 1, text.size()));
  if (whole.empty() || whole.size() > most_digits || decimals.size() > most_decimals ||
      (point != text.size() && decimals.empty()))
    return std::nullopt;
  std::string digits = std::string(whole) + std::string(decimals);
  digits.append(most_decimals - decimals.size(), '0');
  if (digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  const auto millionths = static_cast<std::uint32_t>(std::stoul(digits));
  return millionths <= all ? std::optional(millionths) : std::nullopt;
}

std::string duration_text(std::chrono::microseconds time) {
  const auto us = time.count();
  if (us % 1'000'000 == 0) return fmt::format("{}s", us / 1'000'000);
  return us % 1000 == 0 ? fmt::format("{}ms", us / 1000) : fmt::format("{}us", us);
}

/// Says why a relay cannot use this group; empty if it can (RFC 4291, section 2.7).
std::string_view scope_fault(const IpAddress& group) {
  if (group.is_v4()) return "";
  if (group.multicast_scope() == scope::reserved)
    return "has the reserved scope 0, which no host sends or takes";
  if (group.multicast_scope() == scope::interface_local)
    return "is interface-local: such groups never leave their host";
  return "";
}

/// RFC 1123, section 2.1; and underscores, which some have. A name whose last part is a number
/// would be read as an address by inet_aton(3).
bool is_host_name(std::string_view name) {
  constexpr std::size_t longest_part = 63;
  constexpr std::string_view known =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (name.size() > limits::host_name_bytes) return false;
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string_view part;
  for (std::size_t begin = 0; begin <= name.size(); begin += part.size() + 1) {
    part = name.substr(begin, name.find('.', begin) - begin);
    if (part.empty() || part.size() > longest_part || part.starts_with('-') ||
        part.find_first_not_of(known) != std::string_view::npos)
      return false;
  }
  return part.find_first_not_of("0123456789") != std::string_view::npos && !part.starts_with("0x");
}

}  // namespace

std::optional<std::string> interface_name_fault(std::string_view name) {
  if (name.empty()) return "an interface name cannot be empty";
  if (name.size() > limits::interface_name_bytes)
    return fmt::format("{} is too long for an interface name ({} bytes)", quoted_excerpt(name),
                       limits::interface_name_bytes);
  if (name == "." || name == "..")
    return fmt::format("{} is no interface name", quoted_excerpt(name));
  for (const char byte : name)
    if (byte == '/' || byte == ':' || is_control(byte) || is_kernel_space(byte))
      return fmt::format("{} is no interface name: '/', ':' and white space cannot be in one",
                         quoted_excerpt(name));
  return std::nullopt;
}

void Value::refuse(std::string_view message) const {
  diagnostics_.add(at(), fmt::format("{}: {}", name_, message));
}

void Value::refuse_type(std::string_view expected) const {
  refuse(fmt::format("expected {}, found {}", expected, type_name(node_)));
}

Value Value::element(const toml::node& node) const {
  return {name_, node, key_at_, diagnostics_};
}

const toml::table* Value::table() const {
  if (!node_.is_table()) refuse_type("a table");
  return node_.as_table();
}

const toml::array* Value::array(std::string_view of) const {
  if (!node_.is_array()) refuse_type(fmt::format("an array of {}", of));
  return node_.as_array();
}

std::optional<std::string> Value::string(std::string_view expected) const {
  if (const auto* text = node_.as_string()) return text->get();
  refuse_type(expected);
  return std::nullopt;
}

std::optional<std::uint64_t> Value::integer(std::uint64_t least, std::uint64_t most) const {
  const auto* number = node_.as_integer();
  if (number == nullptr) {
    refuse_type(fmt::format("an integer from {} to {}", least, most));
    return std::nullopt;
  }
  const std::int64_t value = number->get();
  if (std::cmp_greater_equal(value, least) && std::cmp_less_equal(value, most))
    return static_cast<std::uint64_t>(value);
  refuse(fmt::format("{} is not from {} to {}", value, least, most));
  return std::nullopt;
}

std::optional<bool> Value::boolean() const {
  if (const auto* value = node_.as_boolean()) return value->get();
  refuse_type("true or false");
  return std::nullopt;
}

std::optional<std::uint16_t> Value::port() const {
  const auto number = integer(1, 65535);
  if (!number) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::optional<Ttl> Value::ttl() const {
  if (const auto* text = node_.as_string()) {
    if (text->get() == "preserve") return Ttl{Ttl::Mode::preserve};
    if (text->get() == "decrement") return Ttl{Ttl::Mode::decrement};
    refuse(fmt::format("{} is neither a number from 1 to 255 nor \"preserve\" or \"decrement\"",
                       quoted_excerpt(text->get())));
    return std::nullopt;
  }
  const auto number = integer(1, 255);
  if (!number) return std::nullopt;
  return Ttl::of(static_cast<std::uint8_t>(*number));
}

std::optional<Dscp> Value::dscp() const {
  if (const auto* text = node_.as_string()) {
    if (text->get() == "preserve") return Dscp{.preserve = true};
    if (const auto value = parse_dscp(text->get())) return Dscp{.value = *value};
    refuse(fmt::format("{} is neither a number from 0 to {} nor \"preserve\" or one of {}",
                       quoted_excerpt(text->get()), dscp_most, dscp_names()));
    return std::nullopt;
  }
  const auto number = integer(0, dscp_most);
  if (!number) return std::nullopt;
  return Dscp{.value = static_cast<std::uint8_t>(*number)};
}

std::optional<Source> Value::source() const {
  const auto text = string("\"interface\", \"preserve\" or an address in a string");
  if (!text) return std::nullopt;
  if (*text == "interface") return Source{};
  if (*text == "preserve") return Source{Source::Mode::preserve, {}};
  const auto address = host();
  if (!address) return std::nullopt;
  return Source{Source::Mode::address, *address};
}

std::optional<std::string> Value::interface() const {
  auto text = string();
  if (!text) return std::nullopt;
  const auto fault = interface_name_fault(*text);
  if (!fault) return text;
  refuse(*fault);
  return std::nullopt;
}

/// A text that fits in one line: no control characters.
std::optional<std::string> Value::line(std::size_t most_bytes) const {
  auto text = string();
  if (!text) return std::nullopt;
  if (text->size() > most_bytes)
    refuse(fmt::format("is {} bytes long, at most {} are allowed", text->size(), most_bytes));
  else if (std::ranges::any_of(*text, is_control))
    refuse(fmt::format("control characters cannot be in a {}: {}", name_, quoted_excerpt(*text)));
  else
    return text;
  return std::nullopt;
}

std::optional<std::string> Value::rule_name() const {
  auto text = line(limits::name_bytes);
  if (!text || !text->empty()) return text;
  refuse("cannot be empty");
  return std::nullopt;
}

std::optional<std::string> Value::comment() const {
  return line(limits::comment_bytes);
}

std::optional<std::string> Value::folder() const {
  auto path = line(limits::folder_bytes);
  if (!path) return std::nullopt;
  while (path->size() > 1 && path->ends_with('/'))
    path->pop_back();
  if (path->starts_with('/')) return path;
  refuse(fmt::format("{} is not the path of a folder from / on", quoted_excerpt(*path)));
  return std::nullopt;
}

std::optional<std::uint64_t> Value::buffer_size() const {
  if (node_.is_integer()) return integer(limits::buffer_min, limits::buffer_max);
  const auto text = string("a size, such as \"64 MiB\" or a number of bytes");
  if (!text) return std::nullopt;
  const auto size = parse_quantity(*text, size_units);
  if (!size) {
    refuse(
        fmt::format("{} is not a size: write \"512 KiB\", \"64 MiB\", \"1 GiB\" or a plain "
                    "number of bytes",
                    quoted_excerpt(*text)));
  } else if (*size < limits::buffer_min || *size > limits::buffer_max) {
    refuse(fmt::format("{} is not from 4 KiB to 1 GiB", quoted_excerpt(*text)));
  } else {
    return size;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Value::bit_rate() const {
  if (node_.is_integer()) return integer(1, limits::max_bps);
  const auto text = string("a rate, such as \"10 Mbit\" or a number of bits a second");
  if (!text) return std::nullopt;
  const auto rate = parse_quantity(*text, rate_units);
  if (!rate)
    refuse(
        fmt::format("{} is not a rate: write \"64 kbit\", \"10 Mbit\", \"1 Gbit\" or a plain "
                    "number of bits a second",
                    quoted_excerpt(*text)));
  else if (*rate < 1 || *rate > limits::max_bps)
    refuse(fmt::format("{} is not from 1 bit to 1000 Gbit a second", quoted_excerpt(*text)));
  else
    return rate;
  return std::nullopt;
}

std::optional<std::uint32_t> Value::percentage() const {
  const auto text = string("a percentage, such as \"0.1%\"");
  if (!text) return std::nullopt;
  const auto millionths = parse_percentage(*text);
  if (!millionths)
    refuse(
        fmt::format("{} is not a percentage: write \"0.1%\", from \"0%\" to \"100%\", with at "
                    "most four digits after the point",
                    quoted_excerpt(*text)));
  return millionths;
}

std::optional<std::chrono::microseconds> Value::duration(std::chrono::microseconds longest,
                                                         std::chrono::microseconds shortest) const {
  const auto text = string("a time, such as \"20us\"");
  if (!text) return std::nullopt;
  const auto time = parse_duration(*text);
  if (!time)
    refuse(
        fmt::format("{} is not a time: write \"20us\", \"5ms\" or \"1s\"", quoted_excerpt(*text)));
  else if (*time > longest)
    refuse(fmt::format("{} is more than {}", quoted_excerpt(*text), duration_text(longest)));
  else if (*time < shortest)
    refuse(fmt::format("{} is less than {}", quoted_excerpt(*text), duration_text(shortest)));
  else
    return time;
  return std::nullopt;
}

std::optional<std::string> Value::host_name() const {
  auto name = string("the name of a host");
  if (!name) return std::nullopt;
  if (IpAddress::parse(*name))
    refuse(
        fmt::format("{} is an address; write it as `address` or `group`", quoted_excerpt(*name)));
  else if (!is_host_name(*name))
    refuse(fmt::format("{} is no name of a host", quoted_excerpt(*name)));
  else {
    std::ranges::transform(*name, name->begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return name;
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> Value::host_names() const {
  constexpr std::size_t longest = 253;  // RFC 1035
  constexpr std::string_view known =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
  const auto* names = array("names of hosts");
  if (names == nullptr) return std::nullopt;
  if (names->size() > most_host_names) {
    refuse(fmt::format("has {} names, at most {} are allowed", names->size(), most_host_names));
    return std::nullopt;
  }
  std::vector<std::string> result;
  for (const auto& node : *names) {
    const Value one = element(node);
    auto name = one.string();
    if (!name) continue;
    if (name->empty() || name->size() > longest || name->find_first_not_of(known) < name->size())
      one.refuse(fmt::format("{} is no name of a host; it has no port", quoted_excerpt(*name)));
    result.push_back(*std::move(name));
  }
  return result;
}

std::optional<Endpoint> Value::listener() const {
  const auto text = string("an address and a port, such as \"127.0.0.1:9464\"");
  if (!text) return std::nullopt;
  const auto endpoint = Endpoint::parse(*text);
  if (!endpoint)
    refuse(
        fmt::format("{} is not an address and a port: write \"127.0.0.1:9464\" or \"[::1]:9464\"",
                    quoted_excerpt(*text)));
  else if (endpoint->address.is_multicast() || endpoint->address.is_broadcast())
    refuse(fmt::format("{} is no address of a host", quoted_excerpt(*text)));
  else
    return endpoint;
  return std::nullopt;
}

std::optional<IpAddress> Value::address() const {
  const auto text = string("an IP address in a string");
  if (!text) return std::nullopt;
  // inet_pton(3) would stop at a NUL and accept the text before it.
  const bool has_nul = text->find('\0') != std::string::npos;
  const auto parsed = has_nul ? std::nullopt : IpAddress::parse(*text);
  const auto scope = text->find('%');
  if (!parsed && scope != std::string::npos && IpAddress::parse(text->substr(0, scope)))
    refuse(fmt::format("{}: leave \"{}\" out; `interface` says which link is meant",
                       quoted_excerpt(*text), printable_excerpt(text->substr(scope))));
  else if (!parsed)
    refuse(fmt::format("{} is not an IP address", quoted_excerpt(*text)));
  else if (const auto inner = parsed->mapped_v4())
    refuse(fmt::format("{} is an IPv4 address in IPv6 form: write \"{}\"", quoted_excerpt(*text),
                       *inner));
  else
    return parsed;
  return std::nullopt;
}

std::optional<IpAddress> Value::group(std::string_view hint) const {
  const auto parsed = address();
  if (!parsed) return std::nullopt;
  if (!parsed->is_multicast())
    refuse(fmt::format("{} is not a multicast group ({}){}", *parsed,
                       parsed->is_v6() ? "ff00::/8" : "224.0.0.0 to 239.255.255.255", hint));
  else if (const auto fault = scope_fault(*parsed); !fault.empty())
    refuse(fmt::format("{} {}", *parsed, fault));
  else
    return parsed;
  return std::nullopt;
}

std::optional<IpAddress> Value::host(std::string_view hint) const {
  const auto parsed = address();
  if (!parsed) return std::nullopt;
  if (parsed->is_multicast())
    refuse(fmt::format("{} is a multicast group, not the address of one host{}", *parsed, hint));
  else if (parsed->is_broadcast() || parsed->is_unspecified())
    refuse(fmt::format("{} is not the address of one host", *parsed));
  else
    return parsed;
  return std::nullopt;
}

std::optional<IpAddress> Value::host_or_broadcast(std::string_view hint) const {
  if (const auto* text = node_.as_string(); text != nullptr && text->get() == "broadcast")
    return limited_broadcast;
  const auto parsed = address();
  if (!parsed || !parsed->is_broadcast()) return parsed ? host(hint) : std::nullopt;
  refuse(fmt::format("{} is written \"broadcast\", which takes the subnet's, too", *parsed));
  return std::nullopt;
}

/// The index of the slash in a block of addresses, or npos.
std::size_t Value::slash() const {
  const auto* text = node_.as_string();
  return text == nullptr ? std::string::npos : text->get().find('/');
}

/// A block of addresses, "10.1.0.0/24". Bits behind its length must be 0; the user may have meant
/// another block otherwise.
std::optional<Prefix> Value::block() const {
  const std::string_view text = node_.as_string()->get();
  const bool has_nul = text.find('\0') != std::string_view::npos;
  const auto prefix = has_nul ? std::nullopt : Prefix::parse(text);
  if (!prefix)
    refuse(fmt::format("{} is not a block of addresses, such as \"10.1.0.0/24\"",
                       quoted_excerpt(text)));
  else if (prefix->first().mapped_v4())
    refuse(fmt::format("{} is a block of IPv4 addresses in IPv6 form", quoted_excerpt(text)));
  else if (prefix->first() != IpAddress::parse(text.substr(0, slash())))
    refuse(fmt::format("{} has bits set behind its length: did you mean \"{}\"?",
                       quoted_excerpt(text), prefix->str()));
  else
    return prefix;
  return std::nullopt;
}

std::optional<Prefix> Value::hosts() const {
  if (slash() == std::string::npos) {
    const auto one = host();
    return one ? std::optional<Prefix>(*one) : std::nullopt;
  }
  const auto prefix = block();
  if (!prefix || !prefix->first().is_multicast()) return prefix;
  refuse(fmt::format("{} are multicast groups, not hosts", prefix->str()));
  return std::nullopt;
}

std::optional<Prefix> Value::groups(std::string_view hint) const {
  if (slash() == std::string::npos) {
    const auto one = group(hint);
    return one ? std::optional<Prefix>(*one) : std::nullopt;
  }
  const auto prefix = block();
  if (!prefix) return std::nullopt;
  const auto width = Prefix::width(prefix->first().family());
  if (!prefix->first().is_multicast() || !prefix->last().is_multicast())
    refuse(fmt::format("{} are not multicast groups{}", prefix->str(), hint));
  else if (const auto fault = scope_fault(prefix->first()); !fault.empty())
    refuse(fmt::format("{} {}", prefix->str(), fault));
  else if (prefix->bits() + limits::group_bits < width)
    refuse(fmt::format("{} are more than {} groups: the largest block is /{}", prefix->str(),
                       1U << limits::group_bits, width - limits::group_bits));
  else
    return prefix;
  return std::nullopt;
}

std::optional<PortRange> Value::ports() const {
  if (!node_.is_string()) {
    const auto one = port();
    return one ? std::optional(PortRange{*one, 1}) : std::nullopt;
  }
  const std::string_view text = node_.as_string()->get();
  unsigned first = 0;
  unsigned last = 0;
  const auto* end = text.data() + text.size();
  const auto dash = std::from_chars(text.data(), end, first);
  const bool dashed = dash.ec == std::errc() && dash.ptr != end && *dash.ptr == '-';
  const auto rest = dashed ? std::from_chars(dash.ptr + 1, end, last) : dash;
  if (!dashed || rest.ec != std::errc() || rest.ptr != end)
    refuse(fmt::format("{} is neither a number nor a range of ports, such as \"5000-5010\"",
                       quoted_excerpt(text)));
  else if (first < 1 || last > 65535)
    refuse(fmt::format("{} is not from 1 to 65535", quoted_excerpt(text)));
  else if (last < first)
    refuse(fmt::format("{} ends before it begins", quoted_excerpt(text)));
  else
    return PortRange{static_cast<std::uint16_t>(first),
                     static_cast<std::uint16_t>(last - first + 1)};
  return std::nullopt;
}

}  // namespace mcr
