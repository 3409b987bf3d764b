#!/usr/bin/env python3
"""`gro`: the host's setting is changed as asked, told, and put back whatever happens.

    gen (g0) ---- (r0: GRO) relay (r1) ---- (s0) sink
        bursts of single frames

"Merging" is generic-receive-offload, "forwarding" rx-udp-gro-forwarding: UDP is merged for us
only where both are on. Who dies without putting back (SIGKILL) leaves a record, and the next
start does it; while several instances live, the last one does it.
"""

import os
import signal

from netlab.daemon import Daemon, config, rule
from netlab.expect import SANITIZED, check, equal, phase, scaled, until
from netlab.kernel import needs_superframes
from netlab.ledger import Ledger
from netlab.offload import is_on, switch
from netlab.traffic import exact
from netlab.world import play

RULE = rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
OFF, ON = (False, False), (True, True)
RECORDS = "/run/mcr/gro"


def wish(gro, *rules):
    extra = f'[interface.r0]\ngro = "{gro}"\n' if gro else ""
    return config(*(rules or (RULE,)), extra=extra)


class Host:
    """The offloads of r0 as the host has them: (merging, forwarding)."""

    def __init__(self, world):
        self.world = world
        self.name = "r0"

    def rename(self, new):
        """Links that are up keep their name (before Linux 6.2)."""
        self.world.sh(f"ip -n relay link set {self.name} down && "
                      f"ip -n relay link set {self.name} name {new} && "
                      f"ip -n relay link set {new} up")
        self.name = new

    def set(self, setting):
        switch(self.world, "relay", self.name, gro=setting[0], rx_udp_gro_forwarding=setting[1])
        equal(self.get(), setting, "what ethtool has just set")

    def get(self):
        return (
            is_on(self.world, "relay", self.name, "generic-receive-offload"),
            is_on(self.world, "relay", self.name, "rx-udp-gro-forwarding"),
        )

    def is_back(self, setting, after):
        """All is as it was, and no record says otherwise."""
        equal(self.get(), setting, f"(merging, forwarding) of {self.name} after {after}")
        left = [name for name in records() if name.endswith(f"-{self.index()}")]
        equal(left, [], f"records of {self.name} after {after}")

    def index(self):
        return self.world.sh(f"ip -n relay -o link show {self.name}").partition(":")[0]


def records():
    return os.listdir(RECORDS) if os.path.isdir(RECORDS) else []


def shown(daemon):
    return {i["name"]: i["gro"] for i in daemon.status()["interfaces"]}["r0"]


def while_it_runs(world, host):
    for gro in (None, "auto", "on", "off", "leave"):
        for before in (OFF, ON, (True, False)):
            expected = {
                "on": ON, "off": (before[0], False), "leave": before,
            }.get(gro, (before[0], True))
            host.set(before)
            daemon = Daemon(world, wish(gro)).start()
            equal(host.get(), expected, f"r0 with gro = {gro}, {before} before")
            equal(shown(daemon), "on" if expected == ON else "off", f"status with {expected}")
            daemon.stop(signal.SIGINT if gro == "on" else signal.SIGTERM)
            host.is_back(before, f"gro = {gro}")


def killed(world, host):
    for gro in ("leave", "on", "off", "auto"):
        host.set(OFF)
        victim = Daemon(world, wish("on"), "victim").start()
        victim.process.kill()
        equal(host.get(), ON, "r0 after SIGKILL: nobody could put it back")
        heir = Daemon(world, wish(gro), "heir").start()
        expected = {"on": ON, "auto": (False, True)}.get(gro, OFF)
        equal(host.get(), expected, f"r0 with gro = {gro} after SIGKILL of another")
        heir.stop()
        host.is_back(OFF, f"gro = {gro} after a SIGKILL")


def several(world, host):
    host.set(OFF)
    first, second, third = [
        Daemon(world, wish("on"), name) for name in ("first", "second", "third")
    ]
    for last in (first, second):
        first.start()
        second.start()
        (second if last is first else first).stop()
        equal(host.get(), ON, f"r0 while {last.name} still runs")
        last.stop()
        host.is_back(OFF, f"the end of {last.name}, the last")

    first.start()
    second.start()
    first.process.kill()
    leaves = Daemon(world, wish("leave"), "leaves").start()
    equal(host.get(), ON, "r0 while second runs: no orphan to put back yet")
    leaves.stop()
    equal(host.get(), ON, "r0 while second runs")
    third.start()
    second.process.kill()
    equal(host.get(), ON, "r0 while third runs")
    third.stop()
    host.is_back(OFF, "the end of the last of three, two of them killed")


def reloads(world, host):
    elsewhere = rule("one", "239.1.1.1", 5000, [("r0", "239.2.1.1")], interface="r1")
    for before in (OFF, (True, False)):
        host.set(before)
        daemon = Daemon(world, wish("on")).start()
        equal(host.get(), ON, "r0 with gro = on")
        for gro, expected in (("leave", before), ("on", ON), ("off", (before[0], False)),
                              ("on", ON), ("auto", (before[0], True))):
            daemon.reload(wish(gro))
            equal(host.get(), expected, f"r0 after a reload to gro = {gro}, {before} at first")
        daemon.reload(wish("on"))
        daemon.reload(wish("on", elsewhere))
        host.is_back(before, "a reload that takes the last rule with this input away")
        daemon.reload(wish("on"))
        equal(host.get(), ON, "r0 when the rule is there again")
        daemon.stop()
        host.is_back(before, "reloads")


def recreated(world, host):
    host.set(OFF)
    daemon = Daemon(world, wish("on")).start()
    world.sh("ip -n relay link del r0")
    until(lambda: daemon.rule("one")["state"] == "waiting", "the rule waits for r0")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "r0", "10.1.0.1/24")
    daemon.wait_active()
    equal(host.get(), ON, "the new r0")
    daemon.stop()
    host.is_back(OFF, "the stop, r0 being another than at the start")
    equal(records(), [], "records, also of the deleted r0")


def renamed(world, host):
    """While it runs, while it is dead, and back: the setting is the interface's, not the name's."""
    host.set(OFF)
    daemon = Daemon(world, wish("on")).start()
    host.rename("uplink")
    until(lambda: daemon.rule("one")["state"] == "waiting", "the rule waits for r0")
    host.is_back(OFF, "it is no input any more")
    host.rename("r0")
    daemon.wait_active()
    equal(host.get(), ON, "r0 when it is an input again")
    daemon.process.signal(signal.SIGSTOP)  # it does not hear of the new name before it stops
    host.rename("uplink")
    daemon.process.signal(signal.SIGTERM)
    daemon.process.signal(signal.SIGCONT)
    equal(daemon.process.wait(10), 0, "exit code")
    host.is_back(OFF, "a stop right after the new name")

    host.rename("r0")
    victim = Daemon(world, wish("on"), "victim").start()
    victim.process.kill()
    host.rename("uplink")
    equal(host.get(), ON, "the renamed interface after SIGKILL")
    Daemon(world, wish("on"), "heir").start(active=False).stop()
    host.is_back(OFF, "the next start, after SIGKILL and a new name")
    host.rename("r0")


def traffic(world):
    """Bursts of single frames are merged, and come out as they were sent."""
    switch(world, "gen", "g0", tx_udp_segmentation=False)
    count = scaled(16000)
    for gro in ("off", "on"):
        daemon = Daemon(world, wish(gro)).start()
        ledger = Ledger(world, daemon, size=1400)
        exact(world, ledger, "239.1.1.1", 5000, count, 100000, out=("239.2.1.1", 5000),
              gso="on")
        ledger.close()
        seen = {i["name"]: i for i in daemon.status()["interfaces"]}["r0"]
        frames, datagrams = seen["rx_frames"], seen["rx_datagrams"]
        print(f"gro = {gro}: {datagrams} datagrams in {frames} frames")
        if gro == "off":
            equal(frames, datagrams, "frames, nothing being merged")
        else:
            check(frames < datagrams or SANITIZED, "GRO merged nothing")
        daemon.stop()


def unmerged(world):
    """GRO is on and has nothing to merge: status says why."""
    inspected = RULE + 'inspect = "auto"\n'  # the worker's way also where the kernel's is open
    daemon = Daemon(world, wish("on", inspected)).start()
    equal(daemon.status()["interfaces"][0]["gro_reason"], "", "the reason before any traffic")
    sender = world.start_program("unsummed_stream", "10.1.0.2", "239.1.1.1", 5000, namespace="gen")
    until(lambda: "checksum is 0" in daemon.status()["interfaces"][0]["gro_reason"],
          lambda: f"status says why: {daemon.status()['interfaces'][0]}", seconds=15)
    sender.kill()
    daemon.stop()


def story(world):
    needs_superframes()
    world.line()
    host = Host(world)
    phase("while it runs, and after SIGTERM")
    while_it_runs(world, host)
    phase("after SIGKILL")
    killed(world, host)
    phase("reloads")
    reloads(world, host)
    phase("r0 is deleted and made again")
    recreated(world, host)
    phase("r0 is renamed")
    renamed(world, host)
    phase("several instances")
    several(world, host)
    phase("traffic")
    traffic(world)
    phase("nothing to merge")
    unmerged(world)


play(story, 60)
