#!/usr/bin/env python3
"""Loops do not storm: several relays between the same segments, and wires that nobody told of.

    h1 -- segment 1 -- one, two or three relays -- segment 2 -- h2      two, three
    h1 -- segment 1 -- relay -- segment 2 -- h2, and a wire beside it   wire
    segments 1, 2, 3 with a relay between each two of them              triangle

In each topology hosts send numbered datagrams to the mDNS group. nftables counts at the hosts: each
datagram comes at least once to the other segments, no more than once for each relay that is
between, and a second after the last one sent nothing comes any more. The relays say `looping`, with
the interface and the other relay's address. The same with plain rules in a circle that keep the
TTL, and with `source = "preserve"`.
"""

import time

from netlab.counters import Counters
from netlab.daemon import Daemon, config, rule
from netlab.expect import check, phase, scaled, until
from netlab.frames import udp
from netlab.ledger import internal
from netlab.segments import Segments
from netlab.world import play

GROUP, PORT = "224.0.0.251", 5353
COUNT = 30
SIZE = len("datagram 000000")
_number = [0]


def reflector(interfaces):
    names = ", ".join(f'"{name}"' for name in interfaces)
    return f'[[reflector]]\nname = "mdns"\nkind = "mdns"\ninterfaces = [{names}]\n'


def circle(interfaces, more):
    """Two plain rules that feed each other."""
    a, b = interfaces
    return "".join(rule(f"{one}-{two}", GROUP, PORT, [f'{{ interface = "{two}", {more} }}'], interface=one)
                   for one, two in ((a, b), (b, a)))


def frames(segment, count):
    _number[0] += count
    return [udp(f"10.{segment}.0.100", GROUP, PORT, f"datagram {_number[0] + n:06}".encode(), ttl=255,
                source_port=PORT) for n in range(count)]


class Topology:
    """Relays, each on the segments it is said to be; a host on each segment, which counts."""

    def __init__(self, world, name, segments, relays, text, wires=()):
        self.world, self.name = world, name
        self.counters = {s: Counters(world, f"h{s}", "e0") for s in segments}
        for one, other in wires:
            world.segments.wire(one, other)
        self.daemons = []
        for number, places in enumerate(relays, 1):
            namespace = f"{name}{number}"
            world.namespace(namespace)
            interfaces = []
            for segment in places:
                interface = f"s{segment}"
                world.segments.attach(namespace, interface, segment, number)
                interfaces.append(interface)
            self.daemons.append(Daemon(world, config(text(interfaces)), name=namespace,
                                       namespace=namespace).start())

    def seen(self):
        return {s: c.read().get((GROUP, PORT)) for s, c in self.counters.items()}

    def datagrams(self):
        """Datagrams: a frame may carry several, all of one size."""
        return {s: count.payload // SIZE if count else 0 for s, count in self.seen().items()}

    def talk(self, segment, count):
        """Sends, waits for the end; returns what came where and how long after the last one."""
        before = self.datagrams()
        self.world.inject(f"h{segment}", "e0", frames(segment, count))
        ended = last = time.monotonic()
        now = self.datagrams()
        while time.monotonic() < ended + 1.2:
            found = self.datagrams()
            if found != now:
                now, last = found, time.monotonic()
            check(last < ended + 1.2, f"{self.name}: traffic ends within a second: {now}")
            time.sleep(0.05)
        return {s: now[s] - before[s] for s in now}

    def close(self):
        for daemon in self.daemons:
            internal(daemon.status())
            daemon.stop()
        for counter in self.counters.values():
            counter.close()


def judge(world, name, segments, relays, text, most, wires=(), loops=True):
    phase(f"{name}: {len(relays)} relays, segments {segments}, wires {list(wires)}")
    topology = Topology(world, name, segments, relays, text, wires)
    count = scaled(COUNT, 15)
    for segment in segments:
        came = topology.talk(segment, count)
        print(f"{name}: {count} sent on segment {segment}: {came}")
        for other, datagrams in came.items():
            if other != segment:
                check(datagrams >= count, f"each came to segment {other}: {datagrams} of {count}")
            check(datagrams <= most * count, f"segment {other}: {datagrams} for {count} sent")
    if loops:
        def looping():
            rules = [r for d in topology.daemons for r in d.status()["rules"]]
            return [r for r in rules if r["state"] == "looping"]
        found = until(looping, "a relay says looping")
        check("comes back on s" in found[0]["reason"] and " from 10." in found[0]["reason"],
              f"interface and address are told: {found[0]['reason']}")
        check(found[0]["drops"]["loop"] + found[0]["drops"]["own_source"] > 0, "and it is counted")
    topology.close()


def story(world):
    world.namespace("relay")
    world.segments = Segments(world, 3)
    for segment in (1, 2, 3):
        world.namespace(f"h{segment}")
        world.segments.attach(f"h{segment}", "e0", segment, 100)
    keep = "ttl = \"preserve\""
    judge(world, "one", [1, 2], [(1, 2)], reflector, 1, loops=False)
    judge(world, "two", [1, 2], [(1, 2)] * 2, reflector, 2)
    judge(world, "three", [1, 2], [(1, 2)] * 3, reflector, 3)
    judge(world, "triangle", [1, 2, 3], [(1, 2), (2, 3), (3, 1)], reflector, 2)
    judge(world, "rules", [1, 2], [(1, 2)] * 2, lambda i: circle(i, keep), 2)
    judge(world, "kept", [1, 2], [(1, 2)] * 2, lambda i: circle(i, keep + ", source = \"preserve\""), 2)
    judge(world, "wire", [1, 2], [(1, 2)], reflector, 2, wires=[(1, 2)])
    # The wire stays.
    judge(world, "wired", [1, 2], [(1, 2)], lambda i: circle(i, keep + ", source = \"preserve\""), 2)
    judge(world, "both", [1, 2], [(1, 2)] * 2, reflector, 4)


play(story, 220)
