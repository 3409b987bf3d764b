// HTTP/1.1 (RFC 9110, RFC 9112) as far as MCR speaks it: one request a connection, no transfer
// coding, answers of known length or without an end (server-sent events). Nothing here reads a
// socket, and nothing here knows what MCR has to tell (http_api.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace mcr::http {

enum class Status : std::uint16_t {
  ok = 200,
  created = 201,
  no_content = 204,
  not_modified = 304,
  bad_request = 400,
  forbidden = 403,
  not_found = 404,
  method_not_allowed = 405,
  conflict = 409,
  precondition_failed = 412,
  content_too_large = 413,
  expectation_failed = 417,
  misdirected = 421,
  unprocessable = 422,
  head_too_large = 431,
  failed = 500,
  not_implemented = 501,
  version_not_supported = 505,
};

/// Texts are views of the bytes that were received.
struct Request {
  std::string_view method{};  ///< case counts
  std::string_view path{};    ///< as sent, its escapes not resolved; begins with "/"
  std::string_view query{};   ///< what follows "?", likewise
  std::string_view host{};    ///< "relay1:9464"; "" from a client of HTTP/1.0 that sent none
  std::optional<std::string_view> origin{};         ///< a browser says which page asks (RFC 6454)
  std::optional<std::string_view> if_match{};       ///< a list of tags (has_tag())
  std::optional<std::string_view> if_none_match{};  ///< likewise
  std::string_view last_event_id{};  ///< of a client that goes on with server-sent events
  std::string_view content{};
};

struct Response {
  Status status = Status::ok;
  std::string content;
  std::string_view type = "text/plain; charset=utf-8";
  std::string more{};  ///< header lines, each with its end
  /// Not null: a stream follows the content, and has no end. Gives its next piece; "" if there is
  /// none now.
  std::function<std::string()> stream{};
};

/// Nothing: more bytes must come. A request, or the answer that says why it is none.
using Parsed = std::variant<std::monostate, Request, Response>;

inline constexpr std::size_t longest_head = 8192;      ///< bytes of a request
inline constexpr std::size_t longest_content = 65536;  ///< likewise

/// `received`: all that a client has sent so far.
[[nodiscard]] Parsed parse(std::string_view received);

/// The bytes to send. Every answer forbids the browser what it does not need: to run what is no
/// script, to show the answer in another site's frame, to keep it.
[[nodiscard]] std::string to_text(const Response& response, bool with_content);

/// True if a list of entity tags (RFC 9110, 8.8.3) has `tag`, which stands in its quotes, or is
/// "*"; false for the tag "" of what is not there. `weakly`: W/"x" is the same as "x" (13.1.2).
[[nodiscard]] bool has_tag(std::string_view list, std::string_view tag, bool weakly);

/// An answer of a server. The text is a view of the bytes that were received.
struct Answer {
  unsigned status = 0;
  std::string_view content{};
};
/// `received`: all, to the end of the connection. Nothing if that is no whole answer, or one in a
/// transfer coding, which nobody sends to a client of HTTP/1.0.
[[nodiscard]] std::optional<Answer> parse_answer(std::string_view received);

/// With its escapes (RFC 3986, 2.1) resolved; nothing where one is broken.
[[nodiscard]] std::optional<std::string> unescape(std::string_view text);

/// The value of a key in "a=1&b=2"; nothing where it is missing or its escapes are broken.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view key);

/// The host of "relay1:9464", "[::1]:9464", without port and brackets.
[[nodiscard]] std::string_view host_of(std::string_view authority);

/// A page of another site can make a browser ask us under a name of its own, which it lets point
/// here (DNS rebinding). It cannot do so under an address, nor under a name that only a local
/// network knows: one without a dot, or below "local", "internal", "lan", "home.arpa" or
/// "localhost". A name in the public DNS has to be one of `names`.
[[nodiscard]] bool is_trusted_host(std::string_view authority, std::span<const std::string> names);

}  // namespace mcr::http
