#!/usr/bin/env python3
"""An idle relay leaves the host idle.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

A thread that waits in io_uring counts as waiting for a disk, if nothing is done about it: top then
shows idle CPUs as "wa", and /proc/pressure/io a stalled host. Without traffic, and after some, no
thread of the relay is among those that wait for a disk (procs_blocked of /proc/stat), and the CPUs wait
no longer for one than while the relay is stopped (iowait of /proc/stat). With
`idle = "poll"` a worker takes all of a CPU that it can get, and says which.
"""

import os
import re
import signal
import statistics
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, phase, until
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play

WORKERS = 2


def blocked(seconds=0.4):
    """How many threads of this host mostly wait for a disk during that time."""
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        with open("/proc/stat", encoding="utf-8") as file:
            seen.append(int(re.search(r"procs_blocked (\d+)", file.read()).group(1)))
        time.sleep(0.01)
    return statistics.median(seen)


def waited(seconds=5):
    """The ticks (1/100 s) in that time in which a CPU of this host had nothing to do but wait for a disk."""
    def iowait():
        with open("/proc/stat", encoding="utf-8") as file:
            return int(file.readline().split()[5])

    before = iowait()
    time.sleep(seconds)
    return iowait() - before


def no_iowait(daemon):
    """A thread that waits in io_uring, and is counted so, makes it some 500. Others come and go."""
    tries = []
    for _ in range(3):
        waiting = waited()
        if waiting < 100:
            print(f"iowait: {waiting} ticks in 5 s")
            return
        daemon.process.signal(signal.SIGSTOP)
        others = waited()
        daemon.process.signal(signal.SIGCONT)
        tries.append((waiting, others))
        if waiting < others + 100:
            print(f"iowait: {waiting} ticks in 5 s, {others} without us")
            return
    check(False, f"the CPUs wait for no disk: {tries} ticks in 5 s (with, without the relay)")


def idle(daemon, what):
    """As many wait while the relay is stopped as while it waits for frames. Others come and go."""
    tries = []
    for _ in range(10):
        waiting = blocked()
        daemon.process.signal(signal.SIGSTOP)
        others = blocked()
        daemon.process.signal(signal.SIGCONT)
        tries.append((waiting, others))
        if waiting < others + WORKERS:
            print(f"{what}: {waiting} threads of this host wait for a disk, {others} without us")
            return
    check(False, f"{what}: no thread of the relay waits for a disk: {tries} (with, without it)")


def story(world):
    world.line()
    phase("no rules")
    daemon = Daemon(world, config(workers=WORKERS)).start()
    idle(daemon, "without rules")

    phase("a rule, without and after traffic")
    daemon.reload(config(rule("a", "239.1.1.1", 5000, [("r1", "239.2.1.1")]), workers=WORKERS))
    idle(daemon, "with a rule")
    no_iowait(daemon)
    ledger = Ledger(world, daemon, size=200)
    exact(world, ledger, "239.1.1.1", 5000, 500, 1000, 1, 200, out=("239.2.1.1", 5000))
    ledger.close()
    idle(daemon, "after traffic")

    phase("it polls, and after a reload it sleeps again")
    with_rule = config(rule("a", "239.1.1.1", 5000, [("r1", "239.2.1.1")]), workers=WORKERS, extra='idle = "poll"')
    daemon.reload(with_rule)
    until(lambda: all(w["idle"] == "poll" and w["cpu_use"] > 0.1 for w in daemon.status()["workers"]),
          "the workers poll", 20)
    cpus = [worker["last_cpu"] for worker in daemon.status()["workers"]]
    check(all(cpu in os.sched_getaffinity(0) for cpu in cpus), f"they say on which CPUs: {cpus}")
    ledger = Ledger(world, daemon, size=200)
    exact(world, ledger, "239.1.1.1", 5000, 500, 1000, 1, 200, out=("239.2.1.1", 5000))
    ledger.close()
    daemon.reload(with_rule.replace("poll", "sleep"))
    until(lambda: all(w["idle"] == "sleep" and w["cpu_use"] < 0.1 for w in daemon.status()["workers"]),
          "the workers sleep", 20)


play(story, 90)
