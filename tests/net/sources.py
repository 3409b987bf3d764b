#!/usr/bin/env python3
"""`sources`: who is listened to.

    gen (g0: 10.1.0.2 and more) ---- (r0) relay (r1) ---- (s0) sink

Single sources are joined one by one (S,G); blocks of them are joined from any source and filtered.
Single ones with "!" are left out by the join and by the relay.
What is refused is `source_denied`. Rules share a group when their sources are disjoint, and a rule
for any source of a group does not disturb those for single ones: /proc/net/mcfilter tells.
"""

import socket

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.frames import udp
from netlab.ledger import Ledger, internal
from netlab.world import play

GROUP = "239.1.1.1"


def mcfilter(world, excluded=False):
    """(group, source) pairs that the kernel holds as wanted, or as excluded, on r0.

    It lists nothing of an interface whose group joined last has no sources (igmp_mcf_get_first()).
    """
    pairs = set()
    for line in world.sh("cat /proc/net/mcfilter", "relay").splitlines()[1:]:
        _, device, group, source, *counts = line.split()
        if device == "r0" and int(counts[excluded]) > 0:
            pairs.add(tuple(socket.inet_ntoa(int(a, 16).to_bytes(4, "big"))
                            for a in (group, source)))
    return pairs


def send(world, *sources, group=GROUP, count=3):
    world.inject("gen", "g0", [
        udp(source, group, 5000, bytes([n] * 100)) for source in sources for n in range(count)
    ])


def received(daemon, *names):
    return [daemon.rule(name)["rx_datagrams"] for name in names]


def denied(daemon, name):
    return daemon.rule(name)["drops"]["source_denied"]


def shared(world):
    """Three rules of one group: single sources and a block; and one that is alone with a block."""
    rules = [
        rule("alone", "239.1.0.2", 5000, [("r1", "239.2.1.9")], sources=["10.9.0.0/30"]),
        rule("five", GROUP, 5000, [("r1", "239.2.1.5")], sources=["10.1.0.5"]),
        rule("six", GROUP, 5000, [("r1", "239.2.1.6")], sources=["10.1.0.6", "10.1.0.7"]),
        rule("block", GROUP, 5000, [("r1", "239.2.1.8")], sources=["10.2.0.0/16", "10.3.0.9"]),
    ]
    daemon = Daemon(world, config(*rules[:3]), name="shared").start()
    ledger = Ledger(world, daemon, size=100)

    phase("single sources: joined each")
    equal(mcfilter(world), {(GROUP, f"10.1.0.{n}") for n in (5, 6, 7)}, "/proc/net/mcfilter")
    send(world, "10.1.0.5", "10.1.0.6", "10.1.0.8", "10.1.0.7")
    ledger.settle()
    equal(received(daemon, "five", "six"), [3, 6], "datagrams of the rules")
    equal([denied(daemon, n) for n in ("five", "six")], [3, 3], "those of nobody's, at each rule")
    equal(daemon.status()["totals"]["drops"]["source_denied"], 3, "and once in all")
    equal(daemon.rule("six")["last_source"], "10.1.0.7:40000", "last_source")

    phase("a block: the group is joined from any source, the others stay as they are")
    joined = mcfilter(world)
    daemon.reload(config(*rules))
    daemon.wait_active()
    check(joined <= mcfilter(world), f"the single sources stay: {mcfilter(world)}")
    equal({(g["group"], g["source"]) for g in daemon.status()["membership"]["groups"]},
          {(GROUP, None), ("239.1.0.2", None)} | joined, "memberships")
    send(world, "10.2.0.0", "10.2.255.255", "10.3.0.9", "10.1.0.5", "10.3.0.8", "10.1.255.255")
    send(world, *(f"10.9.0.{last}" for last in range(5)), group="239.1.0.2")
    seen = ledger.settle()
    equal(received(daemon, "five", "six", "block", "alone"), [6, 6, 9, 12], "datagrams")
    equal(denied(daemon, "alone"), 3, "source_denied: 10.9.0.4 is no part of 10.9.0.0/30")
    equal(ledger.datagrams(seen["out"]["r1"]), 3 + 9 + 12, "datagrams that arrived")

    phase("the block goes: only single sources are joined again")
    daemon.reload(config(*rules[:3]))
    until(lambda: {(g["group"], g["source"]) for g in daemon.status()["membership"]["groups"]}
          == {("239.1.0.2", None)} | joined, "the memberships are those of before")
    equal(mcfilter(world), joined, "/proc/net/mcfilter")
    send(world, "10.1.0.5")
    ledger.settle()
    equal(received(daemon, "five", "six"), [9, 6], "datagrams")
    ledger.close()
    daemon.stop()
    equal(mcfilter(world), set(), "sources joined at the end")


def many(world):
    """More sources than one socket takes, beside a rule that takes any."""
    phase("40 sources with igmp_max_msf at 10")
    world.sysctl("relay", "net.ipv4.igmp_max_msf", 10)
    sources = [f"10.1.0.{n}" for n in range(10, 50)]
    everyone = rule("any", GROUP, 5001, [("r1", "239.2.1.2")])
    some = rule("many", GROUP, 5000, [("r1", "239.2.1.1")], sources=sources)
    daemon = Daemon(world, config(some), name="many").start()
    expected = {(GROUP, source) for source in sources}
    equal(mcfilter(world), expected, "/proc/net/mcfilter")
    check(daemon.status()["membership"]["helper_sockets"] >= 4, "they are spread over sockets")
    ledger = Ledger(world, daemon, size=100)
    send(world, sources[0], sources[-1], "10.1.0.50")
    ledger.settle()
    equal(received(daemon, "many"), [6], "datagrams")
    daemon.reload(config(some, everyone))
    daemon.wait_active()
    equal(mcfilter(world), expected, "/proc/net/mcfilter beside a rule for any source")
    daemon.reload(config(everyone))
    until(lambda: not mcfilter(world), "the sources are left")
    equal(world.igmp("relay", "r0"), {GROUP}, "the group stays joined for any source")
    internal(daemon.status())


def all_but(world):
    """Excluded hosts: the join leaves them out, and so does the relay; a block only the relay."""
    phase("all but two hosts, and a rule for one of these")
    rest = rule("rest", GROUP, 5000, [("r1", "239.2.1.1")], sources=["!10.1.0.5", "!10.1.0.6"])
    five = rule("five", GROUP, 5000, [("r1", "239.2.1.2")], sources=["10.1.0.5"])
    daemon = Daemon(world, config(rest), name="all_but").start()
    excluded = {(GROUP, "10.1.0.5"), (GROUP, "10.1.0.6")}
    equal(mcfilter(world, excluded=True), excluded, "what the kernel's join leaves out")
    equal([g["excluded"] for g in daemon.status()["membership"]["groups"]],
          [["10.1.0.5", "10.1.0.6"]], "and what status says of it")
    ledger = Ledger(world, daemon, size=100)
    send(world, "10.1.0.4", "10.1.0.5", "10.1.0.6", "10.1.0.7")
    ledger.settle()
    equal((received(daemon, "rest"), denied(daemon, "rest")), ([6], 6), "taken, denied")
    daemon.reload(config(rest, five))
    daemon.wait_active()
    send(world, "10.1.0.5", "10.1.0.6", "10.9.0.1")
    ledger.settle()
    equal(received(daemon, "rest", "five"), [9, 3], "datagrams of the rules")
    equal(daemon.status()["totals"]["drops"]["source_denied"], 6 + 3, "those of nobody's")
    text = world.call("status", "rest", "--socket", daemon.socket).stdout
    check("from all but 10.1.0.5, 10.1.0.6" in text, text)

    phase("a block is left out by the relay alone")
    block = rule("rest", GROUP, 5000, [("r1", "239.2.1.1")], sources=["!10.1.0.4/30"])
    daemon.reload(config(block))
    until(lambda: not mcfilter(world, excluded=True), "the join is for any source")
    before = received(daemon, "rest")[0]
    send(world, "10.1.0.3", "10.1.0.4", "10.1.0.7", "10.1.0.8")
    ledger.settle()
    equal(received(daemon, "rest"), [before + 6], "datagrams")
    ledger.close()
    daemon.stop()


def story(world):
    world.line()
    shared(world)
    all_but(world)
    many(world)


play(story, 60)
