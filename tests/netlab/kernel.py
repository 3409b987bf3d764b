"""What the running kernel has: modules, superframes, huge pages."""

import os
import subprocess

from netlab.expect import Skip

# A kernel module -> a command that succeeds, in an empty network namespace, where the kernel has it.
_MODULE_PROBES = {
    "8021q": "ip link add t0 type veth && ip link add link t0 name t1 type vlan id 5",
    "dummy": "ip link add t0 type dummy",
    "ip_gre": "ip link add t0 type gre local 127.0.0.1 remote 127.0.0.2",
    "ip6_gre": "ip link add t0 type ip6gre local ::1 remote ::2",
    "ipip": "ip link add t0 type ipip local 127.0.0.1 remote 127.0.0.2",
    "sch_netem": "ip link set lo up && tc qdisc add dev lo root netem delay 1ms",
    "vrf": "ip link add t0 type vrf table 5",
    "vxlan": "ip link add t0 type vxlan id 5 dstport 4789 local 127.0.0.1",
    "wireguard": "ip link add t0 type wireguard",
}


def needs_module(*names):
    """Skips the test where the kernel lacks one of these modules (and cannot load it)."""
    for name in names:
        probe = ["unshare", "-n", "sh", "-c", _MODULE_PROBES[name]]
        if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
            raise Skip(f"this kernel has no {name}; it runs in tools/guest")


def kernel_is_at_least(*version):
    release = os.uname().release.split("-")[0].split(".")
    return tuple(map(int, release[:2])) >= version


def huge_page_kib():
    """By how much memory may grow at a touch, where the kernel gives huge pages unasked."""
    setting = "/sys/kernel/mm/transparent_hugepage/enabled"
    if not os.path.exists(setting):
        return 0
    with open(setting, encoding="utf-8") as file:
        return 2048 if "[always]" in file.read() else 0


def superframes_are_described():
    """Whether PACKET_VNET_HDR can carry UDP superframes (Linux 6.2)."""
    return kernel_is_at_least(6, 2)


def needs_superframes():
    """Skips the test on a kernel that cannot describe superframes; before_6_2.py has its rest."""
    if not superframes_are_described():
        raise Skip("kernel before 6.2: PACKET_VNET_HDR cannot carry UDP superframes")
