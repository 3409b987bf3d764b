// An unknown key is mostly a known one with a slip of the finger. The nearest known key is the one
// with the least edit distance (optimal string alignment), if that is small beside the length of
// the words.
#include "keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <cstddef>

namespace mcr {
namespace {

constexpr std::size_t longest_key = 64;  // the distance of a longer key is not computed

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// The number of insertions, deletions, replacements and swaps of neighbours that turn `a` into
/// `b`. Upper and lower case are equal.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j)
    cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = cost[i - 1][j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]))
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string_view nearest_key(std::string_view key, std::span<const std::string_view> known) {
  if (key.size() > longest_key) return {};
  std::string_view nearest;
  std::size_t least = longest_key;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(key, candidate);
    // A key is near if at most half of the longer word changes, and at most three letters.
    const bool near = distance <= 3 && 2 * distance <= std::max(key.size(), candidate.size());
    if (!near || distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

std::string unknown_key_message(std::string_view key, std::string_view where,
                                std::span<const std::string_view> known) {
  const auto start = fmt::format("unknown key {} in {}", quoted_excerpt(key), where);
  const auto nearest = nearest_key(key, known);
  if (!nearest.empty()) return fmt::format("{}; did you mean {}?", start, quoted_excerpt(nearest));
  return fmt::format("{}; known here: {}", start, fmt::join(known, ", "));
}

}  // namespace mcr
