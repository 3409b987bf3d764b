#!/usr/bin/env python3
"""The kernel's way through a relay's life: reloads, links, foreign filters, kills, a second relay.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

A rule that stays loses nothing by 50 reloads, nor one that changes its way; what others hang on the
link stays; what a killed relay leaves goes with the next one. Needs root: bpf(2) does not work in a
user namespace.
"""

import os
import re
import signal

os.environ.setdefault("MCR_FAST_PATH", "require")

# pylint: disable=wrong-import-position
from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger, internal
from netlab.traffic import FLAWLESS, Gen, Sink, Steady, exact, faults
from netlab.world import play

STEADY = rule("steady", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
OTHER = rule("other", "239.1.1.2", 5000, [("r1", "239.2.1.2")])
LIMITED = rule("other", "239.1.1.2", 5000,
               ['{ interface = "r1", group = "239.2.1.2", max_pps = 1000000 }'])


def filters(world, interface="r0"):
    """The priorities of relays' filters at the ingress."""
    text = world.sh(f"tc filter show dev {interface} ingress", "relay", ok=False)
    return re.findall(r"pref (\d+) bpf chain 0 handle \S+ mcr_relay", text)


def clsact(world, interface="r0"):
    return "clsact" in world.sh(f"tc qdisc show dev {interface}", "relay")


def path(daemon, name="steady"):
    return daemon.rule(name)["path"]


def reloads(world, daemon):
    steady = Steady(world, daemon, "steady")
    for n in range(50):
        daemon.reload(config(STEADY, OTHER) if n % 2 else config(STEADY))
    equal(path(daemon), "kernel", "path of the rule that stays")
    steady.end()


def none_lost(world, daemon, number, act):
    """A stream through 239.1.1.NUMBER, of which nothing is lost or doubled while act() runs. What
    the kernel sends can overtake what the worker still holds: how much did is returned."""
    name = "steady" if number == 1 else "other"
    before = daemon.rule(name)["rx_datagrams"]
    sink = Sink(world, f"239.2.1.{number}", 5000)
    ledger = Ledger(world, daemon, size=500)
    gen = Gen(world, f"239.1.1.{number}", 5000, rate=scaled(2000), size=500, duration=60)
    until(lambda: daemon.rule(name)["rx_datagrams"] > before + 10, "the stream runs")
    act()
    gen.stop()
    ledger.settle()
    got = faults(sink.stop())
    reordered = got.pop("reordered")
    equal(got, {key: 0 for key in FLAWLESS if key != "reordered"}, "faults of the stream")
    ledger.close()
    return reordered


def change_of_way(world, daemon):
    """A rate limit comes and goes under traffic."""
    def changes():
        for n in range(10):
            daemon.reload(config(STEADY, OTHER if n % 2 else LIMITED))
            equal(path(daemon, "other"), "kernel" if n % 2 else "worker", "path")

    print(f"{none_lost(world, daemon, 2, changes)} overtaken at 10 changes of the way")


def taken_away(world, daemon):
    """Somebody deletes the hook under traffic: the worker has it until it is back."""
    def away():
        world.sh("tc qdisc del dev r0 clsact", "relay")
        until(lambda: filters(world), "the filter is back", 10)

    print(f"{none_lost(world, daemon, 1, away)} overtaken")


def links(world, daemon):
    """Flaps, renames, and an interface that is made anew."""
    def runs(what):
        ledger = Ledger(world, daemon, size=600)
        exact(world, ledger, "239.1.1.1", 5000, scaled(500), 1000, size=600,
              out=("239.2.1.1", 5000))
        ledger.close()
        equal(path(daemon), "kernel", f"path after {what}")

    for interface in ("r0", "r1"):
        world.sh(f"ip -n relay link set {interface} down")
        until(lambda: daemon.rule("steady")["state"] == "waiting", "the rule waits")
        world.sh(f"ip -n relay link set {interface} up")
        daemon.wait_active()
        runs(f"a flap of {interface}")
    world.sh("ip -n relay link set r0 down && ip -n relay link set r0 name x0 &&"
             " ip -n relay link set x0 up")
    until(lambda: daemon.rule("steady")["state"] == "waiting", "the rule waits for its name")
    world.sh("ip -n relay link set x0 down && ip -n relay link set x0 name r0 &&"
             " ip -n relay link set r0 up")
    daemon.wait_active()
    runs("a rename")
    world.sh("ip -n relay link del r0")
    until(lambda: daemon.rule("steady")["state"] == "waiting", "the rule waits for its interface")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "r0", "10.1.0.1/24")
    daemon.wait_active()
    runs("a new interface")


def hang(world, priority):
    """A foreign filter that matches nothing."""
    world.sh(f"tc filter add dev r0 ingress pref {priority} bpf bytecode '1,6 0 0 0,' flowid 1:1",
             "relay")


def foreign(world):
    """What others have hung there before and after stays."""
    world.sh("tc qdisc add dev r0 clsact", "relay")
    hang(world, 7)
    daemon = Daemon(world, config(STEADY), "guest").start()
    equal(path(daemon), "kernel", "path beside a foreign filter")
    hang(world, 60000)
    daemon.stop()
    check(not filters(world), "our filter is gone")
    text = world.sh("tc filter show dev r0 ingress", "relay")
    check("pref 7 " in text and "pref 60000 " in text, f"foreign filters stay: {text}")
    world.sh("tc qdisc del dev r0 clsact", "relay")


def killed(world):
    """What a killed relay leaves relays on, until the next one replaces it."""
    daemon = Daemon(world, config(STEADY), "killed").start()
    daemon.process.signal(signal.SIGKILL)
    daemon.process.wait(5)
    equal(len(filters(world)), 1, "filters left behind")
    other = Daemon(world, config(OTHER), "next").start()
    equal(len(filters(world)), 1, "filters after the next start")
    sink = Sink(world, "239.2.1.1", 5000)
    Gen(world, "239.1.1.1", 5000, count=100, rate=1000).wait()
    equal(sink.stop()["received"], 0, "what the killed relay's table still relays")
    other.stop()
    check(not filters(world), "no filter is left")
    world.sh("tc qdisc del dev r0 clsact", "relay", ok=False)


def two(world):
    """Two relays on one interface: each relays what it would relay alone. The second one tells the
    first one that it listens: at once, not within a second."""
    outputs = ("239.2.1.1", "239.2.2.1")
    relays = [Daemon(world, config(rule("steady", "239.1.1.1", 5000, [("r1", output)])),
                     f"relay{n}").start() for n, output in enumerate(outputs)]
    equal(len(filters(world)), 2, "filters of two relays")
    sinks = [Sink(world, output, 5000) for output in outputs]
    count = scaled(2000)
    Gen(world, "239.1.1.1", 5000, count=count, rate=2000).wait()
    for relay in relays:
        until(lambda r=relay: r.rule("steady")["rx_datagrams"] == count, "all are relayed")
        equal(relay.status()["fast_path"]["rx_datagrams"], count, f"{relay.name}, the kernel's way")
    for sink in sinks:
        equal({"received": sink.stop()["received"]}, {"received": count}, "each relay's copies")
    relays[0].stop()
    equal(len(filters(world)), 1, "filters of the one that is left")
    relays[1].stop()
    check(not filters(world), "no filter is left")


def story(world):
    world.line()
    daemon = Daemon(world, config(STEADY)).start()
    phase("reloads")
    reloads(world, daemon)
    phase("a rule changes its way")
    change_of_way(world, daemon)
    phase("the hook is taken away")
    taken_away(world, daemon)
    phase("links")
    daemon.reload(config(STEADY))
    links(world, daemon)
    internal(daemon.status())
    daemon.stop()
    check(not filters(world) and not clsact(world), "nothing is left behind")
    phase("foreign filters")
    foreign(world)
    phase("SIGKILL")
    killed(world)
    phase("two relays")
    two(world)


play(story, 120)
