// `mcr status` reads what a daemon of another version says, or another program: whatever JSON that
// is, it is shown, and no control character reaches the terminal.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "mcr/status/text.hpp"
#include "mcr/status/text_watch.hpp"
#include "require.hpp"

using mcr::test::require;

namespace {

void check_text(const std::string& text) {
  require(text.ends_with('\n'));
  require(std::ranges::none_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F;
  }));
}

/// The first rule's name, whatever it is.
std::string some_rule(const nlohmann::json& status) {
  const auto name = nlohmann::json::json_pointer("/rules/0/name");
  const bool named = status.is_object() && status.contains(name) && status[name].is_string();
  return named ? status[name].get<std::string>() : "none";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto status = nlohmann::json::parse(data, data + size, nullptr, false);
  if (status.is_discarded()) return 0;
  const unsigned columns = size % 200;
  check_text(mcr::render_status(status, columns));
  check_text(mcr::render_rule(status, some_rule(status)));
  check_text(mcr::render_frame({}, status, 0, {columns, 0, mcr::FrameOrder::name}));
  check_text(mcr::render_frame(status, status, 1, {columns, 10, mcr::FrameOrder::drops}));
  return 0;
}
