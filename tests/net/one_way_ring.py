#!/usr/bin/env python3
"""A ring over two hosts: each has one plain rule, for one way. Neither can know of the other.

    h1 -- segment 1 -- there (1 to 2), back (2 to 1) -- segment 2 -- h2

One datagram goes round until a relay finds out that it hears itself; then the ring is quiet, the
rule is `looping`, and what h1 sends from now on comes to segment 2 once. A host that sends the same
payload without end is told from a ring: all of it is relayed.
"""

import collections
import time

from netlab.capture import Capture
from netlab.counters import Count, Counters
from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.frames import udp
from netlab.ledger import internal
from netlab.segments import Segments
from netlab.world import play

GROUP, PORT = "239.5.5.5", 5005
SIZE = len("datagram 000000")
ENDS_WITHIN = 12  # seconds: a look, the proof, and a host that is busy with the storm


def frames(numbers):
    return [udp("10.1.0.100", GROUP, PORT, f"datagram {n:06}".encode(), source_port=PORT) for n in numbers]


def came(counter):
    return counter.read().get((GROUP, PORT), Count()).payload // SIZE


def rested(counter, seconds=1.0):
    """Nothing has come for so long: how much had until then."""
    last = [came(counter), time.monotonic()]

    def still():
        now = came(counter)
        if now != last[0]:
            last[:] = now, time.monotonic()
        return time.monotonic() > last[1] + seconds

    until(still, "the ring is quiet", ENDS_WITHIN)
    return last[0]


def relay(world, name, number, one, other, more):
    """From segment `one` to segment `other`."""
    namespace = f"{name}{number}"
    world.namespace(namespace)
    for segment in (one, other):
        world.segments.attach(namespace, f"s{segment}", segment, number)
    text = rule("way", GROUP, PORT, [f'{{ interface = "s{other}"{more} }}'], interface=f"s{one}")
    return Daemon(world, config(text), name=namespace, namespace=namespace).start()


def ring(world, name, more):
    phase(f"{name}: one datagram")
    relays = [relay(world, name, 1, 1, 2, more), relay(world, name, 2, 2, 1, more)]
    hosts = [Counters(world, "h1", "e0"), Counters(world, "h2", "e0")]
    began = time.monotonic()
    world.inject("h1", "e0", frames([1]))
    until(lambda: came(hosts[1]) > 200, "it goes round")
    copies = rested(hosts[1])
    took = time.monotonic() - began - 1
    print(f"{name}: {copies} copies within {took:.1f} s")
    looping = [d for d in relays if d.rule("way")["state"] == "looping"]
    check(looping, f"a rule is looping: {[d.rule('way')['reason'] for d in relays]}")
    reason = looping[0].rule("way")["reason"]
    check("what it sends comes back on s" in reason and " from 10." in reason, f"where, and from whom: {reason}")
    check(looping[0].rule("way")["drops"]["loop"] > 0, "what was stopped is counted")

    phase(f"{name}: what comes now")
    count = scaled(40)
    capture = Capture(world, "h2", "e0")
    world.inject("h1", "e0", frames(range(2, 2 + count)))
    rested(hosts[1])
    copies = collections.Counter(packet.payload[at:at + SIZE] for packet in capture.packets(GROUP, PORT)
                                 for at in range(0, len(packet.payload), SIZE))
    often = list(copies.values())
    equal(len(often), count, "datagrams that came to segment 2")
    check(max(often) <= 2, f"once or twice each: {often}")
    for daemon in relays:
        internal(daemon.status())
        daemon.stop()
    for each in (*hosts, capture):
        each.close()


def beat(world):
    phase("a host that sends the same without end, and a numbered one now and then")
    daemon = relay(world, "alone", 1, 1, 2, "")
    host, capture = Counters(world, "h2", "e0"), Capture(world, "h2", "e0")
    sent, number = 0, 1000
    began = time.monotonic()
    while time.monotonic() < began + 6:
        for _ in range(scaled(10, 2)):
            world.inject("h1", "e0", frames([7] * 49 + [number]))
            number += 1
            sent += 50
    rested(host)
    equal(came(host), sent, "datagrams that came to segment 2")
    pieces = [packet.payload[at:at + SIZE] for packet in capture.packets(GROUP, PORT)
              for at in range(0, len(packet.payload), SIZE)]
    numbers = [int(each.split()[1]) for each in pieces]
    equal([n for n in numbers if n != 7], list(range(1000, number)), "the numbered ones, in order")
    shown = daemon.rule("way")
    equal((shown["state"], shown["drops"]["loop"]), ("active", 0), "state, and drops as loop")
    check("again and again" in daemon.log(), f"it was looked at: {daemon.log()}")
    daemon.stop()
    host.close()
    capture.close()


def story(world):
    world.namespace("relay")
    world.segments = Segments(world, 2)
    for segment in (1, 2):
        world.namespace(f"h{segment}")
        world.segments.attach(f"h{segment}", "e0", segment, 100)
    beat(world)
    ring(world, "plain", "")
    ring(world, "kept", ', source = "preserve", ttl = 16')


play(story, 120)
