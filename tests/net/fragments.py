#!/usr/bin/env python3
"""Fragmented datagrams are put together, relayed whole, and fragmented again where they must be.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink      all with an MTU of 1500
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, scaled, until
from netlab.frames import fragments, tagged, udp
from netlab.ledger import internal
from netlab.traffic import FLAWLESS, Gen, Sink, faults
from netlab.world import play


def rx(daemon, name):
    return daemon.rule(name)["rx_datagrams"]


def drops(daemon):
    return {k: n for k, n in daemon.status()["totals"]["drops"].items() if n}


def failures(world):
    """Datagrams that the kernel gave up putting together (ReasmFails)."""
    names, values = (
        line.split() for line in world.sh("grep ^Ip: /proc/net/snmp", "relay").splitlines()
    )
    return int(dict(zip(names[1:], values[1:]))["ReasmFails"])


def large(world, daemon, count):
    before = rx(daemon, "large")
    sinks = [Sink(world, "239.2.1.1", 5000), Sink(world, "10.2.0.2", 6000)]
    Gen(world, "239.1.1.1", 5000, rate=scaled(1000), size=4000, count=count).wait()
    until(lambda: rx(daemon, "large") - before == count,
          lambda: f"{count} datagrams arrive whole: {rx(daemon, 'large') - before}")
    until(lambda: all(not o["in_flight"] for o in daemon.rule("large")["outputs"]), "all is sent")
    for sink in sinks:
        seen = sink.stop()
        equal((seen["received"], faults(seen)), (count, FLAWLESS), "what a sink saw")


def injected(world, daemon):
    datagram = udp("10.1.0.9", "239.1.1.2", 5000, bytes(range(256)) * 12)
    parts = fragments(datagram, 1024)
    equal(len(parts), 4, "fragments")
    before = rx(daemon, "injected")
    world.inject("gen", "g0", list(reversed(parts)))
    until(lambda: rx(daemon, "injected") == before + 1, "out of order: one datagram")
    equal(drops(daemon), {}, "drops")

    phase("one that is incomplete is lost in the kernel, which counts it")
    lost = failures(world)
    world.inject("gen", "g0", parts[:-1])
    until(lambda: failures(world) > lost, "ReasmFails")  # the host's own stack tries, too
    # What comes after is put together afresh.
    world.inject("gen", "g0", parts)
    until(lambda: rx(daemon, "injected") == before + 2, "a complete one afterwards")
    equal(drops(daemon), {}, "drops")

    phase("in a VLAN they are counted")
    world.inject("gen", "g0", [tagged(part, 100) for part in parts])
    until(lambda: drops(daemon) == {"fragment": 4}, lambda: f"drops: {drops(daemon)}")
    equal(rx(daemon, "vlan"), 0, "datagrams of the VLAN's rule")


def story(world):
    world.line()
    world.sysctl("relay", "net.ipv4.ipfrag_time", 1)
    outputs = ['{ interface = "r1", group = "239.2.1.1" }',
               '{ interface = "r1", address = "10.2.0.2", port = 6000 }']
    vlan = rule("vlan", "239.1.1.2", 5000, [("r1", "239.2.1.3")])
    vlan = vlan.replace("port = 5000", "port = 5000, vlan = 100", 1)
    for workers in (1, 2):
        daemon = Daemon(
            world,
            config(rule("large", "239.1.1.1", 5000, outputs),
                   rule("injected", "239.1.1.2", 5000, [("r1", "239.2.1.2")]),
                   vlan, workers=workers),
            name=f"relay-{workers}",
        ).start()
        phase(f"4000 B over MTUs of 1500, {workers} workers")
        large(world, daemon, scaled(200, 50))
        phase("fragments out of order")
        injected(world, daemon)
        internal(daemon.status())
        daemon.stop()


play(story, 45)
