// Searches of SSDP and WS-Discovery, and their answers. A search goes to a group, but its answers
// go by unicast to where it came from. So a reflector sends it from a socket of its own for each
// searcher, and gives the searcher what comes back. Theory in searches.cpp. Control thread only.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mcr/base/address.hpp"
#include "mcr/base/fd.hpp"
#include "mcr/config/reflector_kind.hpp"
#include "mcr/config/sources.hpp"
#include "mcr/host/interfaces.hpp"
#include "mcr/rules/carriers.hpp"
#include "mcr/rules/rule_state.hpp"

namespace mcr {

struct Rule;

class Searches {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Searchers at once, in all and of one address; of more the searches are left out.
  static constexpr std::size_t most_sessions = 256;
  static constexpr std::size_t most_of_one_address = 16;
  /// Answers to one search.
  static constexpr std::uint32_t most_answers = 256;
  /// Datagrams read in one serve(); the rest has to wait.
  static constexpr std::size_t most_at_once = 64;
  /// Searches that wait for another relay's copy; of more the oldest is sent at once.
  static constexpr std::size_t most_waiting = 64;
  /// A search with the same bytes from another searcher, so soon, is another relay's copy.
  static constexpr std::chrono::milliseconds echo_time{100};

  struct Statistics {
    std::uint64_t searches = 0;  ///< sent on, once for each interface
    std::uint64_t answers = 0;   ///< given to searchers
    std::uint64_t left_out = 0;  ///< echoes, what is there already or one of the limits forbids
  };

  /// Throws OsError.
  Searches();

  /// Makes the listeners those of these rules. What the kernel refuses is tried again each tick().
  /// Throws nothing but std::bad_alloc. The rules and interfaces are copied as far as needed.
  void follow(std::span<const Rule> rules, const std::vector<RuleStatus>& statuses,
              const Interfaces& interfaces);

  /// Readable when there is something to serve().
  [[nodiscard]] Fd fd() const noexcept { return epoll_; }
  void serve(Time now);
  /// Once a second: ends sessions.
  void tick(Time now);

  /// Since the start.
  [[nodiscard]] Statistics statistics(const std::string& reflector) const;

 private:
  /// An interface to send a search by.
  struct Way {
    std::string interface;
    unsigned index = 0;
    IpAddress source;
    int ttl = 1;

    friend bool operator==(const Way&, const Way&) = default;
  };
  /// The properties that a listener shall have.
  struct Wanted {
    std::string reflector;
    ReflectorKind kind = ReflectorKind::ssdp;
    std::string interface;
    unsigned index = 0;
    Endpoint group;
    std::vector<SourceRange> sources;
    std::vector<Way> ways;

    friend bool operator==(const Wanted&, const Wanted&) = default;
  };
  struct Listener {
    Wanted wanted;
    UniqueFd socket;  ///< not valid: to be opened
    std::uint32_t id = 0;
    bool told = false;  ///< that it could not be opened
  };
  struct Session {
    std::uint32_t listener = 0;  ///< id
    Endpoint searcher;
    std::string interface;  ///< that the search was sent on
    UniqueFd socket;
    std::uint16_t port = 0;
    std::uint32_t id = 0;
    std::uint32_t answers_left = most_answers;
    Time until;
  };
  /// A search that waits before it goes one way.
  struct Waiting {
    std::uint32_t listener = 0;  ///< id
    std::size_t way = 0;
    Endpoint searcher;
    std::vector<std::byte> search;
    Time came;
    Time due;
  };
  struct Heard {
    std::uint64_t payload = 0;
    Endpoint searcher;
    Time at;
  };

  void open(Listener& listener);
  [[nodiscard]] Listener* listener(std::uint32_t id);
  void read_search(Listener& listener, Time now);
  void on_search(Listener& listener, const Endpoint& searcher, std::span<const std::byte> search,
                 Time now);
  [[nodiscard]] bool is_echo(const Endpoint& searcher, std::span<const std::byte> search, Time now);
  [[nodiscard]] bool is_own(const Endpoint& source) const;
  void send_or_wait(Listener& listener, std::size_t way, const Endpoint& searcher,
                    std::span<const std::byte> search, Time now);
  void serve_waiting(Time now);
  void end_wait(const Waiting& waiting, Time now);
  void set_timer();
  void carry(Listener& listener, std::size_t way, const Endpoint& searcher,
             std::span<const std::byte> search, Time now);
  void send_on(Listener& listener, const Way& way, const Endpoint& searcher,
               std::span<const std::byte> search, Time now);
  [[nodiscard]] Session* session(const Listener& listener, const Way& way,
                                 const Endpoint& searcher);
  [[nodiscard]] Session* new_session(const Listener& listener, const Way& way,
                                     const Endpoint& searcher);
  void read_answer(Session& session);
  void watch(Fd socket, std::uint64_t token) const;
  [[nodiscard]] Statistics& count(const Listener& listener) {
    return statistics_[listener.wanted.reflector];
  }

  UniqueFd epoll_;
  UniqueFd timer_;           ///< of what waits
  const std::uint64_t key_;  ///< of hashes
  Carriers carriers_{key_};
  std::list<Waiting> waiting_;  ///< in the order in which they came
  std::list<Listener> listeners_;
  std::list<Session> sessions_;
  std::uint32_t next_id_ = 1;
  std::array<Heard, 64> heard_{};  ///< the last searches
  std::size_t next_heard_ = 0;
  std::map<std::string, Statistics> statistics_;
  std::array<std::byte, 65536> buffer_{};
};

}  // namespace mcr
