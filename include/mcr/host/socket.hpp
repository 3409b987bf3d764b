// Sockets and their options (socket(7)). As with Fd and UniqueFd, a borrowed socket and an owned
// one are different types.
#pragma once

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mcr/base/address.hpp"
#include "mcr/base/error.hpp"
#include "mcr/base/fd.hpp"

namespace mcr {

enum class SocketBuffer : std::uint8_t { receive, send };

/// A filter that drops everything.
inline constexpr std::array pass_nothing{sock_filter{BPF_RET | BPF_K, 0, 0, 0}};

/// The options of a socket that somebody else owns. Where a method throws, it throws OsError with
/// `what` and `whose` as its text; where it returns false, errno tells why.
class SocketOptions {
 public:
  explicit SocketOptions(Fd socket) noexcept : fd_(socket) {}

  [[nodiscard]] int get() const noexcept { return fd_.get(); }
  [[nodiscard]] bool valid() const noexcept { return fd_.valid(); }
  // NOLINTNEXTLINE(google-explicit-constructor): lending is free of charge
  operator Fd() const noexcept { return fd_; }

  template <typename Value>
  bool try_set(int level, int option, const Value& value) const noexcept {
    static_assert(std::is_trivially_copyable_v<Value> && !std::is_same_v<Value, bool>,
                  "the kernel takes an int for a flag, and no objects");
    return ::setsockopt(get(), level, option, &value, sizeof value) == 0;
  }
  template <typename Value>
  void set(int level, int option, const Value& value, std::string_view what,
           std::string_view whose = {}) const {
    if (!try_set(level, option, value)) throw_errno(what, whose);
  }

  template <typename Value>
  bool try_read(int level, int option, Value& value) const noexcept {
    static_assert(std::is_trivially_copyable_v<Value>);
    socklen_t length = sizeof value;
    return ::getsockopt(get(), level, option, &value, &length) == 0;
  }
  template <typename Value>
  [[nodiscard]] Value read(int level, int option, std::string_view what,
                           std::string_view whose = {}) const {
    Value value{};
    if (!try_read(level, option, value)) throw_errno(what, whose);
    return value;
  }

  /// False with ENOMEM: the filter does not fit beside the old one (net.core.optmem_max).
  bool attach_filter(std::span<const sock_filter> program) const noexcept;
  /// False with ENOENT: there was none.
  bool detach_filter() const noexcept;
  /// For a socket that only sends: datagrams to its port must not fill its buffer.
  void receive_nothing(std::string_view whose) const;

  /// Asks for a buffer of that many bytes; with CAP_NET_ADMIN of the host also above the system's
  /// maximum. Returns the size that the kernel granted, as it accounts: twice what was asked for,
  /// one half for its own bookkeeping. Throws OsError.
  std::uint32_t ask_for_buffer(SocketBuffer which, std::uint64_t bytes) const;

  /// An address of this host; SocketAddress, or the sockaddr_* of another family.
  bool bind(const SocketAddress& address) const noexcept {
    return ::bind(get(), &address.generic, address.length) == 0;
  }
  template <typename Address>
  bool bind(const Address& address) const noexcept {
    static_assert(std::is_trivially_copyable_v<Address>);
    return ::bind(get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  /// SO_BINDTODEVICE: receives only what arrives on that interface, and sends only there.
  void bind_to_device(std::string_view interface) const;

 protected:
  Fd fd_;
};

/// Closes its socket when it goes.
class Socket : public SocketOptions {
 public:
  /// socket(2), with SOCK_CLOEXEC. On failure not valid() and errno is set.
  Socket(int family, int type, int protocol = 0) noexcept
      : Socket(UniqueFd(::socket(family, type | SOCK_CLOEXEC, protocol))) {}
  Socket(Socket&& other) noexcept : SocketOptions(other), owned_(std::move(other).take()) {}
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() = default;

  /// The descriptor, for an owner that needs no options any more.
  [[nodiscard]] UniqueFd take() && noexcept {
    fd_ = Fd();
    return std::move(owned_);
  }

 private:
  explicit Socket(UniqueFd owned) noexcept : SocketOptions(owned), owned_(std::move(owned)) {}

  UniqueFd owned_;
};

}  // namespace mcr
