//   searcher 10.1.0.9:50000            relay                              device
//     M-SEARCH to the group  ----->  listener (lan)
//                                    session on iot  ----->  M-SEARCH to the group, from port P
//                                    session         <-----  HTTP/1.1 200 OK, to port P
//     HTTP/1.1 200 OK        <-----  listener
//
// A session is a searcher, an interface and a socket; a search that is repeated prolongs it. The
// workers relay all else that goes to the group (NOTIFY, Hello, Bye) and leave searches alone.
//
// Nothing that comes is believed. A search is a datagram from the input's sources that begins as
// one does. An answer has the form of one, and reaches the one searcher, on the interface it
// searches from and without a gateway: a forged search cannot send answers to a stranger far away.
// Sessions, answers and the datagrams of one turn are bounded; what is beyond is left out and
// counted.
//
// Two relays between the same segments hear each other's searches. A copy has the same bytes and
// comes at once, so such a search is an echo if it is from another searcher. One that comes later
// opens sessions, but no more than one address may have. One of the relays carries a search across,
// and gives the searcher all answers (rules/carriers.cpp).
#include "mcr/control/searches.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <random>

#include "mcr/base/error.hpp"
#include "mcr/base/log.hpp"
#include "mcr/config/rule.hpp"
#include "mcr/host/group_socket.hpp"
#include "mcr/host/socket.hpp"
#include "mcr/packet/discovery.hpp"
#include "mcr/packet/echo_memory.hpp"

namespace mcr {

namespace {

constexpr std::uint64_t session_bit = std::uint64_t{1} << 32U;
constexpr std::uint64_t timer_token = std::uint64_t{1} << 33U;

std::uint64_t ns(Searches::Time time) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(time.time_since_epoch()).count());
}

std::uint64_t random_key() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

/// The number that Carriers know a way by. Ways that share one are only less quick.
std::uint32_t carriers_way(std::uint32_t listener, std::size_t way) {
  return static_cast<std::uint32_t>((listener * std::size_t{64} + way) % slots::outputs);
}

int level_of(Family family) {
  return family == Family::ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

UniqueFd open_session(const IpAddress& source, const std::string& interface, unsigned index,
                      int ttl) {
  auto socket = open_group_socket(source.family(), interface);
  const auto whose = "for " + interface;
  if (!socket.bind(SocketAddress({source, 0}, index))) throw_errno("bind", whose);
  const bool v6 = source.is_v6();
  socket.set(level_of(source.family()), v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, ttl,
             "set the TTL", whose);
  if (v6)
    socket.set(IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index), "choose the interface",
               whose);
  else
    socket.set(IPPROTO_IP, IP_MULTICAST_IF, ip_mreqn{{}, {}, static_cast<int>(index)},
               "choose the interface", whose);
  return std::move(socket).take();
}

std::uint16_t port_of(Fd socket) {
  SocketAddress address;
  address.length = sizeof address.v6;
  if (::getsockname(socket.get(), &address.generic, &address.length) != 0) return 0;
  return address.endpoint().port;
}

}  // namespace

Searches::Searches()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      key_(random_key()) {
  if (!epoll_.valid()) throw_errno("create epoll", "of searches");
  if (!timer_.valid()) throw_errno("create a timer", "of searches");
  watch(timer_, timer_token);
}

void Searches::follow(std::span<const Rule> rules, const std::vector<RuleStatus>& statuses,
                      const Interfaces& interfaces) {
  std::list<Listener> listeners;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const auto& rule = rules[r];
    if ((rule.kind != ReflectorKind::ssdp && rule.kind != ReflectorKind::ws_discovery) ||
        statuses[r].state != RuleState::active || !rule.inputs.front().destination.is_multicast())
      continue;
    const auto& input = rule.inputs.front();
    const auto* from = interfaces.find(input.interface);
    Wanted wanted{
        rule.reflector,       rule.kind, from->name, from->index, {input.destination, input.port},
        source_ranges(input), {}};
    for (std::size_t o = 0; o < rule.outputs.size(); ++o) {
      const auto& output = rule.outputs[o];
      if (!statuses[r].output_reasons[o].empty()) continue;
      const auto* to = interfaces.find(output.interface);
      const int ttl = output.ttl.mode == Ttl::Mode::fixed ? output.ttl.value : 1;
      wanted.ways.push_back({to->name, to->index, *to->source(output.destination), ttl});
    }
    const auto same = std::ranges::find(listeners_, wanted, &Listener::wanted);
    if (same != listeners_.end())
      listeners.splice(listeners.end(), listeners_, same);
    else
      listeners.push_back({std::move(wanted), {}, next_id_++, false});
  }
  listeners_ = std::move(listeners);
  std::erase_if(sessions_,
                [this](const Session& each) { return listener(each.listener) == nullptr; });
  for (auto& each : listeners_)
    open(each);
}

void Searches::open(Listener& listener) {
  if (listener.socket.valid()) return;
  const auto& wanted = listener.wanted;
  try {
    listener.socket = open_group_listener(wanted.group, wanted.interface, wanted.index);
    watch(listener.socket, listener.id);
    if (listener.told) log::notice("searches are heard after all: interface={}", wanted.interface);
    listener.told = false;
  } catch (const OsError& error) {
    listener.socket.reset();
    if (!listener.told)
      log::error("searches are not heard, trying again: reflector={} interface={} reason={}",
                 log::value(wanted.reflector), wanted.interface, log::value(error.what()));
    listener.told = true;
  }
}

void Searches::watch(Fd socket, std::uint64_t token) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0)
    throw_errno("watch a socket", "of searches");
}

Searches::Listener* Searches::listener(std::uint32_t id) {
  const auto found = std::ranges::find(listeners_, id, &Listener::id);
  return found == listeners_.end() ? nullptr : &*found;
}

void Searches::serve(Time now) {
  std::array<epoll_event, most_at_once> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int n = 0; n < count; ++n) {
    const auto token = events[static_cast<std::size_t>(n)].data.u64;
    const auto id = static_cast<std::uint32_t>(token);
    if (token == timer_token) {
      serve_waiting(now);
      continue;
    }
    if ((token & session_bit) == 0) {
      if (auto* found = listener(id); found != nullptr) read_search(*found, now);
      continue;
    }
    const auto found = std::ranges::find(sessions_, id, &Session::id);
    if (found != sessions_.end()) read_answer(*found);
  }
}

void Searches::read_search(Listener& listener, Time now) {
  SocketAddress from;
  from.length = sizeof from.v6;
  const auto bytes = ::recvfrom(listener.socket.get(), buffer_.data(), buffer_.size(), 0,
                                &from.generic, &from.length);
  if (bytes <= 0) return;
  const auto payload = std::span(buffer_).first(static_cast<std::size_t>(bytes));
  if (is_search(listener.wanted.kind, payload)) on_search(listener, from.endpoint(), payload, now);
}

void Searches::on_search(Listener& listener, const Endpoint& searcher,
                         std::span<const std::byte> search, Time now) {
  const auto& wanted = listener.wanted;
  if (!wanted.sources.empty() && !contains(wanted.sources, searcher.address)) return;
  if (is_own(searcher)) return;
  carriers_.heard(payload_hash(search, key_), wanted.index, searcher, ns(now));
  if (is_echo(searcher, search, now)) {
    ++count(listener).left_out;
    return;
  }
  for (std::size_t way = 0; way < wanted.ways.size(); ++way)
    send_or_wait(listener, way, searcher, search, now);
}

void Searches::send_or_wait(Listener& listener, std::size_t way, const Endpoint& searcher,
                            std::span<const std::byte> search, Time now) {
  const auto number = carriers_way(listener.id, way);
  if (carriers_.carries(number)) return carry(listener, way, searcher, search, now);
  if (waiting_.size() == most_waiting) {
    end_wait(waiting_.front(), now);
    waiting_.pop_front();
  }
  const auto rank = Carriers::rank_of(listener.wanted.ways[way].source);
  waiting_.push_back({listener.id,
                      way,
                      searcher,
                      {search.begin(), search.end()},
                      now,
                      now + carriers_.wait(number, rank, true)});
  set_timer();
}

void Searches::serve_waiting(Time now) {
  std::uint64_t expirations = 0;
  (void)!::read(timer_.get(), &expirations, sizeof expirations);
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    if (each->due > now) {
      ++each;
      continue;
    }
    end_wait(*each, now);
    each = waiting_.erase(each);
  }
  set_timer();
}

void Searches::end_wait(const Waiting& waiting, Time now) {
  auto* from = listener(waiting.listener);
  if (from == nullptr) return;
  const auto& to = from->wanted.ways[waiting.way];
  const auto hash = payload_hash(waiting.search, key_);
  if (carriers_.is_there(hash, to.index, ns(waiting.came))) {
    carriers_.left(carriers_way(from->id, waiting.way), hash, to.index, waiting.searcher, ns(now));
    ++count(*from).left_out;
    return;
  }
  carry(*from, waiting.way, waiting.searcher, waiting.search, now);
}

/// Rings when the next one is due.
void Searches::set_timer() {
  const auto next = std::ranges::min_element(waiting_, {}, &Waiting::due);
  itimerspec when{};
  if (next != waiting_.end()) {
    const auto due = static_cast<std::int64_t>(ns(next->due));
    when.it_value = {due / 1'000'000'000, due % 1'000'000'000};
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Searches::carry(Listener& listener, std::size_t way, const Endpoint& searcher,
                     std::span<const std::byte> search, Time now) {
  const auto& to = listener.wanted.ways[way];
  const auto number = carriers_way(listener.id, way);
  if (carriers_.is_due(number, ns(now)))
    carriers_.sent(number, payload_hash(search, key_), to.index, ns(now));
  send_on(listener, to, searcher, search, now);
}

/// True for what a session of ours has sent, and a wire brings back.
bool Searches::is_own(const Endpoint& source) const {
  const auto of_session = [&](const Session& each) { return each.port == source.port; };
  const auto from_way = [&](const Listener& each) {
    return std::ranges::find(each.wanted.ways, source.address, &Way::source) !=
           each.wanted.ways.end();
  };
  return std::ranges::any_of(sessions_, of_session) && std::ranges::any_of(listeners_, from_way);
}

bool Searches::is_echo(const Endpoint& searcher, std::span<const std::byte> search, Time now) {
  const auto hash = payload_hash(search, key_);
  for (auto& each : heard_) {
    if (each.payload != hash || now - each.at >= echo_time) continue;
    if (each.searcher != searcher) return true;
    each.at = now;
    return false;
  }
  heard_[next_heard_++ % heard_.size()] = {hash, searcher, now};
  return false;
}

void Searches::send_on(Listener& listener, const Way& way, const Endpoint& searcher,
                       std::span<const std::byte> search, Time now) {
  auto* found = session(listener, way, searcher);
  if (found == nullptr) found = new_session(listener, way, searcher);
  if (found == nullptr) {
    ++count(listener).left_out;
    return;
  }
  found->until = std::max(found->until, now + answer_time(listener.wanted.kind, search));
  const SocketAddress to(listener.wanted.group, way.index);
  if (::sendto(found->socket.get(), search.data(), search.size(), 0, &to.generic, to.length) >= 0)
    ++count(listener).searches;
  else
    ++count(listener).left_out;
}

Searches::Session* Searches::session(const Listener& listener, const Way& way,
                                     const Endpoint& searcher) {
  const auto found = std::ranges::find_if(sessions_, [&](const Session& each) {
    return each.listener == listener.id && each.searcher == searcher &&
           each.interface == way.interface;
  });
  return found == sessions_.end() ? nullptr : &*found;
}

Searches::Session* Searches::new_session(const Listener& listener, const Way& way,
                                         const Endpoint& searcher) {
  const auto of_address = std::ranges::count_if(sessions_, [&](const Session& each) {
    return each.searcher.address == searcher.address && each.interface == way.interface;
  });
  if (sessions_.size() >= most_sessions ||
      static_cast<std::size_t>(of_address) >= most_of_one_address)
    return nullptr;
  try {
    Session fresh;
    fresh.listener = listener.id;
    fresh.searcher = searcher;
    fresh.interface = way.interface;
    fresh.socket = open_session(way.source, way.interface, way.index, way.ttl);
    fresh.port = port_of(fresh.socket);
    fresh.id = next_id_++;
    watch(fresh.socket, session_bit | fresh.id);
    sessions_.push_back(std::move(fresh));
    return &sessions_.back();
  } catch (const OsError&) {
    return nullptr;
  }
}

void Searches::read_answer(Session& session) {
  const auto bytes = ::recv(session.socket.get(), buffer_.data(), buffer_.size(), 0);
  auto* asked_at = listener(session.listener);
  if (bytes <= 0 || asked_at == nullptr || !asked_at->socket.valid()) return;
  const auto payload = std::span(buffer_).first(static_cast<std::size_t>(bytes));
  if (!is_answer(asked_at->wanted.kind, payload)) return;
  if (session.answers_left == 0) {
    ++count(*asked_at).left_out;
    return;
  }
  --session.answers_left;
  const SocketAddress to(session.searcher, asked_at->wanted.index);
  if (::sendto(asked_at->socket.get(), payload.data(), payload.size(), MSG_DONTROUTE, &to.generic,
               to.length) >= 0)
    ++count(*asked_at).answers;
  else
    ++count(*asked_at).left_out;
}

void Searches::tick(Time now) {
  std::erase_if(sessions_, [&](const Session& each) { return each.until <= now; });
  for (auto& each : listeners_)
    open(each);
}

Searches::Statistics Searches::statistics(const std::string& reflector) const {
  const auto known = statistics_.find(reflector);
  return known == statistics_.end() ? Statistics{} : known->second;
}

}  // namespace mcr
