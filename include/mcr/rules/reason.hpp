// Why something does not do its work: a sentence for people and, where the kernel refused, its
// errno.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace mcr {

/// Advice is chosen by `error`, never by the text. Converts from a string, which has no errno.
struct Reason {
  std::string text;  ///< "": there is none
  int error = 0;     ///< the errno value that it stems from, positive; 0: none

  Reason() = default;
  Reason(std::string sentence, int code = 0)  // NOLINT(google-explicit-constructor)
      : text(std::move(sentence)), error(code) {}

  [[nodiscard]] bool empty() const noexcept { return text.empty(); }
  /// The same with words before it.
  [[nodiscard]] Reason after(std::string_view words) const {
    return {std::string(words) + text, error};
  }

  friend bool operator==(const Reason&, const Reason&) = default;
  friend bool operator==(const Reason& reason, std::string_view sentence) {
    return reason.text == sentence;
  }
};

}  // namespace mcr
