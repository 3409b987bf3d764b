#!/usr/bin/env python3
"""More than the relay can carry, and an egress that takes nothing any more.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                            (r2: a slow queue, or a neighbour who never answers)

Overload: the relay answers, counts what it lost, and recovers. A stalled egress costs the other
outputs and rules nothing; what is lost on it is counted, and the rest keeps its order.
"""

import time

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import PATIENCE, check, equal, phase, scaled, until
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger
from netlab.offload import switch
from netlab.traffic import FLAWLESS, Gen, Sink, exact, faults
from netlab.world import play

OUTPUTS = 20
SIZE = 1400
BUFFER = 'send_buffer = "208 KiB"'  # full soon


def ask(daemon, seconds):
    """Asks for the status again and again; returns how long each answer took."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        daemon.status()
        took.append(time.monotonic() - began)
        time.sleep(0.05)
    return took


def overload(world, options):
    """Frames are datagrams here: nobody merges, so the kernel's drops can be told exactly."""
    switch(world, "gen", "g0", tx_udp_segmentation=False)
    fan = rule("fan", "239.1.1.1", 5000, [("r1", f"239.2.1.{n}") for n in range(1, OUTPUTS + 1)])
    extra = f'[interface.r0]\ngro = "off"\nreceive_buffer = "1 MiB"\n[interface.r1]\n{BUFFER}\n'
    daemon = Daemon(world, config(fan, extra=extra), "overload", options=options).start()
    ledger = Ledger(world, daemon, egress=(), size=SIZE)
    before = daemon.status()["totals"]
    load = Gen(world, "239.1.1.1", 5000, rate="max", size=SIZE, duration=2, gso="on")
    took = ask(daemon, 1.8)
    sent = load.wait()["sent"]
    result = ledger.settle()
    after = result["status"][0]["totals"]
    lost = result["kernel_drops"][0]
    frames = result["in"]["239.1.1.1", 5000].frames
    carried = after["rx_datagrams"] - before["rx_datagrams"]
    drops = after["tx_drops"]
    print(f"sent {sent}, came {frames}, carried {carried}, kernel drops {lost}, "
          f"copies {after['tx_datagrams']}, dropped {sum(drops.values())}; "
          f"`mcr status` took {max(took) * 1000:.0f} ms at most in {len(took)}", flush=True)
    equal(frames, carried + lost, "frames offered, and those received or counted as dropped")
    equal(after["tx_datagrams"] + sum(drops.values()), OUTPUTS * carried, "copies and their drops")
    check(lost or sum(drops.values()), "that was no overload")
    check(carried > 0, "the relay carried something")
    check(max(took) < PATIENCE, f"`mcr status` took {max(took):.2f} s under load")
    ledger.close()

    ledger = Ledger(world, daemon, size=SIZE)
    exact(world, ledger, "239.1.1.1", 5000, scaled(1000), 1000, sinks=[
        (f"239.2.1.{n}", 5000, "sink", "s0") for n in (1, OUTPUTS)
    ])
    ledger.close()
    daemon.stop()
    switch(world, "gen", "g0", tx_udp_segmentation=True)


def all_notified(daemon):
    """Whether the kernel has let go of every buffer: it keeps those for a silent neighbour."""
    outputs = [output for each in daemon.status()["rules"] for output in each["outputs"]]
    return all(o["zerocopy"] + o["copied"] == o["tx_datagrams"] for o in outputs)


class Excuses:
    """What this machine was too slow for, elsewhere than at the stalled output."""

    def __init__(self, world):
        self._world = world
        self._before = world.udp_errors("sink")

    def any(self, result):
        return any(result["kernel_drops"]) or self._world.udp_errors("sink") > self._before


def beside(world, ledger, rate, count, gso):
    """Sends to the rule with a stalled output, and to another rule at the same time.

    The free output and the other rule lose nothing and are not held up. Returns how many were
    sent to each, and whether the machine was too slow to judge by that.
    """
    excuses = Excuses(world)
    free = Sink(world, "239.2.1.1", 5000)
    other = Sink(world, "239.2.1.3", 5000)
    gens = [
        Gen(world, group, 5000, rate=scaled(rate), size=SIZE, count=scaled(count), gso=gso)
        for group in ("239.1.1.1", "239.1.1.2")
    ]
    sent = [gen.wait()["sent"] for gen in gens]
    equal(sent, [scaled(count)] * 2, "datagrams sent to the two rules")
    until(lambda: all_notified(ledger.daemons[0]), "the kernel has let go of every buffer")
    result = ledger.settle()
    seen = [free.stop(), other.stop()]
    if excuses.any(result):
        phase(f"this machine is too slow for {rate} pps: nothing is judged by that")
        return sent[0], True
    received = [each["received"] for each in seen]
    equal(received, sent, "datagrams at the output beside the stalled one, and of the other rule")
    equal([faults(each) for each in seen], [FLAWLESS, FLAWLESS], "their faults")
    delays = [each["latency_us"]["p50"] / 1000 for each in seen]
    check(max(delays) < 100 * PATIENCE, f"median delays (ms) beside the stalled one: {delays}")
    return sent[0], False


def stalled(world, output, name, workers=1):
    """A daemon with an output that stalls; and a function, what that dropped since last asked."""
    daemon = Daemon(
        world,
        config(
            rule("both", "239.1.1.1", 5000, [("r1", "239.2.1.1"), output]),
            rule("other", "239.1.1.2", 5000, [("r1", "239.2.1.3")]),
            workers=workers, extra=f"[interface.r2]\n{BUFFER}\n",
        ),
        name,
    ).start()
    last = {}

    def drops():
        now = daemon.rule("both")["outputs"][1]["drops"]
        fresh = {key: now[key] - last.get(key, 0) for key in now if now[key] != last.get(key, 0)}
        last.update(now)
        return fresh

    return daemon, drops


# A paced stream of single frames, and superframes at a rate that makes them large.
LOADS = [(4000, 6000, "off")]
if superframes_are_described():
    LOADS.append((40000, 20000, "on"))


def slow_queue(world, workers):
    """The queue drops nothing: what it holds fills the socket's send buffer."""
    slowest = max(scaled(4000), 1000)
    world.sh(f"tc qdisc add dev r2 root tbf rate {slowest * 2000}bit burst 10kb limit 100mb",
             "relay")
    daemon, drops = stalled(world, ("r2", "239.2.1.2"), f"slow-{workers}", workers)
    ledger = Ledger(world, daemon, egress=("r1", "r2"), size=SIZE)
    for rate, count, gso in LOADS:
        slow = Sink(world, "239.2.1.2", 5000, interface="s2")
        sent, excused = beside(world, ledger, rate, count, gso)
        seen, dropped = slow.stop(), drops()
        print(f"gso {gso}: sent {sent} twice, behind the slow queue {seen['received']}, "
              f"drops {dropped}", flush=True)
        check(dropped, "the queue was slow enough to lose something")
        check(seen["received"], "the slow egress carries what it can")
        if not excused:
            equal(sent - seen["received"], sum(dropped.values()),
                  "datagrams missing behind the slow queue, and those that the counters name")
        equal({**faults(seen), "lost": 0}, FLAWLESS, "faults behind the slow queue, but for losses")
    daemon.stop()
    ledger.close()
    world.sh("tc qdisc del dev r2 root", "relay")


def silent_neighbour(world):
    """The kernel keeps a few datagrams for who never answers, for seconds, and drops the rest."""
    output = '{ interface = "r2", address = "10.3.0.77", port = 5000 }'  # nobody has it
    daemon, drops = stalled(world, output, "silent")
    ledger = Ledger(world, daemon, egress=("r1",), size=SIZE)
    for rate, count, gso in LOADS:
        sent, excused = beside(world, ledger, rate, count, gso)
        entry, dropped = daemon.rule("both")["outputs"][1], drops()
        print(f"gso {gso}: sent {sent} twice, to the silent neighbour {entry['tx_datagrams']}, "
              f"drops {dropped}", flush=True)
        check(excused or entry["matched"] >= sent, "all of it was for the silent neighbour too")
    Gen(world, "239.1.1.1", 5000, rate=scaled(4000), size=SIZE, count=scaled(2000)).wait()
    took = daemon.stop()
    check(took < 3 * PATIENCE, f"a stop beside a silent neighbour took {took:.1f} s")
    ledger.close()


def story(world):
    by_the_worker("overload of a worker")
    world.line()
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s2", "10.3.0.2/24")
    for options in ((), ("--plain",)):
        phase(f"one stream to {OUTPUTS} outputs at full rate {' '.join(options)}")
        overload(world, options)
    for workers in (1, 2):
        phase(f"a slow queue beside, workers: {workers}")
        slow_queue(world, workers)
    phase("a silent neighbour beside")
    silent_neighbour(world)


play(story, 90)
