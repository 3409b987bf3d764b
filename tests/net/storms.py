#!/usr/bin/env python3
"""Loops do not storm: several relays between the same segments, and wires that nobody told of.

    h1 -- segment 1 -- one, two or three relays -- segment 2 -- h2      two, three
    h1 -- segment 1 -- relay -- segment 2 -- h2, and a wire beside it   wire
    the same, and a wire beside several relays                          both
    segments 1, 2, 3 with a relay between each two of them              triangle
    the same, each relay one way only: 1 to 2, 2 to 3, 3 to 1           ring
    three relays between segments 1 and 2 that go one way only          aside

In each topology hosts send numbered datagrams to the mDNS group. nftables counts at the hosts, and
a capture there tells them apart: each datagram comes to the other segments once or twice, comes
back at most once, and a second after the last one sent nothing comes any more. Where datagrams go
round, in the ring and by a wire, relays say `looping`, with the interface and the address. Where one
relay carries all are active, and the others name it. The same with plain rules in a circle
that keep the TTL, with `source = "preserve"`, and with `allow_loop`. Searches of SSDP go across once
or twice, too, and are answered. When the relay that carries everything is killed, another one does.
"""

import collections
import signal
import time

from netlab.capture import Capture
from netlab.counters import Counters
from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
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


def one_way(interfaces):
    a, b = interfaces
    return reflector(interfaces) + f'allow = [ {{ from = "{a}", to = "{b}" }} ]\n'


def ssdp(interfaces):
    return reflector(interfaces).replace("mdns", "ssdp")


def circle(interfaces, more):
    """Two plain rules that feed each other."""
    a, b = interfaces
    return "".join(rule(f"{one}-{two}", GROUP, PORT, [f'{{ interface = "{two}", {more} }}'], interface=one)
                   for one, two in ((a, b), (b, a)))


def allowed(interfaces):
    """The same, and what this relay itself has sent is taken, too: that switches no protection off."""
    return circle(interfaces, 'ttl = "preserve"').replace("[[rule]]\n", "[[rule]]\nallow_loop = true\n")


def frames(segment, count):
    _number[0] += count
    return [udp(f"10.{segment}.0.100", GROUP, PORT, f"datagram {_number[0] + n:06}".encode(), ttl=255,
                source_port=PORT) for n in range(count)]


class Topology:
    """Relays, each on the segments it is said to be; a host on each segment, which counts."""

    def __init__(self, world, name, segments, relays, text, wires=()):
        self.world, self.name = world, name
        self.counters = {s: Counters(world, f"h{s}", "e0") for s in segments}
        self.captures = {s: Capture(world, f"h{s}", "e0") for s in segments}
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

    def copies(self, segment):
        """{payload: how often it was on the segment}; what its own host sent is one."""
        pieces = (p.payload[at:at + SIZE] for p in self.captures[segment].packets(GROUP, PORT)
                  for at in range(0, len(p.payload), SIZE))
        return collections.Counter(pieces)

    def close(self):
        for daemon in self.daemons:
            if daemon.process.running:
                internal(daemon.status())
                daemon.stop()
        for capture in self.captures.values():
            capture.close()
        for counter in self.counters.values():
            counter.close()


def says_looping(topology):
    """Some rule does, and names the interface and the address."""
    def looping():
        rules = [r for d in topology.daemons for r in d.status()["rules"]]
        return [r for r in rules if r["state"] == "looping"]
    found = until(looping, "a relay says looping")
    check(any(f" {words} s" in found[0]["reason"] for words in ("on", "to")) and " from 10." in found[0]["reason"],
          f"interface and address are told: {found[0]['reason']}")
    check(found[0]["drops"]["loop"] + found[0]["drops"]["own_source"] > 0, "and it is counted")


def is_well(topology):
    """Nobody says that anything is wrong."""
    for daemon in topology.daemons:
        for rule_ in daemon.status()["rules"]:
            equal((rule_["state"], rule_["reason"]), ("active", ""), f"the state of {rule_['name']}")


def stands_by(topology, keeps_sender=False):
    """And for each way one relay carries; the others name it."""
    is_well(topology)
    ways = collections.Counter()
    for daemon in topology.daemons:
        status = daemon.status()
        for rule_ in status["rules"]:
            for output in rule_["outputs"]:
                way = (rule_["input"]["interface"], output["interface"])
                carrier = output.get("carrier")
                ways[way] += 1 if carrier is None else 0
                if carrier is None:
                    continue
                check(output["drops"]["carried"] > 0, f"what is left to it is counted: {output}")
                if keeps_sender:
                    equal(carrier["relay"], None, "who cannot be known")
                else:
                    check(carrier["relay"].startswith(f"10.{way[1][1:]}.0."), f"{way}: {carrier}")
        text = topology.world.call("status", "--socket", daemon.socket).stdout
        left = any("carrier" in o for r in status["rules"] for o in r["outputs"])
        equal("this one stands by" in " ".join(text.split()), left, f"and in words: {text}")
        check("! from" not in text and text.startswith("OK "), f"and it is no alarm: {text}")
    check(ways and all(count == 1 for count in ways.values()), f"relays that carry, by way: {ways}")


def judge(world, name, segments, relays, text, most=2, wires=(), told=says_looping, ways=None):
    """`ways`: those that there are, all without it."""
    phase(f"{name}: {len(relays)} relays, segments {segments}, wires {list(wires)}")
    topology = Topology(world, name, segments, relays, text, wires)
    count = scaled(COUNT, 15)
    for segment in segments:
        came = topology.talk(segment, count)
        print(f"{name}: {count} sent on segment {segment}: {came}")
        for other, datagrams in came.items():
            if other != segment and (ways is None or (segment, other) in ways):
                check(datagrams >= count, f"each came to segment {other}: {datagrams} of {count}")
            if ways is not None and (segment, other) not in ways:
                equal(datagrams, 0, f"from segment {segment} to {other}")
            check(datagrams <= most * count, f"segment {other}: {datagrams} for {count} sent")
    for segment in segments:
        often = [n for n in topology.copies(segment).values() if n > most]
        check(not often, f"segment {segment}: datagrams came {often} times")
    told(topology)
    topology.close()


def takes_over(world):
    phase("the relay that carries is killed, and another does")
    topology = Topology(world, "heir", [1, 2], [(1, 2)] * 3, reflector)
    alive = list(topology.daemons)

    def sent(daemon):
        return daemon.rule("mdns/s1")["outputs"][0]["tx_datagrams"]

    while alive:
        before = {id(d): sent(d) for d in alive}
        topology.talk(1, scaled(COUNT, 15))
        came = topology.talk(1, scaled(COUNT, 15))
        check(came[2] >= scaled(COUNT, 15), f"all came by {len(alive)} relays: {came}")
        carrier = max(alive, key=lambda d: sent(d) - before[id(d)])
        carrier.process.signal(signal.SIGKILL)
        carrier.process.wait(5)
        alive.remove(carrier)
    for segment in (1, 2):
        often = [n for n in topology.copies(segment).values() if n > 2]
        check(not often, f"segment {segment}: datagrams came {often} times")
    topology.close()


def searches(world):
    phase("searches of SSDP, by three relays")
    topology = Topology(world, "ssdp", [1, 2], [(1, 2)] * 3, ssdp)
    device = world.start_program("ssdp_device", "ssdp", "e0", "10.2.0.100", namespace="h2")
    for times in (1, 5):
        before = len(device.out().split("\n")) - 1
        answers = world.run_program("ssdp_searcher", "ssdp", "10.1.0.100", 1.5, times,
                                    namespace="h1").split("\n")[:-1]
        came = len(device.out().split("\n")) - 1 - before
        check(times <= came <= 2 * times, f"{times} searches came {came} times")
        check(times <= len(answers) <= 2 * times, f"{times} searches, answers: {answers}")
    device.kill()
    topology.close()


def story(world):
    world.namespace("relay")
    world.segments = Segments(world, 3)
    for segment in (1, 2, 3):
        world.namespace(f"h{segment}")
        world.segments.attach(f"h{segment}", "e0", segment, 100)
    keep = "ttl = \"preserve\""
    kept = keep + ", source = \"preserve\""
    judge(world, "one", [1, 2], [(1, 2)], reflector, 1, told=stands_by)
    judge(world, "two", [1, 2], [(1, 2)] * 2, reflector, told=stands_by)
    judge(world, "three", [1, 2], [(1, 2)] * 3, reflector, told=stands_by)
    judge(world, "aside", [1, 2], [(1, 2)] * 3, one_way, told=stands_by, ways=[(1, 2)])
    judge(world, "triangle", [1, 2, 3], [(1, 2), (2, 3), (3, 1)], reflector, told=is_well)
    judge(world, "ring", [1, 2, 3], [(1, 2), (2, 3), (3, 1)], one_way)
    judge(world, "rules", [1, 2], [(1, 2)] * 2, lambda i: circle(i, keep), told=stands_by)
    judge(world, "kept", [1, 2], [(1, 2)] * 2, lambda i: circle(i, kept),
          told=lambda t: stands_by(t, keeps_sender=True))
    judge(world, "allowed", [1, 2], [(1, 2)] * 2, allowed, told=stands_by)
    takes_over(world)
    searches(world)
    judge(world, "wire", [1, 2], [(1, 2)], reflector, wires=[(1, 2)])
    # The wire stays.
    judge(world, "wired", [1, 2], [(1, 2)], lambda i: circle(i, kept))
    judge(world, "meant", [1, 2], [(1, 2)], allowed)
    judge(world, "both", [1, 2], [(1, 2)] * 3, reflector)


play(story, 220)
