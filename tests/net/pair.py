#!/usr/bin/env python3
"""A pair of relays of which one sends: real keepalived decides, by the files of tools/keepalived.

                      .-- (in) a (out) --.
    gen (g0) -- (hub) |   (ha) | (ha)    | (hub) -- (s0) sink
                      '-- (in) b (out) --'
        239.1.1.1:5000  ->  239.2.1.1:5000, by a while it lives, else by b

100,000 datagrams a second, in superframes. The sink counts numbers: how long nothing came, and what came twice.
"""

import json
import os
import re
import shutil
import signal

from netlab.daemon import Daemon, config, rule
from netlab.expect import EMULATED, PATIENCE, Skip, busy, check, equal, phase, scaled, until
from netlab.process import Process
from netlab.world import play

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "keepalived")
HOSTS = {"a": 150, "b": 100}  # and its VRRP priority
OUT = ("239.2.1.1", 5000)
GAP = 0.5 * PATIENCE * (4 if EMULATED else 1)
RATE, SIZE = scaled(100_000), 600


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

    def _pid_files(self):
        """Of keepalived and its child."""
        return " ".join(self.world.path(self.name + end) for end in (".vrrp.pid", ".pid"))

    def pause(self, number):
        """SIGSTOP or SIGCONT for all of the host."""
        self.relay.process.signal(number)
        self.world.sh(f"kill -{number.value} $(cat {self._pid_files()})")

    def die(self):
        self.world.sh(f"kill -KILL $(cat {self._pid_files()}); rm -f {self._pid_files()}")
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
    """What the sink hears, from when this host relays until end()."""

    def __init__(self, world, host):
        self.tally = world.start_program("number_tally", "s0", *OUT, SIZE, namespace="sink")
        self.goes_on(host)

    @staticmethod
    def goes_on(host, seconds=0.5):
        """The stream runs, by this host."""
        sent = lambda: host.relay.rule("one")["outputs"][0]["tx_datagrams"]
        before = sent()
        until(lambda: sent() > before + seconds * RATE, f"{host.name} relays")

    def end(self, doubles=1):
        """No silence is long; what came twice did so while one took over from the other. `doubles`: as if so many
        hosts had sent beside the other one for all of that time."""
        self.tally.signal(signal.SIGTERM)
        equal(self.tally.wait(20), 0, f"exit code of the tally: {self.tally.err()}")
        seen = json.loads(self.tally.out())
        print(f"longest silence: {1000 * seen['silence_s']:.0f} ms; {seen['distinct']} came, {seen['twice']} of them"
              f" twice, within {1000 * seen['twice_s']:.0f} ms")
        most = (GAP + 3 * seen["late_s"]) * (4 if busy() else 1)  # keepalived is late where others want the CPUs
        check(seen["silence_s"] < most, f"silence of {seen['silence_s']:.3f} s, at most {most:.3f} s expected")
        check(seen["twice_s"] < most, f"for {seen['twice_s']:.3f} s datagrams came twice")
        check(seen["twice"] <= doubles * most * RATE, f"{seen['twice']} came twice")


def story(world):
    if not shutil.which("keepalived"):
        raise Skip("keepalived is not installed")
    world.namespace("gen", "hub", "a", "b", "sink", "relay")  # the last one is where status is asked
    bridge(world, "br-in", ("gen", "g0", "10.1.0.2/24"), ("a", "in", "10.1.0.11/24"),
           ("b", "in", "10.1.0.12/24"))
    bridge(world, "br-out", ("sink", "s0", "10.2.0.2/24"), ("a", "out", "10.2.0.11/24"),
           ("b", "out", "10.2.0.12/24"))
    bridge(world, "br-ha", ("a", "ha", "192.0.2.1/24"), ("b", "ha", "192.0.2.2/24"))
    hosts = {name: Host(world, name) for name in HOSTS}
    sender = world.start_program("dying_legs", RATE * 90 * PATIENCE, RATE, 1, 0, SIZE, "239.1.1.1,5000,g0,0,100",
                                 namespace="gen")

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
    air = Arrivals(world, hosts["a"])
    hosts["a"].die()
    air.goes_on(hosts["b"])
    air.end(0)

    phase("it is back")
    air = Arrivals(world, hosts["b"])
    world.write("a.standby", "")
    hosts["a"].start()
    only("a", 30)
    air.goes_on(hosts["a"])
    air.end()

    phase("it stands still, and goes on")
    air = Arrivals(world, hosts["a"])
    hosts["a"].pause(signal.SIGSTOP)
    air.goes_on(hosts["b"])
    hosts["a"].pause(signal.SIGCONT)
    only("a")
    air.goes_on(hosts["a"])
    air.end(2)

    phase("its input is cut")
    air = Arrivals(world, hosts["a"])
    world.sh("ip -n a link set in down")
    air.goes_on(hosts["b"])
    air.end()
    sender.kill()
    for host in hosts.values():
        host.keepalived.signal(signal.SIGTERM)
        host.keepalived.wait(10)
        check(not host.sends, "a host without keepalived stands by")
        host.relay.stop()


play(story, 100)
