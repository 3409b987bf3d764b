#!/usr/bin/env python3
"""Reloads under traffic: what did not change loses nothing.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        239.1.1.1 ... 239.1.1.4 : 5000   ->   239.2.1.1 ... 239.2.1.4 : 5000

A rule is removed under traffic; others are added, changed and removed; 200 reloads in a row; a
refused reload changes nothing; SIGHUP reloads too.
"""

import re
import signal

from netlab.daemon import Daemon, config, rule
from netlab.expect import SANITIZED, check, equal, phase, scaled, until
from netlab.kernel import huge_page_kib
from netlab.ledger import Ledger
from netlab.traffic import FLAWLESS, Gen, Sink, faults
from netlab.world import play

RELOADS = 60 if SANITIZED else 200
SETTLING = 1024 + huge_page_kib()
RECEIVE_BUFFERS = 512  # of a worker


def stream(n, output=None):
    return rule(f"s{n}", f"239.1.1.{n}", 5000, [("r1", output or f"239.2.1.{n}")])


def generation(daemon):
    return daemon.status()["generation"]


class Steady:
    """Stream 1 running from here on, to show afterwards that it lost nothing."""

    def __init__(self, world, daemon, ledger):
        self.daemon, self.ledger = daemon, ledger
        self.before = daemon.rule("s1")["rx_datagrams"]
        self.sink = Sink(world, "239.2.1.1", 5000)
        self.gen = Gen(world, "239.1.1.1", 5000, rate=scaled(3000), size=600, duration=120)
        until(lambda: daemon.rule("s1")["rx_datagrams"] > self.before + 10, "stream 1 runs")

    def end(self, **options):
        self.gen.stop()
        seen = self.ledger.settle(**options)
        got = self.sink.stop()
        offered = seen["in"]["239.1.1.1", 5000].payload // 600
        equal(seen["kernel_drops"], [0], "frames that the relay's socket had no room for")
        equal({"received": got["received"], **faults(got)}, {"received": offered, **FLAWLESS},
              "what stream 1 lost meanwhile")
        equal(self.daemon.rule("s1")["rx_datagrams"] - self.before, offered,
              "datagrams counted by the unchanged rule, through all reloads")
        print(f"stream 1: {offered} datagrams, none lost")
        return seen


def removal(world, daemon, ledger):
    steady = Steady(world, daemon, ledger)
    gone = Sink(world, "239.2.1.2", 5000)
    other = Gen(world, "239.1.1.2", 5000, rate=scaled(1000), size=600, duration=120)
    until(lambda: daemon.rule("s2")["outputs"][0]["tx_datagrams"] > 10, "stream 2 runs")
    difference = daemon.reload(config(stream(1), stream(3)))
    check("-1" in difference and "+1" in difference, f"the difference printed: {difference}")
    until(lambda: "239.1.1.2" not in world.igmp("relay", "r0"), "the removed rule's group is left")
    until(lambda: "239.1.1.3" in world.igmp("relay", "r0"), "the added rule's group is joined")

    counter = ledger.egress["r1"]  # the stream must have stopped, while it is still being sent
    before = counter.read()["239.2.1.2", 5000]
    arriving = ledger.ingress
    offered = arriving.read()["239.1.1.2", 5000].frames
    until(lambda: arriving.read()["239.1.1.2", 5000].frames > offered + 50, "it is still sent")
    equal(counter.read()["239.2.1.2", 5000], before, "the removed stream at the sink")
    other.stop()
    equal(faults(gone.stop())["corrupt"], 0, "corrupt datagrams of the removed stream")
    steady.end(gone=[("239.2.1.2", 5000)])


def variety(world, daemon, ledger):
    steady = Steady(world, daemon, ledger)
    for n in range(20):
        changed = stream(3, f"239.2.9.{n % 7 + 1}")
        others = [rule(f"t{k}", f"239.3.{n % 3}.{k}", 5000, [("r1", "239.4.1.1", 5000 + k)])
                  for k in range(1, 1 + n % 30)]
        daemon.reload(config(stream(1), changed, *others))
    daemon.reload(config(stream(1), stream(3)))
    until(lambda: world.igmp("relay", "r0") == {"239.1.1.1", "239.1.1.3"}, "other groups are left")
    steady.end()


def storm(world, daemon, ledger):
    two = [config(stream(1), stream(2), stream(3)), config(stream(1), stream(4))]
    steady = Steady(world, daemon, ledger)
    for n in range(20):
        daemon.reload(two[n % 2])
    used = daemon.rule("s1")["rx_datagrams"] + 2 * RECEIVE_BUFFERS
    until(lambda: daemon.rule("s1")["rx_datagrams"] > used, "every receive buffer was used once")
    early = daemon.resident_kib()
    for n in range(RELOADS):
        daemon.reload(two[n % 2])
    late = daemon.resident_kib()
    print(f"{RELOADS} reloads: {early} KiB resident before, {late} KiB after")
    if not SANITIZED:  # their allocators keep what is freed
        check(late - early <= SETTLING, f"memory grows with reloads: {early} -> {late} KiB")
    steady.end()


def refusal(world, daemon, ledger):
    daemon.reload(config(stream(1), stream(3)))
    steady = Steady(world, daemon, ledger)
    before, joined = generation(daemon), world.igmp("relay", "r0")
    for broken in (
        config(stream(1)) + "[[rule]\n",
        config(stream(1), rule("bad", "10.0.0.1", 5000, [("r1", "239.2.1.9")])),
        config(stream(1), stream(3), extra='colour = "red"'),
        config(stream(1), stream(3), workers=3),
    ):
        daemon.configure(broken)
        done = daemon.try_reload()
        check(done.returncode != 0, f"a broken config is refused: {done.stdout}")
        if "workers = 3" not in broken:
            check(re.search(re.escape(daemon.file) + r":\d+:\d+: \S", done.stdout + done.stderr),
                  f"the refusal says FILE:LINE:COL: {done.stdout + done.stderr!r}")
        else:
            check("restart" in done.stdout + done.stderr, f"it says why: {done.stderr!r}")
    equal(generation(daemon), before, "the generation after refused reloads")
    equal(world.igmp("relay", "r0"), joined, "groups after refused reloads")
    steady.end()


def hangup(world, daemon):
    before = generation(daemon)
    daemon.configure(config(stream(1), stream(4)))
    daemon.process.signal(signal.SIGHUP)
    until(lambda: generation(daemon) > before, "SIGHUP reloads")
    equal({r["name"] for r in daemon.status()["rules"]}, {"s1", "s4"}, "rules after SIGHUP")
    before = generation(daemon)
    daemon.configure("nonsense")
    lines = len(daemon.log().splitlines())
    daemon.process.signal(signal.SIGHUP)
    until(lambda: any(daemon.file in line for line in daemon.log().splitlines()[lines:]),
          "the log says what is wrong with the file")
    equal(generation(daemon), before, "the generation after a refused SIGHUP")


def story(world):
    world.line()
    daemon = Daemon(world, config(stream(1), stream(2))).start()
    ledger = Ledger(world, daemon, size=600)
    phase("a rule is removed under traffic")
    removal(world, daemon, ledger)
    phase("other rules are added, changed and removed")
    variety(world, daemon, ledger)
    phase(f"{RELOADS} reloads in a row")
    storm(world, daemon, ledger)
    phase("reloads that must be refused")
    refusal(world, daemon, ledger)
    phase("SIGHUP")
    hangup(world, daemon)


play(story, 60)
