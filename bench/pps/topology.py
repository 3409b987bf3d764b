"""Generator, relay and sink, and what is counted between them by nobody who is under test.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink        veth, MTU 1500
    core G        ^ core R             ^
                  |                    counts what left the relay, and drops it
                  counts what was offered to the relay

Frames may carry many datagrams with one pair of headers, so datagrams come from payload bytes.
A veth drops what finds the other side's backlog full, before any counter; it counts that as
tx_dropped of the sending end.
"""

import json
import os
import sys
from dataclasses import dataclass, field

from netlab.counters import IPV4, Count
from netlab.world import INSIDE

from .cases import IN_NET

ETHERNET = 14  # bytes of header
MOST_DATAGRAMS = 128  # in one frame, of any kernel


@dataclass
class Reading:
    offered: Count = field(default_factory=Count)
    delivered: dict = field(default_factory=dict)  # {port: Count}
    lost_before: int = 0  # frames, between generator and relay
    lost_after: int = 0  # frames, between relay and sink
    backlog: int = 0  # frames that the receive backlogs of this host dropped

    def __sub__(self, other):
        return Reading(
            self.offered - other.offered,
            {p: c - other.delivered.get(p, Count()) for p, c in self.delivered.items()},
            self.lost_before - other.lost_before,
            self.lost_after - other.lost_after,
            self.backlog - other.backlog,
        )

    def all_delivered(self):
        return sum(self.delivered.values(), Count())


def backlog_drops():
    """The second column of softnet_stat, all CPUs."""
    with open("/proc/net/softnet_stat", encoding="ascii") as file:
        return sum(int(line.split()[1], 16) for line in file)


def enter():
    """Starts this program again in namespaces of its own.

    Root keeps its user namespace: only there the kernel grants large socket buffers. Others go the
    way of the network tests; the report says which it was.
    """
    if INSIDE in os.environ or os.geteuid() != 0:
        return
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    environment = dict(os.environ, LC_ALL="C", PATH=path, **{INSIDE: "1"})
    os.execvpe(
        "unshare", ["unshare", "-nm", sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]],
        environment,
    )


class Line:
    def __init__(self, world, gen_cpu, relay_cpu):
        self.world = world
        self.gen_cpu = gen_cpu
        self.relay_cpu = relay_cpu
        self._watched = False
        self.count_at_ingress = True  # nftables at r0 counts; else the link itself
        world.line()
        for namespace in ("gen", "relay", "sink"):  # no frames but ours: they would be miscounted
            world.sysctl(namespace, "net.ipv6.conf.all.disable_ipv6", 1)
        for name in ("all", "r0"):
            world.sysctl("relay", f"net.ipv4.conf.{name}.rp_filter", 0)

    def set_input(self, kind):
        """How frames reach the relay: see cases.INPUTS."""
        segmentation = "on" if kind == "superframe" else "off"
        gro = "on" if kind == "gro" else "off"
        self.world.sh(f"ethtool -K g0 tx-udp-segmentation {segmentation}", "gen")
        self.world.sh(f"ethtool -K r0 gro {gro} rx-udp-gro-forwarding {gro}", "relay")

    def steer(self, on):
        """r0's frames are worked on by the relay's core (RPS), not the generator's; "" if not."""
        mask = f"{1 << self.relay_cpu:x}" if on else "0"
        file = "/sys/class/net/r0/queues/rx-0/rps_cpus"
        return self.world.sh(f"echo {mask} > {file} && echo done", "relay", ok=False)

    def watch(self, ports, sample=0):
        """Counts from now on; then drops, but for one frame in `sample` at random (0: none)."""
        self._unwatch()
        if self.count_at_ingress:
            self._load("relay", "pps_in", "r0",
                       f"ip daddr {IN_NET} meta l4proto udp counter name in", ["in"])
        names = [f"out{port}" for port in ports]
        if len(ports) == 1:
            rules = f"ip daddr 224.0.0.0/4 meta l4proto udp counter name {names[0]}"
        else:
            pairs = ", ".join(f"{port} : {name}" for port, name in zip(ports, names))
            rules = f"ip daddr 224.0.0.0/4 counter name udp dport map {{ {pairs} }}"
        chosen = f" numgen random mod {sample} != 0" if sample else ""
        self._load("sink", "pps_out", "s0", f"{rules}{chosen} drop", names)
        self._watched, self._counted = True, self.count_at_ingress

    def _load(self, namespace, table, interface, rule, names):
        counters = "\n".join(f"  counter {name} {{ }}" for name in names)
        script = (
            f"table netdev {table} {{\n{counters}\n  chain ingress {{\n"
            f"    type filter hook ingress device {interface} priority -500;\n"
            f"    {rule}\n  }}\n}}\n"
        )
        self.world.sh(f"nft -f {self.world.write(table + '.nft', script)}", namespace)

    def _unwatch(self):
        if self._watched:
            if self._counted:
                self.world.sh("nft delete table netdev pps_in", "relay")
            self.world.sh("nft delete table netdev pps_out", "sink")
        self._watched = False

    def read(self):
        offered, lost_after = self._offered()
        outer, _ = self._counters("sink", "pps_out", "s0")
        lost_before = self.world.sh("cat /sys/class/net/g0/statistics/tx_dropped", "gen")
        delivered = {int(name[3:]): count for name, count in outer.items()}
        return Reading(offered, delivered, int(lost_before), lost_after, backlog_drops())

    def _offered(self):
        if self._counted:
            inner, lost_after = self._counters("relay", "pps_in", "r1")
            return inner["in"], lost_after
        files = ("r0/statistics/rx_packets", "r0/statistics/rx_bytes", "r1/statistics/tx_dropped")
        text = self.world.sh("cat " + " ".join(f"/sys/class/net/{f}" for f in files), "relay")
        frames, size, lost_after = map(int, text.split())
        return Count(frames, size - (ETHERNET + IPV4) * frames), lost_after

    def _counters(self, namespace, table, interface):
        text = self.world.sh(
            f"nft -j list counters table netdev {table}"
            f" && cat /sys/class/net/{interface}/statistics/tx_dropped",
            namespace,
        )
        listing, dropped = text.strip().rsplit("\n", 1)
        found = {
            entry["counter"]["name"]: Count.of(entry["counter"])
            for entry in json.loads(listing)["nftables"] if "counter" in entry
        }
        return found, int(dropped)
