// getaddrinfo(3) has no limit of time that one could rely on, and cannot be called off. So it runs
// in threads that nobody waits for: each takes names until none is left, then ends, and owns a
// share of what it writes to. A resolver that hangs holds some of these threads, and nothing else.
#include "mcr/host/name_lookup.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr {

struct NameLookup::Shared {
  std::mutex mutex;
  std::deque<std::string> asked;
  std::vector<Answer> answers;
  unsigned threads = 0;

  void work();
};

namespace {

IpAddress address_of(const sockaddr* socket_address, socklen_t length) {
  SocketAddress copy;
  std::memcpy(&copy.v6, socket_address, std::min<std::size_t>(length, sizeof copy.v6));
  copy.length = length;
  const auto address = copy.endpoint().address;
  return address.mapped_v4().value_or(address);
}

NameLookup::Answer look_up(std::string name) {
  NameLookup::Answer answer;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  errno = 0;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (error == EAI_SYSTEM)
    answer.trouble = errno_text(errno);
  else if (error != 0)
    answer.trouble = ::gai_strerror(error);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const auto* one = list; error == 0 && one != nullptr; one = one->ai_next)
    if (one->ai_family == AF_INET || one->ai_family == AF_INET6)
      answer.addresses.push_back(address_of(one->ai_addr, one->ai_addrlen));
  answer.known = error == 0 || error == EAI_NONAME || error == EAI_NODATA;
  if (answer.addresses.empty() && answer.trouble.empty()) answer.trouble = "it has no address";
  answer.name = std::move(name);
  return answer;
}

}  // namespace

void NameLookup::Shared::work() {
  std::unique_lock lock(mutex);
  while (!asked.empty()) {
    auto name = std::move(asked.front());
    asked.pop_front();
    lock.unlock();
    auto answer = look_up(std::move(name));
    lock.lock();
    answers.push_back(std::move(answer));
  }
  --threads;
}

NameLookup::NameLookup() : shared_(std::make_shared<Shared>()) {}

NameLookup::~NameLookup() {
  const std::scoped_lock lock(shared_->mutex);
  shared_->asked.clear();
}

void NameLookup::ask(std::string name) {
  const std::scoped_lock lock(shared_->mutex);
  shared_->asked.push_back(std::move(name));
  start_thread();
}

std::vector<NameLookup::Answer> NameLookup::take() {
  const std::scoped_lock lock(shared_->mutex);
  start_thread();
  return std::exchange(shared_->answers, {});
}

/// Starts one if there is work for one more. The caller holds the lock of `shared_`.
void NameLookup::start_thread() {
  if (shared_->asked.empty() || shared_->threads == most_at_once) return;
  try {
    std::thread([shared = shared_] { shared->work(); }).detach();
    ++shared_->threads;
  } catch (const std::system_error&) {
    return;  // take() tries again
  }
}

}  // namespace mcr
