// `mcr status` reads what a daemon of another version says, or another program: whatever JSON that
// is, it is shown, and no control character reaches the terminal.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "mcr/status/fleet.hpp"
#include "mcr/status/json.hpp"
#include "mcr/status/metrics.hpp"
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto document = nlohmann::json::parse(data, data + size, nullptr, false);
  check_text(mcr::status::render_fleet({mcr::status::read_overview("host", document)}, size % 200));
  const auto status = mcr::status::from_json(document);
  if (!status) return 0;
  const unsigned columns = size % 200;
  const auto name = status->rules.empty() ? std::string("none") : status->rules.front().name;
  check_text(mcr::status::render_status(*status, columns));
  check_text(mcr::status::render_rule(*status, name));
  using mcr::status::FrameOrder;
  check_text(mcr::status::render_frame({}, *status, 0, {columns, 0, FrameOrder::name}));
  check_text(mcr::status::render_frame(*status, *status, 1, {columns, 10, FrameOrder::drops}));
  require(mcr::status::from_json(mcr::status::to_json(*status)) == status);
  require(mcr::status::render_metrics(*status).ends_with('\n'));
  return 0;
}
