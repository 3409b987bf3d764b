#!/usr/bin/env python3
"""A chain of three relays that share one CPU: none drops for want of a turn.

    gen (g0) - (a0) a (a1) - (b0) b (b1) - (c0) c (c1) - (s0) sink

What a relay sends is taken from its socket by the next one's softirq. On a busy CPU a thread does
that work (ksoftirqd), and waits for its turn while the relay has the CPU: the socket is full then,
though the egress is idle. The relay gives its turn away before it drops. This story judges the
ledger of the chain; it passed without that turn, too, for it depends on the host whether a socket
fills up. The unit test of a full socket judges the turn itself.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, scaled, until
from netlab.traffic import Gen, Sink
from netlab.world import play

RATE, SECONDS, SIZE = 250_000, 2, 1400


def hop(world, name, number):
    group, onwards = f"239.{number}.1.1", f"239.{number + 1}.1.1"
    text = config(rule(name, group, 5000, [(f"{name}1", onwards)], interface=f"{name}0"))
    return Daemon(world, text, name=name, namespace=name, prefix=("taskset", "-c", "0")).start()


def story(world):
    world.namespace("relay", "gen", "a", "b", "c", "sink")  # relay: where status is asked
    ends = [("gen", "g0"), ("a", "a0"), ("a", "a1"), ("b", "b0"), ("b", "b1"), ("c", "c0"),
            ("c", "c1"), ("sink", "s0")]
    for number in range(4):
        (left, near), (right, far) = ends[2 * number:2 * number + 2]
        world.link(left, near, f"10.{number}.0.1/24", right, far, f"10.{number}.0.2/24")
    relays = [hop(world, name, number) for number, name in enumerate("abc", 1)]
    for gso in ("on", "off"):
        phase(f"{scaled(RATE)} datagrams a second, gso {gso}")
        sink = Sink(world, "239.4.1.1", 5000)
        sent = Gen(world, "239.1.1.1", 5000, rate=scaled(RATE), size=SIZE,
                   count=scaled(RATE) * SECONDS, gso=gso).wait()

        def at_rest():
            found = [r.status() for r in relays]
            return found if all(o["in_flight"] == 0 for s in found for r in s["rules"]
                                for o in r["outputs"]) else None

        found = until(at_rest, "all is sent")
        for relay, status in zip("abc", found):
            totals = status["totals"]
            print(f"{relay}: {totals['rx_datagrams']} in, {totals['tx_datagrams']} out, kernel_drops"
                  f" {totals['kernel_drops']}, drops { {k: v for k, v in totals['tx_drops'].items() if v} }")
        print(f"sent {sent['sent']}, received {sink.stop()['received']}")
        equal([s["totals"]["tx_drops"]["send_queue_full"] for s in found], [0, 0, 0],
              "send_queue_full of each relay")


play(story, 90)
