#include "mcr/rules/send_refusal.hpp"

#include <cerrno>

#include "catch.hpp"

using namespace mcr;

TEST_CASE("a refusal names its actor") {
  CHECK(describe_refusal(0).empty());
  const auto firewall = describe_refusal(EPERM);
  CHECK(firewall.error == EPERM);
  CHECK(firewall.text ==
        "Operation not permitted: netfilter or a BPF program of this host dropped it");
  CHECK(refuser(EPERM) == "netfilter");
  const auto own = describe_refusal(own_refusal::unusable_source);
  CHECK(own.error == 0);
  CHECK(own.text.starts_with("MCR did not send it"));
  CHECK(refuser(own_refusal::unusable_source) == "mcr");
  CHECK(describe_refusal(EIO).text == "Input/output error: the kernel refused it");
  CHECK(refuser(EIO) == "kernel");
  CHECK(refuser(ECONNREFUSED) == "receiver");
}

TEST_CASE("a refusal's remedy names interface and address") {
  CHECK(refusal_remedy(EHOSTUNREACH, "eth1", "10.2.0.9") ==
        "ip route get 10.2.0.9 oif eth1; ip neigh show dev eth1");
  CHECK(refusal_remedy(EIO, "eth1", "10.2.0.9") == "ip route get 10.2.0.9 oif eth1");
}
