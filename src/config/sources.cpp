// An excluded block cuts a hole into the range that has it. Without any named source that range is
// the whole family. So workers, which compare ranges, need not know of exclusion.
#include "mcr/config/sources.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "mcr/config/input.hpp"

namespace mcr {

namespace {

/// The address before; its own family's last one for the first.
IpAddress before(const IpAddress& address) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  for (auto i = address.bytes().size(); i-- > 0;)
    if (bytes[i]-- != 0) break;
  return address.is_v6() ? IpAddress::v6(bytes) : IpAddress::v4(std::span(bytes).first<4>());
}

SourceRange range_of(const Prefix& block) {
  return {block.first(), block.last()};
}

/// Appends what is left of `range` without the excluded blocks, which are sorted and disjoint.
void append_rest(std::vector<SourceRange>& ranges, SourceRange range,
                 std::span<const Prefix> excluded) {
  for (const auto& block : excluded) {
    if (block.last() < range.first || block.first() > range.last) continue;
    if (block.first() > range.first) ranges.push_back({range.first, before(block.first())});
    if (block.last() >= range.last) return;
    range.first = block.last().plus(1);
  }
  ranges.push_back(range);
}

}  // namespace

std::vector<SourceRange> source_ranges(const Input& input) {
  std::vector<SourceRange> ranges;
  if (input.excluded.empty()) {
    std::ranges::transform(input.sources, std::back_inserter(ranges), range_of);
    return ranges;
  }
  for (const auto& source : input.sources)
    append_rest(ranges, range_of(source), input.excluded);
  if (input.sources.empty())
    append_rest(ranges, range_of(Prefix(input.excluded.front().first(), 0)), input.excluded);
  if (ranges.empty()) ranges.emplace_back();
  return ranges;
}

std::vector<std::string> source_texts(const Input& input) {
  std::vector<std::string> texts;
  for (const auto& source : input.sources)
    texts.push_back(source.str());
  for (const auto& source : input.excluded)
    texts.push_back('!' + source.str());
  return texts;
}

}  // namespace mcr
