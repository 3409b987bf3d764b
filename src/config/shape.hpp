// The form that the values of a key have, as far as JSON Schema can say it: what editors need.
// Which values are right is the reader's to judge.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "mcr/config/dscp.hpp"
#include "mcr/config/limits.hpp"

namespace mcr {

/// A value that has one of the forms named here. Without any, nothing is known about it.
struct Shape {
  std::uint64_t least = 1, most = 0;         ///< an integer in this range; none if it is empty
  bool boolean = false;                      ///< true or false
  std::array<std::string_view, 24> words{};  ///< one of these strings; "" is none
  std::string_view pattern{};                ///< a string that this ECMA 262 expression matches
  std::size_t least_length = 0, most_length = 0;  ///< of that string; not limited if most is 0
  std::string_view table{};                       ///< a table with the keys of that name
  bool by_name = false;                           ///< a table of such tables: [interface.NAME]
  std::size_t most_items = 0;   ///< not 0: an array of such values, at most so many
  std::size_t least_items = 0;  ///< and at least so many
  bool or_one = false;          ///< or one such value instead of an array
  bool needed = false;          ///< the table must have this key
};

/// Keys of a table that exclude each other.
struct Alternatives {
  std::array<std::string_view, 3> keys{};
  bool needed = false;  ///< the table must have one of them
};

namespace shape {

inline constexpr std::string_view any_text = "^";

constexpr Shape integer(std::uint64_t least, std::uint64_t most) {
  return {.least = least, .most = most};
}
constexpr Shape text(std::string_view pattern = any_text) {
  return {.pattern = pattern};
}
constexpr Shape table(std::string_view name) {
  return {.table = name};
}
/// A text that fits in one line.
constexpr Shape line(std::size_t least, std::size_t most) {
  return {.pattern = "^[^\\x00-\\x1f\\x7f]*$", .least_length = least, .most_length = most};
}
constexpr Shape needed(Shape key) {
  key.needed = true;
  return key;
}
constexpr Shape list(Shape element, std::size_t most, std::size_t least = 1) {
  element.most_items = most;
  element.least_items = least;
  return element;
}
/// One of the words, or what `other` takes.
template <std::size_t N>
constexpr Shape words(const std::string_view (&choices)[N], Shape other = {}) {
  for (std::size_t i = 0; i < N; ++i)
    other.words[i] = choices[i];
  return other;
}
/// The words of a list of choices: pairs of a word and its meaning.
template <typename T, std::size_t N>
constexpr Shape words(const std::array<std::pair<std::string_view, T>, N>& choices) {
  Shape one;
  for (std::size_t i = 0; i < N; ++i)
    one.words[i] = choices[i].first;
  return one;
}

inline constexpr Shape dscp = [] {
  auto one = words(dscp_codepoints);
  one.words[dscp_codepoints.size()] = "preserve";
  one.least = 0;
  one.most = dscp_most;
  return one;
}();
inline constexpr Shape boolean{.boolean = true};
inline constexpr Shape name = text("^[^/:\\s]{1,127}$");  ///< of an interface
inline constexpr Shape port = integer(1, 65535);
inline constexpr Shape ports{.least = 1, .most = 65535, .pattern = "^[0-9]+-[0-9]+$"};
inline constexpr Shape address = text("^[0-9a-fA-F:.]+$");
inline constexpr Shape host = words({"broadcast"}, address);
inline constexpr Shape host_name = text("^[a-zA-Z0-9_.-]{1,253}$");
inline constexpr Shape service = text("^_[0-9A-Za-z-]{1,63}\\._(tcp|udp)$");
inline constexpr Shape block = text("^[0-9a-fA-F:.]+(/[0-9]+)?$");  ///< or one address
inline constexpr Shape sender = text("^!?[0-9a-fA-F:.]+(/[0-9]+)?$");
inline constexpr Shape percentage = text("^[0-9]{1,3}(\\.[0-9]{1,4})? *%$");
inline constexpr Shape duration = text("^[0-9]{1,6} ?(us|ms|s)$");
inline constexpr Shape buffer_size{
    .least = limits::buffer_min, .most = limits::buffer_max, .pattern = "^[0-9]+ *([KMG]iB)$"};
inline constexpr Shape bit_rate{
    .least = 1, .most = limits::max_bps, .pattern = "^[0-9]+ *([kMG]bit)$"};

}  // namespace shape
}  // namespace mcr
