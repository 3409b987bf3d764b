// The services that mDNS reflectors hear on each of their interfaces, for people: nothing is
// decided by them. Control thread only. Theory in heard_services.cpp.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/rules/rule_state.hpp"

namespace mcr {

struct Rule;

/// One instance of a service on one interface.
struct HeardService {
  std::string interface;
  std::string type;      ///< "_ipp._tcp"
  std::string instance;  ///< printable()
  IpAddress from;        ///< who announced it last: its host, or another relay
  std::chrono::seconds age{0};
  std::chrono::seconds lives{0};  ///< so long still, if nobody announces it again
};

class HeardServices {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Kept of one interface of one reflector; of more the one heard longest ago is forgotten.
  static constexpr std::size_t most = 128;
  /// Messages read of one listener in a tick(). What comes beyond the socket's buffer is lost.
  static constexpr std::size_t most_at_once = 512;
  /// No announcement is believed for longer (RFC 6762, section 10: 75 minutes are usual).
  static constexpr std::chrono::hours longest{2};

  /// Listens for these rules. What the kernel refuses is tried again each tick().
  /// Throws nothing but std::bad_alloc. The rules and interfaces are copied as far as needed.
  void follow(std::span<const Rule> rules, const std::vector<RuleStatus>& statuses,
              const Interfaces& interfaces);
  /// Once a second: reads what has come, forgets what is over.
  void tick(Time now);

  /// Takes one message in, as tick() does.
  void hear(const std::string& reflector, const std::string& interface, const IpAddress& from,
            std::span<const std::byte> message, Time now);

  /// Sorted by interface, type and instance.
  [[nodiscard]] std::vector<HeardService> of(std::string_view reflector, Time now) const;
  /// The number of services, since the start, that found no room any more.
  [[nodiscard]] std::uint64_t forgotten(const std::string& reflector) const;

 private:
  struct Wanted {
    std::string reflector;
    std::string interface;
    unsigned index = 0;
    Endpoint group;

    friend auto operator<=>(const Wanted&, const Wanted&) = default;
  };
  struct Place {
    std::string reflector;
    std::string interface;

    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Key {
    std::string type;
    std::string instance;

    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Known {
    IpAddress from;
    Time heard;
    Time until;
  };
  using Services = std::map<Key, Known>;

  static void open(const Wanted& wanted, UniqueFd& socket);
  void read(const Wanted& wanted, Fd socket, Time now);

  std::map<Wanted, UniqueFd> listeners_;  ///< not valid: to be opened
  std::map<Place, Services> places_;
  std::map<std::string, std::uint64_t> forgotten_;
  std::array<std::byte, 9216> buffer_{};  ///< RFC 6762, section 17: no message is longer
};

}  // namespace mcr
