// The program does this, in this order. A and X are the registers of classic BPF.
//
//   frame of another kind, not UDP, not the IP version     -> drop
//   X = destination port, or `no_port` if it is not at its usual place
//   A = destination address; binary search over ranges     -> drop, pass, or a set of ports
//   a set of ports: A = X; binary search over port ranges  -> pass; no_port -> pass; else drop
//
// A load beyond the end of a frame ends the program with "drop".
//
// Addresses. An IPv6 address is four words. A range of one word leads to a check of the next word.
// Groups mostly differ in their last word only, and equal rests of addresses share their code.
// Behind an extension header the program does not look for the port, because there may be many of
// them.
//
// Kinds. A socket for untagged frames is bound to their protocol, unless the interface is a port.
// On a trunk's parent such a socket also gets frames of VLANs, without their tag. They have pkttype
// OTHERHOST or, if the VLAN has an interface of its own, that interface's index. Sockets of the
// other kinds are bound to ETH_P_ALL. They get the tag beside the frame, and also the frames that
// the host itself sends (pkttype OUTGOING). On a port of a bridge they get what is for the bridge's
// address as OTHERHOST.
//
// Size. Neighbouring addresses with equal sets of ports are one range, and equal sets share their
// code: 1,000 consecutive groups on one port are one range and one port check. n ranges take 2n
// instructions, because the search remembers the bounds that it knows already. If the program is
// too long, it gives up its last level of checks (ports, then the last word of IPv6 addresses), and
// then as many of the narrowest gaps of the level that is the last one now.
//
// Jumps. A conditional jump reaches 255 instructions forward (8 bits), an unconditional one any
// distance. So the program is written from its end to its beginning: when a jump is written, its
// target exists, at a known distance. A target that is out of reach gets a trampoline on the spot
// (a copy of it if it is a return, else an unconditional jump to it), which the next jumps share.
// No instruction falls through into a trampoline, because a conditional jump always goes to one of
// its two targets.
#include "mcr/packet/filter.hpp"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <map>

namespace mcr {
namespace {

constexpr std::uint32_t pass_whole_frame = 0xFFFFFFFF;
constexpr std::uint32_t any_word = 0xFFFFFFFF;
/// The "port" of a frame whose port is not at its usual place. It is above every real one.
constexpr std::uint32_t no_port = 0x10000;
/// The VLAN's bits in a tag; the others are priority (IEEE 802.1Q).
constexpr std::uint32_t vlan_bits = 0xFFF;

/// Offsets in an IP header without options, and in the UDP header behind it (RFC 768).
struct Layout {
  std::size_t address_words;
  std::uint32_t version;  // in the upper half of the first byte
  std::uint32_t protocol;
  std::uint32_t destination;
  std::uint32_t port;
  std::uint32_t ethertype;
};
constexpr Layout ipv4_layout{1, 0x40, 9, 16, 22, ETH_P_IP};    // RFC 791
constexpr Layout ipv6_layout{4, 0x60, 6, 24, 42, ETH_P_IPV6};  // RFC 8200
constexpr std::uint32_t ipv4_fragment_offset = 6;

/// Headers that may stand between the IPv6 and the UDP header.
constexpr std::uint32_t ipv6_extensions[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
                                             IPPROTO_AH, IPPROTO_DSTOPTS};

/// The values from `first` to `last`, both included, and the check that they lead to: an index into
/// Wanted::checks, or `to_pass`.
struct Range {
  std::uint32_t first;
  std::uint32_t last;
  std::size_t target;

  // NOLINTNEXTLINE(modernize-use-nullptr): mistaken about a defaulted comparison
  friend auto operator<=>(const Range&, const Range&) = default;
};
using Ranges = std::vector<Range>;  // sorted, disjoint

constexpr std::size_t to_pass = 0;

/// A search in one word of the address (`level` counts them), or behind the last word in the port.
struct Check {
  std::size_t level = 0;
  Ranges ranges;

  // NOLINTNEXTLINE(modernize-use-nullptr): mistaken about a defaulted comparison
  friend auto operator<=>(const Check&, const Check&) = default;
};

/// All destinations as a tree of checks that lead to each other. The last check is the root.
struct Wanted {
  std::vector<Check> checks{Check{}};  // the first one is only a place-holder for to_pass
  std::size_t levels = 0;              // ranges of the last level all lead to to_pass
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

/// A destination, as the program compares it.
struct Match {
  std::array<std::uint32_t, 4> address{};  // an IPv4 address is one word
  std::uint16_t port = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): mistaken about a defaulted comparison
  friend auto operator<=>(const Match&, const Match&) = default;
};
using Matches = std::vector<Match>;

Matches sorted_matches(std::span<const FilterDestination> destinations, Family family) {
  Matches matches;
  matches.reserve(destinations.size());
  for (const auto& destination : destinations) {
    if (destination.address.family() != family) continue;
    auto& match = matches.emplace_back();
    const auto bytes = destination.address.bytes();
    for (std::size_t i = 0; i < bytes.size(); ++i)
      match.address[i / 4] = match.address[i / 4] << 8U | bytes[i];
    match.port = destination.port;
  }
  std::ranges::sort(matches);
  return matches;
}

/// Builds the tree of checks with the first `levels` of these levels: each word of the address, the
/// port.
class TreeBuilder {
 public:
  TreeBuilder(const Layout& layout, std::size_t levels) : words_(layout.address_words) {
    wanted_.levels = levels;
  }

  [[nodiscard]] Wanted build(std::span<const Match> matches) && {
    wanted_.checks.push_back({0, ranges_of(matches, 0)});
    return std::move(wanted_);
  }

 private:
  Ranges ranges_of(std::span<const Match> matches, std::size_t level) {
    Ranges ranges;
    for (std::size_t first = 0, next = 0; first < matches.size(); first = next) {
      const auto word = matches[first].address[level];
      while (next < matches.size() && matches[next].address[level] == word)
        ++next;
      append(ranges, {word, word, target_of(matches.subspan(first, next - first), level + 1)});
    }
    return ranges;
  }

  std::size_t target_of(std::span<const Match> matches, std::size_t level) {
    if (level == wanted_.levels) return to_pass;
    Check check{level, level < words_ ? ranges_of(matches, level) : ports_of(matches)};
    if (check.ranges.empty()) return to_pass;
    const auto [known, is_new] = known_.try_emplace(std::move(check), wanted_.checks.size());
    if (is_new) wanted_.checks.push_back(known->first);
    return known->second;
  }

  /// The ranges of ports; none if any port passes (port 0, which sorts before the others).
  static Ranges ports_of(std::span<const Match> matches) {
    Ranges ports;
    for (const auto& match : matches) {
      if (match.port == 0) return {};
      append(ports, {match.port, match.port, to_pass});
    }
    return ports;
  }

  std::size_t words_;
  Wanted wanted_;
  std::map<Check, std::size_t> known_;
};

/// The gap before a range of a check.
struct Gap {
  std::size_t check;
  std::size_t range;

  // NOLINTNEXTLINE(modernize-use-nullptr): mistaken about a defaulted comparison
  friend auto operator<=>(const Gap&, const Gap&) = default;
};

bool is_last_level(const Wanted& wanted, const Check& check) {
  return check.level + 1 == wanted.levels && !check.ranges.empty();
}

std::vector<Gap> last_gaps(const Wanted& wanted) {
  std::vector<Gap> gaps;
  for (std::size_t check = 0; check < wanted.checks.size(); ++check)
    if (is_last_level(wanted, wanted.checks[check]))
      for (std::size_t range = 1; range < wanted.checks[check].ranges.size(); ++range)
        gaps.push_back({check, range});
  return gaps;
}

/// The same with at most `count` gaps between the ranges of the last level. The widest gaps stay.
Wanted with_gaps(const Wanted& wanted, std::size_t count) {
  auto gaps = last_gaps(wanted);
  if (gaps.size() <= count) return wanted;
  const auto width = [&](const Gap& gap) {
    const auto& ranges = wanted.checks[gap.check].ranges;
    return ranges[gap.range].first - ranges[gap.range - 1].last;
  };
  const auto kept = gaps.begin() + static_cast<std::ptrdiff_t>(count);
  std::ranges::nth_element(gaps, kept, std::ranges::greater{}, width);
  gaps.erase(kept, gaps.end());
  std::ranges::sort(gaps);
  auto result = wanted;
  auto gap = gaps.begin();
  for (std::size_t check = 0; check < wanted.checks.size(); ++check) {
    if (!is_last_level(wanted, wanted.checks[check])) continue;
    const auto& ranges = wanted.checks[check].ranges;
    Ranges merged;
    std::size_t start = 0;
    for (; gap != gaps.end() && gap->check == check; start = gap++->range)
      merged.push_back({ranges[start].first, ranges[gap->range - 1].last, to_pass});
    merged.push_back({ranges[start].first, ranges.back().last, to_pass});
    result.checks[check].ranges = std::move(merged);
  }
  return result;
}

/// A jump target: an index counted from the program's end.
struct Label {
  std::size_t origin;   // the code itself
  std::size_t nearest;  // the code, or its last trampoline
};

/// A program written from its end to its beginning.
class BackwardProgram {
 public:
  Label emit(std::uint16_t code, std::uint32_t k) {
    code_.push_back({code, 0, 0, k});
    return beginning();
  }

  /// A conditional jump on A and `k`. Targets that are out of reach get a trampoline.
  Label branch(std::uint16_t condition, std::uint32_t k, Label& yes, Label& no) {
    while (distance(yes) > reach || distance(no) > reach) {
      trampoline(distance(yes) > reach ? yes : no);
    }
    auto yes_offset = static_cast<std::uint8_t>(distance(yes));
    auto no_offset = static_cast<std::uint8_t>(distance(no));
    auto place = emit(static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K), k);
    code_.back().jt = yes_offset;
    code_.back().jf = no_offset;
    return place;
  }

  /// Makes the next instruction that is written continue at `place`.
  void continue_at(Label& place) {
    if (distance(place) != 0) trampoline(place);
  }

  /// The instruction that was written last.
  [[nodiscard]] Label beginning() const { return {code_.size() - 1, code_.size() - 1}; }

  [[nodiscard]] std::vector<sock_filter> finish() && {
    std::ranges::reverse(code_);
    return std::move(code_);
  }

 private:
  static constexpr std::size_t reach = std::numeric_limits<std::uint8_t>::max();

  /// The number of instructions between one that is written now and the target.
  [[nodiscard]] std::size_t distance(const Label& place) const {
    return code_.size() - place.nearest - 1;
  }

  void trampoline(Label& place) {
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
  Compiler(const Wanted& wanted, const Layout& layout, const RxKey& key,
           std::size_t link_header_bytes, std::uint32_t relayed)
      : wanted_(wanted),
        layout_(layout),
        key_(key),
        header_(static_cast<std::uint32_t>(link_header_bytes)),
        relayed_(relayed) {}

  [[nodiscard]] std::vector<sock_filter> compile() && {
    auto lookup = write(wanted_.checks.back());
    if (&layout_ == &ipv6_layout) {
      check_ipv6(lookup);
    } else if (has_ports_) {
      find_ipv4_port(lookup);
      check_ipv4_protocol();
    } else {
      check_version(lookup);
      check_ipv4_protocol();
    }
    check_kind();
    return std::move(program_).finish();
  }

  /// Passes every frame of the kind.
  [[nodiscard]] std::vector<sock_filter> compile_kind() && {
    program_.continue_at(pass_);
    check_kind();
    return std::move(program_).finish();
  }

 private:
  Label load(std::uint16_t size, std::size_t offset) {
    return program_.emit(static_cast<std::uint16_t>(BPF_LD | size | BPF_ABS),
                         header_ + static_cast<std::uint32_t>(offset));
  }

  /// Writes the search for A, which is known to lie in `bounds`: continues at the target of its
  /// range, or at `otherwise`.
  Label search(std::span<const Range> ranges, const Range& bounds, Label& otherwise) {
    if (ranges.size() == 1) return compare(ranges.front(), bounds, otherwise);
    auto upper = ranges.subspan(ranges.size() / 2);
    auto pivot = upper.front().first;
    auto right = search(upper, {pivot, bounds.last, to_pass}, otherwise);
    auto lower = ranges.first(ranges.size() / 2);
    auto left = search(lower, {bounds.first, pivot - 1, to_pass}, otherwise);
    return program_.branch(BPF_JGE, pivot, right, left);
  }

  Label compare(const Range& range, const Range& bounds, Label& otherwise) {
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

  /// The code of a check. It is written when it is needed for the first time.
  Label& target(std::size_t check) {
    if (check == to_pass) return pass_;
    auto [found, is_new] = written_.try_emplace(check, Label{});
    if (is_new) found->second = write(wanted_.checks[check]);
    return found->second;
  }

  Label write(const Check& check) {
    const bool of_ports = check.level == layout_.address_words;
    auto entry = of_ports ? search(check.ranges, {0, no_port, to_pass}, wrong_port_)
                          : search(check.ranges, {0, any_word, to_pass}, drop_);
    program_.continue_at(entry);
    if (of_ports) return program_.emit(BPF_MISC | BPF_TXA, 0);
    return load(BPF_W, layout_.destination + 4 * check.level);
  }

  /// X = port at its usual place; it stays `no_port` if the frame ends before it.
  Label read_port(Label& lookup) {
    program_.emit(BPF_MISC | BPF_TAX, 0);
    auto complete = load(BPF_H, layout_.port);
    program_.branch(BPF_JGE, header_ + layout_.port + 2, complete, lookup);
    return program_.emit(BPF_LD | BPF_W | BPF_LEN, 0);
  }

  /// X = port; it stays `no_port` for a header with options and for a fragment (an offset, or the
  /// flag "more fragments").
  void find_ipv4_port(Label& lookup) {
    auto unfragmented = read_port(lookup);
    program_.branch(BPF_JSET, IP_MF | IP_OFFMASK, lookup, unfragmented);
    auto plain = load(BPF_H, ipv4_fragment_offset);
    program_.branch(BPF_JEQ, 0x40, lookup, drop_);
    auto not_plain = program_.emit(BPF_ALU | BPF_AND | BPF_K, 0xF0);
    program_.branch(BPF_JEQ, 0x45, plain, not_plain);
    load(BPF_B, 0);
    program_.emit(BPF_LDX | BPF_IMM, no_port);
  }

  /// X = port; it stays `no_port` behind extension headers. Drops what cannot be UDP.
  void check_ipv6(Label& lookup) {
    auto udp = has_ports_ ? read_port(lookup) : lookup;
    auto other = drop_;
    for (const auto extension : ipv6_extensions)
      other = program_.branch(BPF_JEQ, extension, lookup, other);
    program_.branch(BPF_JEQ, IPPROTO_UDP, udp, other);
    auto protocol = load(BPF_B, layout_.protocol);
    if (has_ports_) protocol = program_.emit(BPF_LDX | BPF_IMM, no_port);
    check_version(protocol);
  }

  void check_version(Label& rest) {
    program_.branch(BPF_JEQ, layout_.version, rest, drop_);
    program_.emit(BPF_ALU | BPF_AND | BPF_K, 0xF0);
    load(BPF_B, 0);
  }

  /// Checks for UDP, and continues with the code that was written before.
  void check_ipv4_protocol() {
    auto rest = program_.beginning();
    program_.branch(BPF_JEQ, IPPROTO_UDP, rest, drop_);
    load(BPF_B, layout_.protocol);
  }

  /// Checks the frame's kind, and continues with the code that was written before.
  void check_kind() {
    const auto& kind = key_.kind;
    if (kind.local) {
      demand(SKF_AD_VLAN_TAG_PRESENT, 0);
      demand(SKF_AD_PROTOCOL, layout_.ethertype);
      demand(SKF_AD_PKTTYPE, PACKET_OUTGOING);
    } else if (kind.vlan != 0) {
      demand(SKF_AD_VLAN_TAG, kind.vlan, vlan_bits);
      demand(SKF_AD_VLAN_TPID, ETH_P_8021Q);
      refuse(SKF_AD_VLAN_TAG_PRESENT, 0);
      demand(SKF_AD_PROTOCOL, layout_.ethertype);
      refuse(SKF_AD_PKTTYPE, PACKET_OUTGOING);
      refuse(SKF_AD_PKTTYPE, PACKET_OTHERHOST);
    } else if (key_.all_protocols) {
      demand(SKF_AD_VLAN_TAG, 0, vlan_bits);  // none, or one that has only a priority
      demand(SKF_AD_PROTOCOL, layout_.ethertype);
      refuse(SKF_AD_PKTTYPE, PACKET_OUTGOING);
    } else {
      demand(SKF_AD_IFINDEX, key_.interface_index);
      refuse(SKF_AD_PKTTYPE, PACKET_OTHERHOST);
      if (relayed_ != 0) demand(SKF_AD_MARK, 0, relayed_);
    }
  }

  /// Drops unless the kernel's ancillary value `what` (SKF_AD_*) equals `value`.
  void demand(int what, std::uint32_t value, std::uint32_t mask = any_word) {
    auto rest = program_.beginning();
    program_.branch(BPF_JEQ, value, rest, drop_);
    if (mask != any_word) program_.emit(BPF_ALU | BPF_AND | BPF_K, mask);
    load_ancillary(what);
  }

  /// Drops if the kernel's ancillary value `what` (SKF_AD_*) equals `value`.
  void refuse(int what, std::uint32_t value) {
    auto rest = program_.beginning();
    program_.branch(BPF_JEQ, value, drop_, rest);
    load_ancillary(what);
  }

  void load_ancillary(int what) {
    program_.emit(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + what));
  }

  const Wanted& wanted_;
  const Layout& layout_;
  const RxKey& key_;
  std::uint32_t header_;
  std::uint32_t relayed_;
  bool has_ports_ = std::ranges::any_of(
      wanted_.checks, [this](const Check& check) { return check.level == layout_.address_words; });
  BackwardProgram program_;
  Label drop_ = program_.emit(BPF_RET | BPF_K, 0);
  Label pass_ = program_.emit(BPF_RET | BPF_K, pass_whole_frame);
  /// For a port that is not in the set: drops, but passes `no_port`.
  Label wrong_port_ = has_ports_ ? program_.branch(BPF_JEQ, no_port, pass_, drop_) : drop_;
  std::map<std::size_t, Label> written_;
};

/// Compiles with as many gaps of the last level as fit. Even without any the program may be too
/// long.
std::vector<sock_filter> compile_short(const Wanted& wanted, const Layout& layout, const RxKey& key,
                                       std::size_t link_header_bytes, std::size_t limit,
                                       std::uint32_t relayed) {
  auto gaps = std::min(last_gaps(wanted).size(), limit / 2);
  while (true) {
    auto program =
        Compiler(with_gaps(wanted, gaps), layout, key, link_header_bytes, relayed).compile();
    if (program.size() <= limit || gaps == 0) return program;
    const auto surplus = (program.size() - limit + 1) / 2;  // a range takes two instructions
    gaps -= std::min(gaps, surplus);
  }
}

}  // namespace

std::vector<sock_filter> drop_all_filter() {
  return {{BPF_RET | BPF_K, 0, 0, 0}};
}

std::vector<sock_filter> compile_filter(std::span<const FilterDestination> destinations,
                                        const RxKey& key, std::size_t link_header_bytes,
                                        std::size_t max_instructions, std::uint32_t relayed) {
  const auto family = key.kind.family;
  const auto limit = std::min<std::size_t>(max_instructions, BPF_MAXINSNS);
  const auto& layout = family == Family::ipv6 ? ipv6_layout : ipv4_layout;
  const auto matches = sorted_matches(destinations, family);
  if (matches.empty()) return drop_all_filter();

  auto levels = layout.address_words + 1;
  const auto whole = TreeBuilder(layout, levels).build(matches);
  auto program = Compiler(whole, layout, key, link_header_bytes, relayed).compile();
  while (program.size() > limit && --levels > 0)
    program = compile_short(TreeBuilder(layout, levels).build(matches), layout, key,
                            link_header_bytes, limit, relayed);
  if (program.size() > limit)
    return Compiler(Wanted{}, layout, key, link_header_bytes, relayed).compile_kind();
  return program;
}

}  // namespace mcr
