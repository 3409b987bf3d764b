#!/usr/bin/env python3
"""VLANs as interfaces of their own, beside rules on the trunk.

    gen (g0, g0.100, g0.200) ==== (r0, r0.100) relay (r1, r1.300) ==== (s0, s0.300) sink

VLAN 100 has an interface at the relay, VLAN 200 has none. The same group and port everywhere: each
rule takes its own traffic, also that of a VLAN that is taken twice.
"""

from netlab.daemon import Daemon, config
from netlab.expect import equal, phase, scaled, until
from netlab.kernel import needs_module
from netlab.ledger import internal
from netlab.traffic import FLAWLESS, GSO, Gen, Sink, faults
from netlab.world import play

GROUP, PORT = "239.1.1.1", 5000


def rule(name, interface, number, kind="", out="r1"):
    return (
        f'[[rule]]\nname = "{name}"\n'
        f'input = {{ interface = "{interface}", group = "{GROUP}", port = {PORT}{kind} }}\n'
        f'outputs = [ {{ interface = "{out}", group = "239.2.0.{number}" }} ]\n\n'
    )


RULES = (
    rule("untagged", "r0", 1),
    rule("interface", "r0.100", 2, out="r1.300"),
    rule("parent-100", "r0", 3, ", vlan = 100"),
    rule("parent-200", "r0", 4, ", vlan = 200"),
)
TAKERS = {"g0": ("untagged",), "g0.100": ("interface", "parent-100"), "g0.200": ("parent-200",)}


def vlan(world, namespace, parent, number, address):
    device = f"{parent}.{number}"
    world.sh(f"ip link add link {parent} name {device} type vlan id {number}"
             f" && ip addr add {address} dev {device} && ip link set {device} up", namespace)


def received(daemon):
    return {r["name"]: r["rx_datagrams"] for r in daemon.status()["rules"]}


def story(world):
    needs_module("8021q")
    world.line()
    vlan(world, "gen", "g0", 100, "10.100.0.2/24")
    vlan(world, "gen", "g0", 200, "10.200.0.2/24")
    vlan(world, "relay", "r0", 100, "10.100.0.1/24")
    vlan(world, "relay", "r1", 300, "10.30.0.1/24")
    vlan(world, "sink", "s0", 300, "10.30.0.2/24")
    count = scaled(2000, 200)
    for workers in (1, 2):
        daemon = Daemon(world, config(*RULES, workers=workers), name=f"relay-{workers}").start()
        sinks = {
            name: Sink(world, f"239.2.0.{n}", PORT, interface="s0.300" if n == 2 else "s0")
            for n, name in enumerate(("untagged", "interface", "parent-100", "parent-200"), 1)
        }
        wanted = {name: 0 for name in sinks}
        for interface, takers in TAKERS.items():
            for gso in GSO:
                phase(f"by {interface}, gso {gso}, {workers} workers")
                Gen(world, GROUP, PORT, rate=scaled(4000), size=1200, count=count,
                    interface=interface, gso=gso).wait()
                for taker in takers:
                    wanted[taker] += count
                until(lambda: all(received(daemon)[n] >= wanted[n] for n in wanted),
                      lambda: f"all is taken: {received(daemon)} of {wanted}")
                equal(received(daemon), wanted, "datagrams by rule")
        until(lambda: all(not o["in_flight"] for r in daemon.status()["rules"]
                          for o in r["outputs"]), "nothing is in flight")
        for name, sink in sinks.items():
            seen = sink.stop()
            equal((seen["received"], faults(seen)), (wanted[name], FLAWLESS), f"sink of {name}")
        status = daemon.status()
        internal(status)
        equal(status["totals"]["rx_datagrams"], sum(wanted.values()), "datagrams that passed")
        daemon.stop()


play(story, 60)
