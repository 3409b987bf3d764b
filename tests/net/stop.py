#!/usr/bin/env python3
"""SIGTERM and SIGINT under load.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

The daemon exits with 0 within 2 s, has left all groups, removed its socket, printed its totals.
"""

import os
import re
import signal

from netlab.counters import Counters
from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, check, equal, phase, scaled, until
from netlab.traffic import Gen
from netlab.world import play


def rules():
    return [rule(f"s{n}", f"239.1.1.{n}", 5000, [("r1", f"239.2.1.{n}")]) for n in range(1, 51)]


def story(world):
    world.line()
    arrived = Counters(world, "sink", "s0")
    for workers, number in ((1, signal.SIGTERM), (2, signal.SIGINT), (4, signal.SIGTERM)):
        phase(f"{workers} workers, {number.name} under load")
        daemon = Daemon(world, config(*rules(), workers=workers), name=f"relay-{workers}").start()
        equal(len(world.igmp("relay", "r0")), 50, "groups joined")
        before = sum(c.payload for c in arrived.read().values()) // 1400
        gen = Gen(world, "239.1.1.1", 5000, 50, scaled(20000), 1400, duration=60)
        until(lambda: daemon.status()["totals"]["tx_datagrams"] > 500, "traffic flows")
        took = daemon.stop(number)
        print(f"stopped in {took:.2f} s")
        check(gen.process.running, "the generator still sends")
        check(took < 2 * PATIENCE, f"it stopped within 2 s: {took:.2f} s")
        equal(world.igmp("relay", "r0"), set(), "groups still joined")
        check(not os.path.exists(daemon.socket), "its socket file is gone")
        gen.stop()
        out = sum(c.payload for c in arrived.read().values()) // 1400 - before
        numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", daemon.log())]
        check(out in numbers, f"the totals in the log name the {out} datagrams sent: "
              + daemon.log()[-1500:])

    phase("SIGUSR1 prints totals and changes nothing")
    daemon = Daemon(world, config(*rules()), name="relay-usr1").start()
    lines = len(daemon.log().splitlines())
    daemon.process.signal(signal.SIGUSR1)
    until(lambda: len(daemon.log().splitlines()) > lines, "totals in the log")
    equal({r["state"] for r in daemon.status()["rules"]}, {"active"}, "states of the rules")


play(story, 45)
