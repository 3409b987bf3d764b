// Texts of configurations for tests: rules in a line, and checks of what a user would see.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "mcr/config/load.hpp"

namespace mcr {

inline IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

inline std::string all(const ConfigResult& result) {
  std::string text;
  for (const auto& error : result.errors)
    text += error.str() + "\n";
  return text;
}

inline Config good(const std::string& text) {
  auto result = parse_config(text, "f");
  INFO(text << "\n" << all(result));
  REQUIRE(result.errors.empty());
  return result.config;
}

/// A rule in one line; `more` are keys after the outputs.
inline std::string rule(const std::string& name, const std::string& input,
                        const std::string& outputs) {
  return fmt::format("[[rule]]\nname = \"{}\"\ninput = {{ {} }}\noutputs = [ {} ]\n", name, input,
                     outputs);
}

/// A rule from group `from` to group `to`, both on one interface.
inline std::string hop(const std::string& name, int from, int to) {
  return rule(
      name,
      fmt::format(R"(interface = "e", group = "239.0.{}.{}", port = 5)", from / 256, from % 256),
      fmt::format(R"({{ interface = "e", group = "239.0.{}.{}" }})", to / 256, to % 256));
}

using Numbers = std::vector<std::uint32_t>;

/// The numbers of the circles that the rules of this text are in, by rule; 0: none.
inline std::vector<std::uint32_t> circles(const std::string& text) {
  std::vector<std::uint32_t> numbers;
  for (const auto& each : good(text).rules)
    numbers.push_back(each.circle.number);
  return numbers;
}

/// Checks texts that are whole files and have one mistake each.
struct Wrong {
  const char* text;
  const char* at;
  const char* message;
};

inline void check_each(const std::vector<Wrong>& table) {
  for (const auto& [text, at, message] : table) {
    const auto result = parse_config(text, "f");
    INFO(text << "\n---\n" << all(result));
    REQUIRE(result.errors.size() == 1);
    const auto shown = result.errors.front().str();
    CHECK(shown.starts_with(fmt::format("f:{}: ", at)));
    INFO("expected: " << message);
    CHECK(shown.find(message) != std::string::npos);
  }
}

inline const std::string fine_input = R"(interface = "e0", group = "239.1.1.1", port = 5000)";
inline const std::string fine_output = R"({ interface = "e1" })";

/// One rule whose input is on line 2 (the table at column 9), its outputs on line 3.
inline void check_inputs(const std::vector<Wrong>& table) {
  for (const auto& [input, at, message] : table) {
    const auto text = fmt::format("[[rule]]\ninput = {}\noutputs = [{}]", input, fine_output);
    check_each({{text.c_str(), at, message}});
  }
}
inline void check_outputs(const std::vector<Wrong>& table) {
  for (const auto& [outputs, at, message] : table) {
    const auto text = fmt::format("[[rule]]\ninput = {{ {} }}\noutputs = {}", fine_input, outputs);
    check_each({{text.c_str(), at, message}});
  }
}

/// A directory that is removed with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mcr-config-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    const auto path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
  }

 private:
  std::string path_;
};

}  // namespace mcr
