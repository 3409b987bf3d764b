#include "mcr/rules/remedies.hpp"

#include <cerrno>
#include <fstream>
#include <regex>
#include <sstream>

#include "catch.hpp"

using namespace mcr;

namespace {

std::string read(const std::string& path) {
  std::ifstream file(MCR_TOP "/" + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The words of a manual page between single spaces, without the lines that are macros.
std::string flat_page(const std::string& page) {
  std::istringstream lines(page);
  std::string result;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('.')) result += line + ' ';
  return result;
}

/// All that the table says, for an interface IF.
std::vector<std::string> all_remedies() {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < troubles; ++i)
    result.push_back(remedy(static_cast<Trouble>(i)));
  for (std::size_t i = 0; i < input_drop_names.size(); ++i)
    result.emplace_back(advice_about(static_cast<InputDrop>(i)).remedy);
  for (std::size_t i = 0; i < output_drop_names.size(); ++i)
    result.emplace_back(advice_about(static_cast<OutputDrop>(i)).remedy);
  return result;
}

}  // namespace

TEST_CASE("remedies: names are put in, and each trouble has its own text") {
  CHECK(remedy(Trouble::nic_full, "eth0") ==
        "ethtool -G eth0 rx N (ethtool -g eth0 shows the most)");
  CHECK(remedy(Trouble::source_missing, "eth1", "10.9.9.9") ==
        "ip address add 10.9.9.9/LENGTH dev eth1, or name another `source`");
  CHECK(remedy(Trouble::driver_drops, "{0}") == "ethtool -S {0}");
  CHECK(remedy(Trouble::gro_refused) == "give CAP_NET_ADMIN");
  CHECK(remedy(Trouble::gro_wait_refused, "eth0").starts_with("as root: echo NANOSECONDS >/sys/"));
}

TEST_CASE("remedies: a join's advice follows its errno") {
  CHECK(join_trouble(ENOBUFS) == Trouble::join_no_room);
  CHECK(join_trouble(ENOMEM) == Trouble::join_no_room);
  CHECK(join_trouble(ENODEV) == Trouble::join_no_configuration);
  CHECK(join_trouble(EPERM) == Trouble::join_refused);
  CHECK(join_trouble(0) == Trouble::join_refused);
}

TEST_CASE("remedies: the manual gives the same advice") {
  const auto page = flat_page(read("tools/man/mcr-status.1"));
  for (const auto& text : all_remedies()) {
    INFO(text);
    CHECK(page.find(text) != std::string::npos);
  }
}

TEST_CASE("remedies: the README's table of troubles names no sysctl that they do not") {
  std::string known;
  for (const auto& text : all_remedies())
    known += text + ' ';
  std::istringstream lines(read("README.md"));
  const std::regex sysctl("net\\.(core|ipv4)\\.[a-z_]+");
  for (std::string line; std::getline(lines, line);)
    for (std::sregex_iterator found(line.begin(), line.end(), sysctl), end;
         line.starts_with('|') && found != end; ++found) {
      INFO(line);
      CHECK(known.find(found->str()) != std::string::npos);
    }
}
