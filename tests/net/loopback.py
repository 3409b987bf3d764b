#!/usr/bin/env python3
"""`loopback = true` serves listeners on the relay's own host; other outputs do not.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                        |
                  a sink of its own, on r1

What loops back is no input: a rule that takes the same group on r1 hears the wire only.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import FLAWLESS, GSO, Gen, Sink, faults
from netlab.world import play

GROUPS = ("239.2.1.1", "239.2.1.2")


def story(world):
    world.line()
    outputs = [f'{{ interface = "r1", group = "{GROUPS[0]}", loopback = true }}', ("r1", GROUPS[1])]
    rules = (
        rule("looped", "239.1.1.1", 5000, outputs),
        rule("listens", GROUPS[0], 5000, [("r0", "239.3.1.1")], interface="r1"),
    )
    daemon = Daemon(world, config(*rules)).start()
    count = scaled(2000)
    ledger = Ledger(world, daemon, size=1000)
    for gso in GSO:
        phase(f"{count} datagrams, gso {gso}")
        sinks = [Sink(world, group, 5000) for group in GROUPS]
        sinks += [Sink(world, group, 5000, namespace="relay", interface="r1") for group in GROUPS]
        Gen(world, "239.1.1.1", 5000, rate=scaled(8000), size=1000, count=count, gso=gso).wait()
        ledger.settle()
        seen = [sink.stop() for sink in sinks]
        equal([s["received"] for s in seen], [count] * 3 + [0], "datagrams outside, and inside")
        equal([faults(s) for s in seen], [FLAWLESS] * 4, "faults")
    equal(daemon.rule("listens")["rx_datagrams"], 0, "datagrams that came back in")


play(story, 30)
