#!/usr/bin/env python3
"""max_pps and max_bps of outputs.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

One stream of 4,000 datagrams a second goes to four groups: one without a limit, one with 1,000
datagrams a second, one with as many bits, one with more than comes. What a limit refuses is
counted, and what it lets pass is whole and in order.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger
from netlab.traffic import Gen, Sink, exact
from netlab.world import play

SIZE = 500
RATE = 4000
LIMIT = 1000
BITS = LIMIT * SIZE * 8
BURST = {"239.2.1.2": 64, "239.2.1.3": 65507 // SIZE + 1}  # a superframe


def output(group, more=""):
    return f'{{ interface = "r1", group = "{group}"{more} }}'


def rules(pps, bps, most=100):
    return rule("a", "239.1.1.1", 5000, [
        output("239.2.1.1"),
        output("239.2.1.2", f", max_pps = {pps}"),
        output("239.2.1.3", f', max_bps = "{bps // 1000} kbit"'),
        output("239.2.1.4", f", max_pps = {most * pps}, max_bps = {most * bps}"),
    ])


def run(world, daemon, ledger, gso):
    """One run: what came to each group beside what its limit allows."""
    before = {o["group"]: o for o in daemon.rule("a")["outputs"]}
    sinks = {group: Sink(world, group, 5000) for group in before}
    count = 2 * scaled(RATE)
    sent = Gen(world, "239.1.1.1", 5000, rate=scaled(RATE), size=SIZE, count=count, gso=gso).wait()
    seen = ledger.settle()
    count -= seen["kernel_drops"][0]
    now = {o["group"]: o for o in daemon.rule("a")["outputs"]}
    for group, sink in sinks.items():
        got = sink.stop()
        refused = now[group]["drops"]["rate_limited"] - before[group]["drops"]["rate_limited"]
        print(f"{group}: {got['received']} of {count} came, {refused} refused")
        if seen["kernel_drops"][0] == 0:
            equal(got["received"] + refused, count, f"received and refused of {group}")
        equal((got["duplicated"], got["corrupt"]), (0, 0), f"faults of {group}")
        if group not in BURST:
            equal(refused, 0, f"rate_limited of {group}")
            continue
        most = scaled(LIMIT) * (sent["seconds"] + 0.2) + BURST[group]
        check(got["received"] <= most, f"{group} is kept to {most:.0f}: {got}")
        check(got["received"] > most / 2, f"{group} gets about {most:.0f}: {got}")
        yield got


def story(world):
    world.line()
    limits = scaled(LIMIT), scaled(BITS)
    daemon = Daemon(world, config(rules(*limits))).start()
    ledger = Ledger(world, daemon, size=SIZE)

    phase("single datagrams")
    for got in run(world, daemon, ledger, "off"):
        equal(got["reordered"], 0, "datagrams out of order")

    if superframes_are_described():
        phase("superframes pass in part")
        for got in run(world, daemon, ledger, "on"):
            equal(got["reordered"], 0, "datagrams out of order")

    phase("what is shown")
    shown = daemon.rule("a")["outputs"]
    equal([o["max_pps"] for o in shown], [None, limits[0], None, 100 * limits[0]], "max_pps")
    equal([o["max_bps"] for o in shown], [None, None, limits[1] // 1000 * 1000, 100 * limits[1]],
          "max_bps")
    text = world.call("status", "a", "--socket", daemon.socket).stdout
    check("rate_limited" in text and "at most" in text, f"status tells of limits:\n{text}")

    phase("a reload takes the limits away: everything passes, the counters stay")
    refused = shown[1]["drops"]["rate_limited"]
    daemon.reload(config(rules(10**9, 10**12, 1)))
    exact(world, ledger, "239.1.1.1", 5000, scaled(4000), RATE, size=SIZE, out=("239.2.1.2", 5000))
    equal(daemon.rule("a")["outputs"][1]["drops"]["rate_limited"], refused, "rate_limited")
    ledger.close()
    daemon.stop()

    phase("two workers share a limit")
    shared = Daemon(world, config(rules(*limits), workers=2, extra='fanout = "lb"'), "shared")
    shared.start()
    for _ in run(world, shared, Ledger(world, shared, size=SIZE), "off"):
        pass
    equal([w["rx_datagrams"] > 0 for w in shared.status()["workers"]], [True, True],
          "both workers have worked")


play(story, 60)
