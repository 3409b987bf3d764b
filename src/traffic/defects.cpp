#include "mcr/traffic/defects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "mcr/base/error.hpp"

namespace mcr {

namespace {

constexpr std::uint64_t default_every = 1000;
constexpr std::uint64_t min_every = 3;  // a swap takes two, and one stays where it is

/// Each kind's name, and whether a PID and a period belong to it.
struct Grammar {
  std::string_view name;
  bool pid;
  bool every;
};
constexpr std::array<Grammar, 15> grammar{{{"loss", false, true},
                                           {"swap", false, true},
                                           {"dup", false, true},
                                           {"restart", false, true},
                                           {"cc", true, true},
                                           {"tei", true, true},
                                           {"sync", false, true},
                                           {"sync-loss", false, true},
                                           {"crc", false, true},
                                           {"no-pat", false, false},
                                           {"no-pmt", false, false},
                                           {"pcr-gap", false, false},
                                           {"pcr-step", false, true},
                                           {"pts-gap", false, false},
                                           {"scrambled", true, false}}};

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Failure(ExitCode::usage, fmt::format("--defect {}: {}", text, why));
}

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < min || value > max) return std::nullopt;
  return value;
}

/// Takes the text up to the next colon.
std::string_view next_part(std::string_view& rest) noexcept {
  const auto end = std::min(rest.find(':'), rest.size());
  const auto part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

std::string Defect::names() {
  std::string names;
  for (const auto& one : grammar)
    names += fmt::format("{}{}{}{}", names.empty() ? "" : ", ", one.name, one.pid ? ":PID" : "",
                         one.every ? "[:every=N]" : "");
  return names;
}

Defect Defect::parse(std::string_view text) {
  auto rest = text;
  const auto name = next_part(rest);
  const auto found = std::ranges::find(grammar, name, &Grammar::name);
  if (found == grammar.end()) refuse(text, "there are " + names());
  Defect defect;
  defect.kind = static_cast<Kind>(found - grammar.begin());
  if (found->every) defect.every = default_every;
  if (found->pid) {
    const auto pid = number(next_part(rest), 0, 8191);
    if (!pid) refuse(text, "a PID from 0 to 8191 belongs behind the first colon");
    defect.pid = static_cast<std::uint16_t>(*pid);
  }
  if (rest.empty()) return defect;
  constexpr std::string_view key = "every=";
  const auto every = rest.substr(0, key.size()) == key
                         ? number(rest.substr(key.size()), min_every, std::uint64_t{1} << 40U)
                         : std::nullopt;
  if (!found->every || !every)
    refuse(text, found->every ? "every=N takes a number from 3 on" : "nothing follows here");
  defect.every = *every;
  return defect;
}

const Defect* Defects::find(Defect::Kind kind, std::uint16_t pid) const noexcept {
  const auto found = std::ranges::find_if(
      all_, [&](const Defect& one) { return one.kind == kind && one.pid == pid; });
  return found == all_.end() ? nullptr : &*found;
}

std::uint64_t Defects::times(Defect::Kind kind, std::uint64_t n, std::uint16_t pid) const noexcept {
  const auto* defect = find(kind, pid);
  return defect == nullptr ? 0 : n / defect->every;
}

bool Defects::at(Defect::Kind kind, std::uint64_t n, std::uint16_t pid) const noexcept {
  const auto* defect = find(kind, pid);
  return defect != nullptr && n % defect->every == defect->every - 1;
}

/// Among each N that are sent `dup` sends the last number twice; `swap` the last two in the other
/// order; `loss` leaves the last number of each N out.
std::uint64_t Defects::datagram(std::uint64_t n) const noexcept {
  if (const auto* dup = find(Defect::Kind::dup, 0))
    n = n / dup->every * (dup->every - 1) + std::min(n % dup->every, dup->every - 2);
  if (const auto* swap = find(Defect::Kind::swap, 0)) {
    if (n % swap->every == swap->every - 2)
      ++n;
    else if (n % swap->every == swap->every - 1)
      --n;
  }
  if (const auto* loss = find(Defect::Kind::loss, 0)) n += n / (loss->every - 1);
  return n;
}

}  // namespace mcr
