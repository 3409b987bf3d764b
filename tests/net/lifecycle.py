#!/usr/bin/env python3
"""Whatever happens to an interface under traffic: its rule waits, says why, and comes back.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink      rule `steady`: loses nothing meanwhile
    gen (g2) ---- (r2) relay (r3) ---- (s3) sink      rule `tried`: its input and its output are
                                                      taken down, renamed, deleted, moved away ...
                       away                           ... to this namespace
"""

import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, check, equal, phase, scaled, until
from netlab.traffic import Gen, Steady
from netlab.world import play

STREAMS = 8  # so that each of two workers has some
GROUPS = {f"239.1.2.{n}" for n in range(STREAMS)}
LINKS = {  # of rule `tried`: relay's end -> arguments of World.link
    "r2": ("gen", "g2", "10.3.0.2/24", "relay", "r2", "10.3.0.1/24"),
    "r3": ("relay", "r3", "10.4.0.1/24", "sink", "s3", "10.4.0.2/24"),
}
FAR = {"r2": ("gen", "g2"), "r3": ("sink", "s3")}
ADDRESS = {"r2": "10.3.0.1/24", "r3": "10.4.0.1/24"}


class Trial:
    """Rule `tried`, its stream, and what is done to one of its interfaces."""

    def __init__(self, world, daemon):
        self.world, self.daemon = world, daemon
        self.gen = None
        self.slowest = 0.0

    def stream(self):
        """The stream runs; a sender whose interface was deleted is replaced."""
        if not self.gen or not self.gen.process.running:
            self.gen = Gen(self.world, "239.1.2.0", 5000, STREAMS, scaled(800), Steady.SIZE,
                           duration=120, interface="g2")

    def rule(self):
        return self.daemon.rule("tried")

    def entry(self, interface):
        [found] = [i for i in self.daemon.status()["interfaces"] if i["name"] == interface]
        return found

    def waits(self, interface, why):
        until(lambda: self.rule()["state"] == "waiting", f"the rule waits: {interface} {why}")
        reason = self.rule()["reason"]
        check(interface in reason and why in reason, f"the reason: {interface} {why}: {reason!r}")

    def returns(self, interface):
        """Within 1 s of the interface: active, joined, and datagrams come out."""
        namespace, end = FAR[interface]
        for where, name in (("relay", interface), (namespace, end)):
            until(lambda w=where, n=name: "state UP" in self.world.sh(f"ip -n {w} link show {n}"),
                  f"{name} is up")
        began = time.monotonic()
        until(lambda: self.rule()["state"] == "active",
              lambda: f"the rule is back: {self.rule()['state']} ({self.rule()['reason']})", 1)
        until(lambda: self.world.igmp("relay", "r2") == GROUPS, "all is joined on r2", 1)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.stream()
        self.flows()

    def source(self):
        """Of what comes out, when all streams do."""
        return self.world.run_program("source_collector", "s3", "239.2.2", STREAMS, 5 * PATIENCE,
                                      namespace="sink").strip()

    def flows(self):
        equal(self.source(), "10.4.0.1", "source of what comes out of r3")


def down_and_up(trial, interface):
    trial.world.sh(f"ip -n relay link set {interface} down")
    trial.waits(interface, "down")
    trial.world.sh(f"ip -n relay link set {interface} up")
    trial.returns(interface)


def carrier_loss(trial, interface):
    namespace, end = FAR[interface]
    trial.world.sh(f"ip -n {namespace} link set {end} down")
    trial.waits(interface, "down")
    trial.world.sh(f"ip -n {namespace} link set {end} up")
    trial.returns(interface)


def mtu(trial, interface):
    for value in (1300, 1500):
        trial.world.sh(f"ip -n relay link set {interface} mtu {value}")
        until(lambda v=value: trial.entry(interface)["mtu"] == v, f"the MTU is known: {value}", 1)
        equal(trial.rule()["state"], "active", "state of the rule")
        trial.flows()


def address(trial, interface):
    """The source follows an output's address; an input needs none."""
    output, world, old = interface == "r3", trial.world, ADDRESS[interface]
    world.sh(f"ip -n relay addr add 10.9.0.7/24 dev {interface}"
             f" && ip -n relay addr del {old} dev {interface}")
    source = "10.9.0.7" if output else "10.4.0.1"
    until(lambda: trial.source() == source, f"the source is {source}", 1)
    equal(trial.rule()["state"], "active", "state of the rule with another address")
    world.sh(f"ip -n relay addr del 10.9.0.7/24 dev {interface}")
    if output:
        trial.waits(interface, "address")
    else:
        trial.flows()
    world.sh(f"ip -n relay addr add {old} dev {interface}")
    trial.returns(interface)


def rename(trial, interface):
    world = trial.world
    world.sh(f"ip -n relay link set {interface} down && ip -n relay link set {interface} name other"
             " && ip -n relay link set other up")
    trial.waits(interface, "does not exist")
    world.sh(f"ip -n relay link set other down && ip -n relay link set other name {interface}"
             f" && ip -n relay link set {interface} up")
    trial.returns(interface)


def recreate(trial, interface):
    old = trial.entry(interface)["index"]
    trial.world.sh(f"ip -n relay link del {interface}")
    trial.waits(interface, "does not exist")
    trial.world.link(*LINKS[interface])
    trial.returns(interface)
    check(trial.entry(interface)["index"] != old, f"the new {interface} has a new index")


def move(trial, interface):
    trial.world.sh(f"ip -n relay link set {interface} netns away")
    trial.waits(interface, "does not exist")
    trial.world.sh(f"ip -n away link set {interface} netns relay"
                   f" && ip -n relay addr add {ADDRESS[interface]} dev {interface}"
                   f" && ip -n relay link set {interface} up")
    trial.returns(interface)


def story(world):
    world.line()
    world.namespace("away")
    for link in LINKS.values():
        world.link(*link)
    rules = [rule("steady", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
             rule("tried", "239.1.2.0/29", 5000, [("r3", "239.2.2.0/29")], interface="r2")]
    for workers in (1, 2):
        daemon = Daemon(world, config(*rules, workers=workers), name=f"relay-{workers}").start()
        steady, trial = Steady(world, daemon, "steady"), Trial(world, daemon)
        trial.stream()
        for interface, role in (("r2", "input"), ("r3", "output")):
            for fault in (down_and_up, carrier_loss, mtu, address, rename, recreate, move):
                phase(f"{workers} workers, {role}: {fault.__name__.replace('_', ' ')}")
                fault(trial, interface)
        trial.gen.stop()
        print(f"slowest return: {trial.slowest:.2f} s")
        steady.end()
        equal(world.igmp("relay", "r2"), GROUPS, "groups joined on r2 at the end")
        daemon.stop()


play(story, 60)
