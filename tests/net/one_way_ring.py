#!/usr/bin/env python3
"""A ring over two hosts: each has one plain rule, for one way. Neither can know of the other.

    h1 -- segment 1 -- there (1 to 2), back (2 to 1) -- segment 2 -- h2

One datagram goes round, or fifty, or a thousand, until a relay finds out that it hears itself; then
the ring is quiet, the rule is `looping`, and what h1 sends from now on comes to segment 2 once or
twice. A host that sends the same payload without end is told from a ring: all of it is relayed. One
that sends a few in turn is not even suspected.
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
ENDS_WITHIN = 30  # seconds: a look, the proof, and a host that is busy with the storm


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


def ring(world, name, more, different):
    """`different` datagrams go round at once."""
    name = f"{name}{different}"
    phase(f"{name}: {different} different datagrams go round")
    relays = [relay(world, name, 1, 1, 2, more), relay(world, name, 2, 2, 1, more)]
    hosts = [Counters(world, "h1", "e0"), Counters(world, "h2", "e0")]
    began = time.monotonic()
    world.inject("h1", "e0", frames(range(different)))
    until(lambda: came(hosts[1]) > 20 * different, "they go round")
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
    world.inject("h1", "e0", frames(range(20_000, 20_000 + count)))
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


def honest(world, name, numbers, every, most_late):
    """A host sends datagrams with these numbers in turn, a turn each `every` seconds or as fast as it can, and a new
    one after each turn."""
    phase(f"{name}: a host that repeats itself")
    daemon = relay(world, name, 1, 1, 2, "")
    host, capture = Counters(world, "h2", "e0"), Capture(world, "h2", "e0")
    turns, new = 0, 20_000
    began = time.monotonic()
    while time.monotonic() < began + 6:
        due = began + turns * every
        until(lambda due=due: time.monotonic() >= due, "the next turn")
        world.inject("h1", "e0", frames([*numbers, new + turns]))
        turns += 1
    rested(host)
    equal(came(host), turns * (len(numbers) + 1), "datagrams that came to segment 2")
    pieces = [packet.payload[at:at + SIZE] for packet in capture.packets(GROUP, PORT)
              for at in range(0, len(packet.payload), SIZE)]
    seen = [int(each.split()[1]) for each in pieces]
    equal(collections.Counter(seen), collections.Counter([*numbers * turns, *range(new, new + turns)]), "which ones")
    equal([n for n in seen if n >= new], list(range(new, new + turns)), "the new ones, in order")
    breaks = sum((a, b) not in successions(numbers, new, turns) for a, b in zip(seen, seen[1:]))
    print(f"{name}: {turns} turns, {breaks} breaks")
    alike = len(set(numbers)) == 1
    check(breaks <= (3 * most_late if alike else 0), f"at most {most_late} were late: {breaks} breaks of the order")
    shown = daemon.rule("way")
    equal((shown["state"], shown["drops"]["loop"]), ("active", 0), "state, and drops as loop")
    equal("again and again" in daemon.log(), alike, f"it was suspected: {daemon.log()}")
    daemon.stop()
    host.close()
    capture.close()


def successions(numbers, new, turns):
    """Which number may follow which."""
    inner = set(zip(numbers, numbers[1:]))
    return inner | {(numbers[-1], new + n) for n in range(turns)} | {(new + n, numbers[0]) for n in range(turns)}


def story(world):
    world.namespace("relay")
    world.segments = Segments(world, 2)
    for segment in (1, 2):
        world.namespace(f"h{segment}")
        world.segments.attach(f"h{segment}", "e0", segment, 100)
    honest(world, "beats", [7] * 49, 0, 5)
    honest(world, "quick", list(range(50)), 0, 0)
    honest(world, "slow", list(range(50)), 0.3, 0)
    for different in (1, 50, 1000):
        ring(world, "plain", "", different)
        ring(world, "kept", ', source = "preserve", ttl = 16', different)


play(story, 180)
