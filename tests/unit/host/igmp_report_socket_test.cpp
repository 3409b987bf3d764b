#include "mcr/host/igmp_report_socket.hpp"

#include <sstream>

#include "catch.hpp"

TEST_CASE("the version of IGMP is read of any interface, however long its name") {
  const auto version = [](const char* interface) {
    std::istringstream text(
        "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
        "1\tlo        :     1      V3\n"
        "\t\t\t\t010000E0     1 0:00000000\t\t0\n"
        "2\tenp65s0f0np0:     2      V2\n"
        "\t\t\t\t010101EF     1 0:00000000\t\t1\n"
        "\t\t\t\t010000E0     1 0:00000000\t\t0\n"
        "3\tr0        :     1      V1\n");
    return mcr::igmp_version(interface, text);
  };
  CHECK(version("lo") == 3);
  CHECK(version("enp65s0f0np0") == 2);
  CHECK(version("r0") == 1);
  CHECK(version("Device") == 0);
  CHECK(version("eth0") == 0);
}
