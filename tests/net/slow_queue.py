#!/usr/bin/env python3
"""Egress behind a queue that is slower than the stream.

    gen (g0) ---- (r0) relay (r1, tbf 20 Mbit/s) ---- (s0) sink

What the sink misses is exactly what the counters name; the other egress loses nothing.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.traffic import Gen, Sink
from netlab.world import play


def story(world):
    world.line()
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s2", "10.3.0.2/24")
    world.sh("tc qdisc add dev r1 root tbf rate 20mbit burst 128kb limit 96kb", "relay")
    daemon = Daemon(
        world,
        config(rule("slow", "239.1.1.1", 5000, [("r1", "239.2.1.1"), ("r2", "239.2.1.2")])),
    ).start()
    ledger = Ledger(world, daemon, egress=("r1", "r2"), size=1400)
    slow = Sink(world, "239.2.1.1", 5000)
    free = Sink(world, "239.2.1.2", 5000, interface="s2")

    # Slower builds cannot fill 20 Mbit/s: they get a narrower queue instead.
    rate = max(scaled(6000), 600)
    if rate < 6000:
        world.sh(f"tc qdisc change dev r1 root tbf rate {rate * 4000}bit burst 128kb limit 96kb",
                 "relay")
    phase(f"2 s at {rate} pps of 1400 B: about three times what the queue lets through")
    sent = Gen(world, "239.1.1.1", 5000, rate=rate, size=1400, count=2 * rate).wait()["sent"]
    seen = ledger.settle()
    dropped = daemon.rule("slow")["outputs"][0]["drops"]
    missed_earlier = seen["kernel_drops"][0]
    got = slow.stop()
    print(f"sent {sent}, received {got['received']}, drops {dropped}")
    check(sum(dropped.values()) > 0, "the queue was slow enough to lose something")
    equal(
        sent - got["received"], sum(dropped.values()) + missed_earlier,
        "datagrams missing at the sink, and those that the counters name",
    )
    equal((got["duplicated"], got["reordered"], got["corrupt"]), (0, 0, 0), "other faults")
    other = free.stop()
    equal(other["received"] + missed_earlier, sent, "datagrams at the egress that is not slow")

    phase("the queue is gone: all comes through again")
    world.sh("tc qdisc del dev r1 root", "relay")
    until(lambda: daemon.rule("slow")["outputs"][0]["in_flight"] == 0, "nothing is in flight")
    sink = Sink(world, "239.2.1.1", 5000)
    count = scaled(2000)
    Gen(world, "239.1.1.1", 5000, rate=scaled(4000), size=1400, count=count).wait()
    lost = ledger.settle()["kernel_drops"][0]
    equal(sink.stop()["received"] + lost, count, "datagrams afterwards")


play(story, 45)
