#include "mcr/program/process_metrics.hpp"

#include <fcntl.h>

#include <ctime>
#include <string_view>

#include "catch.hpp"
#include "emulated.hpp"
#include "mcr/base/fd.hpp"

namespace {

double value(std::string_view name) {
  const auto text = mcr::process_metrics();
  const auto line = "\n" + std::string(name) + " ";
  const auto at = text.find(line);
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + line.size()));
}

}  // namespace

TEST_CASE("process metrics: what this process is") {
  MCR_NOT_EMULATED("/proc/self/stat");
  CHECK(value("process_resident_memory_bytes") > 1e6);
  CHECK(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
  CHECK(value("process_cpu_seconds_total") >= 0);
  const auto now = static_cast<double>(std::time(nullptr));
  CHECK(value("process_start_time_seconds") <= now + 1);
  CHECK(value("process_start_time_seconds") > now - 3600);
}

TEST_CASE("process metrics: open descriptors are counted") {
  const auto before = value("process_open_fds");
  const mcr::UniqueFd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(value("process_open_fds") == before + 1);
  CHECK(value("process_max_fds") >= before);
}
