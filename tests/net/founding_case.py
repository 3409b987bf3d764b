#!/usr/bin/env python3
"""The case that MCR was made for: sources that the relay has no route to, with rp_filter=1.

    gen (g0 172.31.99.2/24) ---- (r0 10.1.0.1/24) relay (r1 10.2.0.1/24) ---- (s0) sink
        239.1.1.1:5001, 239.1.1.2:5002            ->      the same groups and ports

The kernel drops such datagrams before any socket sees them (shown first, so that the test
proves something); the relay forwards both streams.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import Gen, Sink, exact
from netlab.world import play


def story(world):
    world.namespace("gen", "relay", "sink")
    world.link("gen", "g0", "172.31.99.2/24", "relay", "r0", "10.1.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    for name in ("all", "default", "r0"):
        world.sysctl("relay", f"net.ipv4.conf.{name}.rp_filter", 1)

    phase("an ordinary socket on the relay hears nothing of it")
    plain = Sink(world, "239.1.1.1", 5001, namespace="relay", interface="r0")
    equal(Gen(world, "239.1.1.1", 5001, count=100, rate=1000).wait()["sent"], 100, "sent")
    equal(plain.stop()["received"], 0, "datagrams that passed the kernel's reverse-path check")

    for workers in (1, 2):
        phase(f"both streams through the relay, {workers} workers")
        daemon = Daemon(
            world,
            config(
                rule("one", "239.1.1.1", 5001, [("r1", "239.1.1.1")]),
                rule("two", "239.1.1.2", 5002, [("r1", "239.1.1.2")]),
                workers=workers,
            ),
            name=f"relay-{workers}",
        ).start()
        ledger = Ledger(world, daemon, size=1316)
        for group, port in (("239.1.1.1", 5001), ("239.1.1.2", 5002)):
            exact(world, ledger, group, port, scaled(5000), 8000, size=1316)
        for name in ("one", "two"):
            source = daemon.rule(name)["last_source"]
            equal(source.split(":")[0], "172.31.99.2", f"last_source of rule {name}")
        daemon.stop()
        ledger.close()


play(story, 45)
