#!/usr/bin/env python3
"""A pair of relays of which one sends: real keepalived decides, by the files of tools/keepalived.

                      .-- (in) a (out) --.
    gen (g0) -- (hub) |   (ha) | (ha)    | (hub) -- (s0) sink
                      '-- (in) b (out) --'
        239.1.1.1:5000  ->  239.2.1.1:5000, by a while it lives, else by b
"""

import collections
import os
import re
import shutil
import signal

from netlab.daemon import Daemon, config, rule
from netlab.expect import EMULATED, PATIENCE, Skip, check, equal, phase, until
from netlab.offload import switch
from netlab.process import Process
from netlab.traffic import Gen
from netlab.world import play

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "keepalived")
HOSTS = {"a": 150, "b": 100}  # and its VRRP priority
OUT = ("239.2.1.1", 5000)
GAP = 0.5 * PATIENCE * (4 if EMULATED else 1)
SIZE = 600


class Host:
    """A relay and the keepalived beside it."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.file = world.path(f"{name}.standby")
        world.write(f"{name}.standby", "")  # as a host that boots
        text = config(rule("one", "239.1.1.1", 5000, [("out", OUT[0])], interface="in"),
                      extra=f'standby = "{self.file}"')
        self.relay = Daemon(world, text, name, namespace=name)
        self.start()

    def start(self):
        self.relay.start()
        self.keepalived = Process(self.world.directory, f"keepalived-{self.name}", [
            "ip", "netns", "exec", self.name, "keepalived", "--dont-fork", "--log-console", "--vrrp",
            "--use-file", self.configuration(), "--pid", self.world.path(f"{self.name}.pid"),
            "--vrrp_pid", self.world.path(f"{self.name}.vrrp.pid")])
        self.world.processes.append(self.keepalived)

    def configuration(self):
        """The example, with the names and paths of this host.

        In a user namespace keepalived may start no scripts (setgroups(2) is denied), so it tells a FIFO, from
        which a shell calls mcr-notify; and nothing looks at the relay's health.
        """
        fifo = self.world.path(f"{self.name}.fifo")
        with open(os.path.join(TOOLS, "keepalived.conf"), encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"(?s)\nvrrp_script .*?\n}\n|  track_script {.*?\n  }\n|  notify .*?\n", "", text)
        for old, new in (
            ("interface eth0 ", "interface ha "), ("    eth1 ", "    in "),
            ("priority 150", f"priority {HOSTS[self.name]}"), ("script_user root", ""),
            ("enable_script_security", f"vrrp_notify_fifo {fifo}"),
        ):
            check(old in text, f"keepalived.conf has {old}")
            text = text.replace(old, new)
        if not os.path.exists(fifo):
            os.mkfifo(fifo)
            self.world.processes.append(Process(self.world.directory, f"notify-{self.name}", [
                "sh", "-c", f"while read -r line; do MCR_STANDBY={self.file} {TOOLS}/mcr-notify $line;"
                            f" done <>{fifo}"]))
        return self.world.write(f"{self.name}.conf", text)

    @property
    def sends(self):
        return not os.path.exists(self.file)

    def die(self):
        pids = [self.world.path(self.name + end) for end in (".vrrp.pid", ".pid")]
        self.world.sh(f"kill -KILL $(cat {' '.join(pids)}); rm -f {' '.join(pids)}")
        for process in (self.keepalived, self.relay.process):
            process.kill()


def bridge(world, name, *ends):
    """A bridge in the hub; an end is (namespace, interface, address)."""
    world.sh(f"ip -n hub link add {name} type bridge mcast_snooping 0 && ip -n hub link set {name} up")
    for namespace, interface, address in ends:
        port = f"{namespace}-{interface}"
        world.link("hub", port, None, namespace, interface, address)
        world.sh(f"ip -n hub link set {port} master {name}")


class Arrivals:
    def __init__(self, world):
        self.process = world.start_program("timed_capture", "s0", *OUT, namespace="sink")

    def seen(self):
        lines = (line.split() for line in self.process.out().split("\n")[:-1])
        return [(float(time), payload) for time, payload in lines]

    def end(self):
        """The longest silence (s), and how many came twice."""
        seen = self.seen()
        self.process.kill()
        doubles = sum(n - 1 for n in collections.Counter(p for _, p in seen).values())
        return max(b[0] - a[0] for a, b in zip(seen, seen[1:])), doubles


def story(world):
    if not shutil.which("keepalived"):
        raise Skip("keepalived is not installed")
    world.namespace("gen", "hub", "a", "b", "sink", "relay")  # the last one is where status is asked
    bridge(world, "br-in", ("gen", "g0", "10.1.0.2/24"), ("a", "in", "10.1.0.11/24"),
           ("b", "in", "10.1.0.12/24"))
    bridge(world, "br-out", ("sink", "s0", "10.2.0.2/24"), ("a", "out", "10.2.0.11/24"),
           ("b", "out", "10.2.0.12/24"))
    bridge(world, "br-ha", ("a", "ha", "192.0.2.1/24"), ("b", "ha", "192.0.2.2/24"))
    for name in HOSTS:
        switch(world, name, "out", tx_udp_segmentation=False)
    hosts = {name: Host(world, name) for name in HOSTS}
    gen = Gen(world, "239.1.1.1", 5000, rate=1000, size=SIZE, duration=200 * PATIENCE)

    def only(name, seconds=15):
        """This host sends, and the other one does not."""
        until(lambda: all(host.sends == (key == name) for key, host in hosts.items()),
              lambda: f"{name} alone sends: { {k: h.sends for k, h in hosts.items()} }"
                      f" {hosts['a'].keepalived.err()[-1500:]}", seconds)

    phase("the host with the higher priority sends")
    only("a")
    for name, host in hosts.items():
        equal(world.igmp(name, "in"), {"239.1.1.1"}, f"groups joined by {name}")

    phase("it dies")
    air = Arrivals(world)
    until(lambda: len(air.seen()) > 100, "the stream runs")
    hosts["a"].die()
    until(lambda: hosts["b"].sends, "b sends")
    came = len(air.seen())
    until(lambda: len(air.seen()) > came + 500, "the stream runs by b")
    gap, doubles = air.end()
    print(f"gap: {1000 * gap:.0f} ms, doubles: {doubles}")
    check(gap < GAP, f"gap of {gap:.3f} s")
    equal(doubles, 0, "doubles")

    phase("it is back")
    air = Arrivals(world)
    world.write("a.standby", "")
    hosts["a"].start()
    only("a", 30)
    came = len(air.seen())
    until(lambda: len(air.seen()) > came + 500, "the stream runs by a")
    gap, doubles = air.end()
    print(f"gap: {1000 * gap:.0f} ms, doubles: {doubles}")
    check(gap < GAP, f"gap of {gap:.3f} s")
    check(doubles < 1000, f"doubles: {doubles}")

    phase("its input is cut")
    air = Arrivals(world)
    until(lambda: len(air.seen()) > 100, "the stream runs")
    world.sh("ip -n a link set in down")
    until(lambda: hosts["b"].sends, "b sends")
    came = len(air.seen())
    until(lambda: len(air.seen()) > came + 500, "the stream runs by b")
    gap, doubles = air.end()
    print(f"gap: {1000 * gap:.0f} ms, doubles: {doubles}")
    gen.stop()
    for host in hosts.values():
        host.keepalived.signal(signal.SIGTERM)
        host.keepalived.wait(10)
        check(not host.sends, "a host without keepalived stands by")
        host.relay.stop()


play(story, 100)
