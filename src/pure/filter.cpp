// The program, in the order in which it runs:
//
//   frame for another host (pkttype), not UDP, not IPv4    -> drop
//   X = destination port, or `no_port` if it cannot be read in its usual place
//   A = destination address; binary search over ranges     -> drop, pass, or a set of ports
//   a set of ports: A = X; binary search over port ranges  -> pass; no_port -> pass; else drop
//
// Frames with another VLAN's tag removed come as pkttype OTHERHOST to the trunk's parent, hence the
// first check. A load beyond the end of a frame ends a program with "drop".
//
// Neighbouring addresses with equal sets of ports are one range, and equal sets share their code:
// 1,000 consecutive groups on one port are one range and one port check. n ranges take 2n
// instructions, as the search remembers the bounds it already knows.
//
// A conditional jump reaches 255 instructions forward (8 bits), an unconditional one any distance.
// So the program is written from its end to its beginning: every target exists, at a known
// distance, when a jump to it is written. A target out of reach is given a relay on the spot (a
// copy, if it is a return; else a jump), which the next jumps share. No instruction falls through
// into a relay, as a conditional jump always leaves for one of its two targets.

#include "mcr/filter.hpp"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

namespace mcr {
namespace {

constexpr std::uint32_t pass_whole_frame = 0xFFFFFFFF;
constexpr std::uint32_t any_address = 0xFFFFFFFF;
/// "Port" of a frame whose port is not where it usually is; above every real one.
constexpr std::uint32_t no_port = 0x10000;

// Offsets in an IPv4 header without options (RFC 791) and the UDP header behind it (RFC 768).
constexpr std::uint32_t fragment_offset = 6;
constexpr std::uint32_t protocol_offset = 9;
constexpr std::uint32_t destination_offset = 16;
constexpr std::uint32_t port_offset = 22;

/// Values from `first` to `last`, both included, and where they lead: `to_pass` or a set of ports.
struct Range {
  std::uint32_t first;
  std::uint32_t last;
  std::size_t target;

  // NOLINTNEXTLINE(modernize-use-nullptr): mistaken about a defaulted comparison
  friend auto operator<=>(const Range&, const Range&) = default;
};
using Ranges = std::vector<Range>;  // sorted, disjoint

constexpr std::size_t to_pass = 0;

/// All that is to pass: ranges of addresses; `port_sets[target]` for those not `to_pass`.
struct Wanted {
  Ranges addresses;
  std::vector<Ranges> port_sets{Ranges{}};  // the first stands for to_pass: no check

  [[nodiscard]] bool has_ports() const { return port_sets.size() > 1; }
};

/// Appends to sorted ranges, growing the last one where the new one continues it.
void append(Ranges& ranges, const Range& next) {
  if (!ranges.empty() && ranges.back().target == next.target &&
      std::uint64_t{ranges.back().last} + 1 >= next.first) {
    ranges.back().last = std::max(ranges.back().last, next.last);
  } else {
    ranges.push_back(next);
  }
}

struct Wish {
  std::uint32_t address;
  std::uint16_t port;

  // NOLINTNEXTLINE(modernize-use-nullptr): mistaken about a defaulted comparison
  friend auto operator<=>(const Wish&, const Wish&) = default;
};

std::vector<Wish> sorted_wishes(std::span<const FilterDestination> destinations) {
  std::vector<Wish> wishes;
  wishes.reserve(destinations.size());
  for (const auto& destination : destinations) {
    if (destination.address.is_v4()) {
      wishes.push_back({destination.address.to_v4(), destination.port});
    }
  }
  std::ranges::sort(wishes);
  return wishes;
}

Wanted gather(std::span<const FilterDestination> destinations) {
  Wanted wanted;
  std::map<Ranges, std::size_t> known{{Ranges{}, to_pass}};
  auto wishes = sorted_wishes(destinations);
  for (auto wish = wishes.begin(); wish != wishes.end();) {
    auto address = wish->address;
    bool any_port = wish->port == 0;  // sorts before the others
    Ranges ports;
    for (; wish != wishes.end() && wish->address == address; ++wish) {
      if (!any_port) append(ports, {wish->port, wish->port, to_pass});
    }
    auto [set, is_new] = known.try_emplace(ports, wanted.port_sets.size());
    if (is_new) wanted.port_sets.push_back(std::move(ports));
    append(wanted.addresses, {address, address, set->second});
  }
  return wanted;
}

Wanted without_ports(const Wanted& wanted) {
  Wanted result;
  for (const auto& range : wanted.addresses) {
    append(result.addresses, {range.first, range.last, to_pass});
  }
  return result;
}

/// At most `count` ranges of addresses: the widest gaps stay.
Wanted with_ranges(const Wanted& wanted, std::size_t count) {
  const auto& ranges = wanted.addresses;
  if (ranges.size() <= count) return wanted;
  std::vector<std::size_t> gaps;  // a gap is known by the range behind it
  for (std::size_t i = 1; i < ranges.size(); ++i)
    gaps.push_back(i);
  auto width = [&](std::size_t i) { return ranges[i].first - ranges[i - 1].last; };
  auto kept = gaps.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::ranges::nth_element(gaps, kept, std::ranges::greater{}, width);
  gaps.erase(kept, gaps.end());
  std::ranges::sort(gaps);
  gaps.push_back(ranges.size());

  Wanted result;
  std::size_t start = 0;
  for (auto end : gaps) {
    result.addresses.push_back({ranges[start].first, ranges[end - 1].last, to_pass});
    start = end;
  }
  return result;
}

/// A jump target: an index counted from the program's end.
struct Place {
  std::size_t origin;   // the code itself
  std::size_t nearest;  // the code, or its last relay
};

/// A program written from its end to its beginning.
class BackwardProgram {
 public:
  Place emit(std::uint16_t code, std::uint32_t k) {
    code_.push_back({code, 0, 0, k});
    return beginning();
  }

  /// A conditional jump on A and `k`; gives the targets relays as needed.
  Place branch(std::uint16_t condition, std::uint32_t k, Place& yes, Place& no) {
    while (distance(yes) > reach || distance(no) > reach) {
      relay(distance(yes) > reach ? yes : no);
    }
    auto yes_offset = static_cast<std::uint8_t>(distance(yes));
    auto no_offset = static_cast<std::uint8_t>(distance(no));
    auto place = emit(static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K), k);
    code_.back().jt = yes_offset;
    code_.back().jf = no_offset;
    return place;
  }

  /// Makes the next instruction to be written continue at `place`.
  void continue_at(Place& place) {
    if (distance(place) != 0) relay(place);
  }

  /// What was written last.
  [[nodiscard]] Place beginning() const { return {code_.size() - 1, code_.size() - 1}; }

  [[nodiscard]] std::vector<sock_filter> finish() && {
    std::ranges::reverse(code_);
    return std::move(code_);
  }

 private:
  static constexpr std::size_t reach = std::numeric_limits<std::uint8_t>::max();

  /// Instructions to skip from one written now.
  [[nodiscard]] std::size_t distance(const Place& place) const {
    return code_.size() - place.nearest - 1;
  }

  void relay(Place& place) {
    auto target = code_[place.origin];
    if (BPF_CLASS(target.code) == BPF_RET) {
      code_.push_back(target);
    } else {
      auto jump = static_cast<std::uint32_t>(code_.size() - place.origin - 1);
      code_.push_back({BPF_JMP | BPF_JA, 0, 0, jump});
    }
    place.nearest = code_.size() - 1;
  }

  std::vector<sock_filter> code_;
};

class Compiler {
 public:
  Compiler(const Wanted& wanted, std::size_t link_header_bytes)
      : wanted_(wanted), header_(static_cast<std::uint32_t>(link_header_bytes)) {}

  [[nodiscard]] std::vector<sock_filter> compile() && {
    auto lookup = search(wanted_.addresses, {0, any_address, to_pass}, drop_);
    program_.continue_at(lookup);
    lookup = load(BPF_W, destination_offset);
    if (wanted_.has_ports()) {
      find_port(lookup);
    } else {
      check_version(lookup);
    }
    check_kind();
    return std::move(program_).finish();
  }

 private:
  Place load(std::uint16_t size, std::uint32_t offset) {
    return program_.emit(static_cast<std::uint16_t>(BPF_LD | size | BPF_ABS), header_ + offset);
  }

  /// Where A leads, which is known to lie in `bounds`: the target of its range, or `otherwise`.
  Place search(std::span<const Range> ranges, const Range& bounds, Place& otherwise) {
    if (ranges.size() == 1) return compare(ranges.front(), bounds, otherwise);
    auto upper = ranges.subspan(ranges.size() / 2);
    auto pivot = upper.front().first;
    auto right = search(upper, {pivot, bounds.last, to_pass}, otherwise);
    auto lower = ranges.first(ranges.size() / 2);
    auto left = search(lower, {bounds.first, pivot - 1, to_pass}, otherwise);
    return program_.branch(BPF_JGE, pivot, right, left);
  }

  Place compare(const Range& range, const Range& bounds, Place& otherwise) {
    auto& hit = target(range.target);
    if (range.first == range.last && bounds.first < bounds.last) {
      return program_.branch(BPF_JEQ, range.first, hit, otherwise);
    }
    auto entry = hit;
    if (range.last < bounds.last) {
      entry = program_.branch(BPF_JGT, range.last, otherwise, hit);
    }
    if (range.first > bounds.first) {
      entry = program_.branch(BPF_JGE, range.first, entry, otherwise);
    }
    return entry;
  }

  /// The code of a set of ports, written where it is needed first.
  Place& target(std::size_t set) {
    if (set == to_pass) return pass_;
    auto [found, is_new] = port_checks_.try_emplace(set, Place{});
    if (is_new) {
      auto check = search(wanted_.port_sets[set], {0, no_port, to_pass}, wrong_port_);
      program_.continue_at(check);
      found->second = program_.emit(BPF_MISC | BPF_TXA, 0);
    }
    return found->second;
  }

  /// X = port; a header with options, a fragment or a frame that ends too early has none.
  /// 0x3FFF: the offset and "more fragments".
  void find_port(Place& lookup) {
    program_.emit(BPF_MISC | BPF_TAX, 0);
    auto complete = load(BPF_H, port_offset);
    program_.branch(BPF_JGE, header_ + port_offset + 2, complete, lookup);
    auto unfragmented = program_.emit(BPF_LD | BPF_W | BPF_LEN, 0);
    program_.branch(BPF_JSET, IP_MF | IP_OFFMASK, lookup, unfragmented);
    auto plain = load(BPF_H, fragment_offset);
    program_.branch(BPF_JEQ, 0x40, lookup, drop_);
    auto not_plain = program_.emit(BPF_ALU | BPF_AND | BPF_K, 0xF0);
    program_.branch(BPF_JEQ, 0x45, plain, not_plain);
    load(BPF_B, 0);
    program_.emit(BPF_LDX | BPF_IMM, no_port);
  }

  void check_version(Place& lookup) {
    program_.branch(BPF_JEQ, 0x40, lookup, drop_);
    program_.emit(BPF_ALU | BPF_AND | BPF_K, 0xF0);
    load(BPF_B, 0);
  }

  /// For us, and UDP. Continues with what was written before it.
  void check_kind() {
    auto rest = program_.beginning();
    program_.branch(BPF_JEQ, IPPROTO_UDP, rest, drop_);
    auto protocol = load(BPF_B, protocol_offset);
    program_.branch(BPF_JEQ, PACKET_OTHERHOST, drop_, protocol);
    program_.emit(BPF_LD | BPF_B | BPF_ABS,
                  static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE));
  }

  const Wanted& wanted_;
  std::uint32_t header_;
  BackwardProgram program_;
  Place drop_ = program_.emit(BPF_RET | BPF_K, 0);
  Place pass_ = program_.emit(BPF_RET | BPF_K, pass_whole_frame);
  /// Not a port of the set: drop, unless there is none to look at.
  Place wrong_port_ = wanted_.has_ports() ? program_.branch(BPF_JEQ, no_port, pass_, drop_) : drop_;
  std::map<std::size_t, Place> port_checks_;
};

}  // namespace

std::vector<sock_filter> drop_all_filter() {
  return {{BPF_RET | BPF_K, 0, 0, 0}};
}

std::vector<sock_filter> compile_filter(std::span<const FilterDestination> destinations,
                                        const IngressKey& key, std::size_t link_header_bytes,
                                        std::size_t max_instructions) {
  if (key.kind.family != Family::ipv4) return drop_all_filter();
  auto limit = std::min<std::size_t>(max_instructions, BPF_MAXINSNS);
  auto wanted = gather(destinations);
  if (wanted.addresses.empty()) return drop_all_filter();

  auto program = Compiler(wanted, link_header_bytes).compile();
  if (program.size() > limit) wanted = without_ports(wanted);
  auto ranges = std::min(wanted.addresses.size(), limit / 2);
  while (program.size() > limit && ranges > 0) {
    program = Compiler(with_ranges(wanted, ranges), link_header_bytes).compile();
    if (program.size() > limit) {
      auto surplus = (program.size() - limit + 1) / 2;  // a range takes two instructions
      ranges -= std::min(ranges, surplus);
    }
  }
  if (program.size() > limit) return {{BPF_RET | BPF_K, 0, 0, pass_whole_frame}};
  return program;
}

}  // namespace mcr
