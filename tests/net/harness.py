#!/usr/bin/env python3
"""The pps harness works with this build: each mode and each kind of input, for a moment.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink      as in bench/pps/topology.py

An option of `mcr gen`, `sink` or `run`, a key or a field of status that the harness uses and the program
does not have fails here, not in the next measurement. By hand it needs PYTHONPATH=bench.
"""

import os

from netlab.expect import Skip, check, equal, phase, scaled
from netlab.kernel import superframes_are_described
from netlab.world import play
from pps import fixed, inspection, merging
from pps.cases import CASES, Cell
from pps.latency import latency
from pps.relay import MODES, Mcr
from pps.topology import Line
from pps.trial import Trials

RATE, SECONDS = 2000, 0.3


def measure(line, mode, kind):
    cell = Cell(CASES["one"], 1400, kind, 1, mode)
    relay = Mcr(line, mode)
    equal(relay.unavailable(cell), "", f"why mode {mode} cannot be measured")
    line.set_input(kind)
    line.count_at_ingress = relay.counted_at_ingress
    line.watch(cell.case.ports())
    try:
        relay.start(cell)
    except Skip as skip:  # the kernel's way needs root of the host
        print(f"not measured: {skip}")
        return
    check(relay.compile_ms is not None, "the log tells how long compiling took")
    trials = Trials(line, relay, cell)
    trials.warm_up()
    trial = trials.run(scaled(RATE), SECONDS, ask_status=True)
    equal((trial.void, trial.delivered > 0), ("", True), "what does not balance; something arrived")
    trials.run(0, SECONDS)  # as fast as the generator can: whatever is lost
    seen = latency(trials, scaled(RATE), SECONDS)
    equal((seen["corrupt"], seen["sampled"] > 0), (0, True), "corrupt; the sink saw some")
    relay.stop()


def measure_fixed(line):
    effort = fixed.Effort(rates=(scaled(RATE),), streams=("fifty",), relays=("mcr",), seconds=SECONDS)
    for cell in fixed.cells(effort):
        result = fixed.measure(line, cell, effort, print)
        check("failed" not in result and "skipped" not in result, f"measured: {result}")
        row = result["rates"][0]
        equal((row["void"], row["p50"] > 0, row["core_ns"] > 0), ("", True, True), f"a row ({row})")


def story(world):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Skip("the harness needs two CPUs")
    line = Line(world, *cpus[:2])
    for mode in MODES:
        phase(f"mode {mode}, single frames")
        measure(line, mode, "single")
    phase("fixed rates")
    measure_fixed(line)
    for kind in ("superframe", "gro") if superframes_are_described() else ():
        phase(f"mode mcr, {kind}")
        measure(line, "mcr", kind)
    phase("what inspection costs")
    figures = inspection.measure(line, SECONDS, lambda what, _: print(f"   {what}"),
                                 rules=20, rate=scaled(RATE), rounds=1)
    for kind, one in figures.items():
        equal((one.get("void"), one.get("loss")), (None, 0), f"{kind}: what does not balance; lost")
    phase("what merging costs")
    figures = merging.measure(line, SECONDS, lambda what, _: print(f"   {what}"), rate=scaled(RATE),
                              rounds=1)
    for order, one in figures.items():
        equal((one.get("void"), one.get("loss")), (None, 0), f"merge {order}: what does not balance; lost")
        check(one["p50_us"] > 0, f"merge {order}: latency of what the receiver saw")
    print(merging.tell(figures))


play(story, 120)
