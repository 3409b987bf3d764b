// A request is read strictly: what RFC 9112 lets a server refuse is refused. There is one request a
// connection, so that nothing can hide behind another, and a head or content that does not end is
// cut off by the owner of the bytes (RequestServer).
#include "mcr/program/http.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "mcr/base/address.hpp"

namespace mcr::http {

namespace {

constexpr std::string_view end_of_line = "\r\n";
constexpr std::string_view end_of_head = "\r\n\r\n";

Response refuse(Status status, std::string why) {
  return {.status = status, .content = std::move(why) + '\n'};
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return is_alphanumeric(c) || others.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
  });
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view spaces = " \t";
  const auto first = text.find_first_not_of(spaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

/// The text before `mark`, which is removed with it; all where there is none.
std::string_view take_until(std::string_view& text, std::string_view mark) {
  const auto at = text.find(mark);
  const auto front = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + mark.size());
  return front;
}

/// "http://relay1:9464/metrics", which a proxy is asked for, too, tells the host (RFC 9112, 3.2.2).
void split_target(std::string_view target, Request& request) {
  constexpr std::string_view scheme = "http://";
  if (target.starts_with(scheme)) {
    target.remove_prefix(scheme.size());
    const auto end = std::min(target.find_first_of("/?"), target.size());
    request.host = target.substr(0, end);
    target.remove_prefix(end);
  }
  request.path = take_until(target, "?");
  request.query = target;
}

struct Head {
  Request request;
  bool old = false;  ///< HTTP/1.0
  std::size_t hosts = 0;
  std::optional<std::string_view> length;
  bool coded = false;
  bool expects = false;  ///< waits for our leave before it sends its content
};

std::optional<Response> read_request_line(std::string_view line, Head& head) {
  auto& request = head.request;
  request.method = take_until(line, " ");
  const auto target = take_until(line, " ");
  const bool http = line.size() == 8 && line.starts_with("HTTP/");
  if (!is_token(request.method) || target.empty() || !http || has_control(target))
    return refuse(Status::bad_request, "no request of HTTP/1");
  if (line != "HTTP/1.1" && line != "HTTP/1.0")
    return refuse(Status::version_not_supported, "only HTTP/1.1 and HTTP/1.0");
  head.old = line == "HTTP/1.0";
  split_target(target, request);
  if (!request.path.starts_with('/'))
    return refuse(Status::bad_request, "the target of the request is no path");
  return std::nullopt;
}

/// Null: it may stand more than once, or means nothing here.
std::optional<std::string_view>* field_named(std::string_view name, Head& head) {
  if (same_word(name, "content-length")) return &head.length;
  if (same_word(name, "origin")) return &head.request.origin;
  if (same_word(name, "if-match")) return &head.request.if_match;
  if (same_word(name, "if-none-match")) return &head.request.if_none_match;
  return nullptr;
}

std::optional<Response> read_field(std::string_view line, Head& head) {
  const bool named = line.find(':') != std::string_view::npos;
  const auto name = take_until(line, ":");
  const auto value = trimmed(line);
  if (!named || !is_token(name) || has_control(value))
    return refuse(Status::bad_request, "a header line cannot be read");
  if (same_word(name, "host")) {
    if (head.request.host.empty()) head.request.host = value;
    ++head.hosts;
  } else if (same_word(name, "last-event-id")) {
    head.request.last_event_id = value;
  } else if (same_word(name, "transfer-encoding")) {
    head.coded = true;
  } else if (same_word(name, "expect")) {
    head.expects = true;
  } else if (auto* const once = field_named(name, head)) {
    if (*once) return refuse(Status::bad_request, fmt::format("a second header line {}", name));
    *once = value;
  }
  return std::nullopt;
}

std::optional<Response> read_head(std::string_view text, Head& head) {
  if (auto refusal = read_request_line(take_until(text, end_of_line), head)) return refusal;
  while (!text.empty())
    if (auto refusal = read_field(take_until(text, end_of_line), head)) return refusal;
  if (head.hosts > 1 || (head.hosts == 0 && !head.old))
    return refuse(Status::bad_request, "a request has one Host");
  if (head.coded) return refuse(Status::not_implemented, "no transfer coding is known here");
  return std::nullopt;
}

/// Digits only; nothing for what is none.
std::optional<std::size_t> read_length(std::string_view text) {
  std::size_t length = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, length);
  return error == std::errc() && stop == end ? std::optional(length) : std::nullopt;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string_view phrase(Status status) {
  switch (status) {
    case Status::ok:
      return "OK";
    case Status::created:
      return "Created";
    case Status::no_content:
      return "No Content";
    case Status::not_modified:
      return "Not Modified";
    case Status::bad_request:
      return "Bad Request";
    case Status::forbidden:
      return "Forbidden";
    case Status::not_found:
      return "Not Found";
    case Status::method_not_allowed:
      return "Method Not Allowed";
    case Status::conflict:
      return "Conflict";
    case Status::precondition_failed:
      return "Precondition Failed";
    case Status::content_too_large:
      return "Content Too Large";
    case Status::expectation_failed:
      return "Expectation Failed";
    case Status::misdirected:
      return "Misdirected Request";
    case Status::unprocessable:
      return "Unprocessable Content";
    case Status::head_too_large:
      return "Request Header Fields Too Large";
    case Status::failed:
      return "Internal Server Error";
    case Status::not_implemented:
      return "Not Implemented";
    case Status::version_not_supported:
      return "HTTP Version Not Supported";
  }
  return "";
}

/// The lines about the content. What has none (RFC 9110, 15.3.5 and 15.4.5) says nothing of it.
std::string about_content(const Response& response) {
  if (response.status == Status::no_content || response.status == Status::not_modified) return "";
  const auto length = response.stream != nullptr
                          ? std::string()
                          : fmt::format("Content-Length: {}\r\n", response.content.size());
  return fmt::format("{}Content-Type: {}\r\n", length, response.type);
}

}  // namespace

Parsed parse(std::string_view received) {
  const auto end = received.substr(0, longest_head).find(end_of_head);
  if (end == std::string_view::npos && received.size() >= longest_head)
    return refuse(Status::head_too_large, "the head of a request has at most 8 KiB");
  if (end == std::string_view::npos) return {};
  Head head;
  if (auto refusal = read_head(received.substr(0, end), head)) return *std::move(refusal);
  const auto length = head.length ? read_length(*head.length) : 0;
  if (!length) return refuse(Status::bad_request, "the length of the content is no number");
  if (*length > longest_content)
    return refuse(Status::content_too_large, "a request has at most 64 KiB of content");
  const auto content = received.substr(end + end_of_head.size());
  if (content.size() < *length && head.expects)
    return refuse(Status::expectation_failed, "send the content without waiting");
  if (content.size() < *length) return {};
  head.request.content = content.substr(0, *length);
  return head.request;
}

std::string to_text(const Response& response, bool with_content) {
  const bool guarded = response.more.find("Content-Security-Policy:") != std::string::npos;
  return fmt::format(
      "HTTP/1.1 {} {}\r\n{}Connection: close\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n{}{}\r\n{}",
      static_cast<unsigned>(response.status), phrase(response.status), about_content(response),
      guarded ? "" : "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
      response.more, with_content ? std::string_view(response.content) : "");
}

bool has_tag(std::string_view list, std::string_view tag, bool weakly) {
  constexpr std::string_view weak = "W/";
  if (tag.empty()) return false;
  if (trimmed(list) == "*") return true;
  for (;;) {
    list.remove_prefix(std::min(list.find_first_not_of(" \t,"), list.size()));
    const bool is_weak = list.starts_with(weak);
    if (is_weak) list.remove_prefix(weak.size());
    const auto end = list.find('"', 1);
    if (!list.starts_with('"') || end == std::string_view::npos) return false;
    if (list.substr(0, end + 1) == tag && (weakly || !is_weak)) return true;
    list.remove_prefix(end + 1);
  }
}

std::optional<Answer> parse_answer(std::string_view received) {
  const auto end = received.find(end_of_head);
  if (end == std::string_view::npos) return std::nullopt;
  auto head = received.substr(0, end);
  Answer answer{.content = received.substr(end + end_of_head.size())};
  auto line = take_until(head, end_of_line);
  const auto version = take_until(line, " ");
  const auto status = read_length(take_until(line, " "));
  if (!version.starts_with("HTTP/1.") || !status || *status < 100 || *status > 999)
    return std::nullopt;
  answer.status = static_cast<unsigned>(*status);
  while (!head.empty()) {
    auto value = take_until(head, end_of_line);
    const auto name = take_until(value, ":");
    if (same_word(name, "transfer-encoding")) return std::nullopt;
    if (!same_word(name, "content-length")) continue;
    const auto length = read_length(trimmed(value));
    if (!length || *length > answer.content.size()) return std::nullopt;
    answer.content = answer.content.substr(0, *length);
  }
  return answer;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = digit_of(text[i + 1]);
    const int low = digit_of(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

std::optional<std::string> query_value(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    auto pair = take_until(query, "&");
    if (take_until(pair, "=") == key) return unescape(pair);
  }
  return std::nullopt;
}

std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    authority.remove_prefix(1);
    return authority.substr(0, authority.find(']'));
  }
  return authority.substr(0, authority.find(':'));
}

bool is_trusted_host(std::string_view authority, std::span<const std::string> names) {
  constexpr std::array<std::string_view, 5> local{".local", ".internal", ".lan", ".home.arpa",
                                                  ".localhost"};
  std::string host(host_of(authority));
  std::ranges::transform(host, host.begin(), lower);
  if (host.ends_with('.')) host.pop_back();
  if (host.find('.') == std::string::npos && host.find(':') == std::string::npos) return true;
  if (IpAddress::parse(host)) return true;
  if (std::ranges::any_of(names, [&](const auto& name) { return same_word(host, name); }))
    return true;
  return std::ranges::any_of(local, [&](std::string_view end) { return host.ends_with(end); });
}

}  // namespace mcr::http
