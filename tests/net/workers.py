#!/usr/bin/env python3
"""1, 2 and 4 workers, 50 streams; then a second daemon beside the first.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        239.1.1.1:5000 ... 239.1.1.50:5000   ->   239.2.1.1:5000 ... 239.2.1.50:5000

Every worker carries some; nothing is lost or doubled; each stream keeps its order (fanout
hash). Two daemons with the same rules on the same interface both receive and forward all.
"""

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import check, equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import Gen, exact
from netlab.world import play

STREAMS = 50
SIZE = 400


def rules(prefix="239.2.1"):
    return [
        rule(f"s{n}", f"239.1.1.{n}", 5000, [("r1", f"{prefix}.{n}")])
        for n in range(1, STREAMS + 1)
    ]


def story(world):
    by_the_worker("how workers share streams")
    world.line()
    count = scaled(200) * STREAMS
    for workers in (1, 2, 4):
        phase(f"{workers} workers")
        daemon = Daemon(world, config(*rules(), workers=workers), name=f"relay-{workers}").start()
        ledger = Ledger(world, daemon, size=SIZE)
        exact(world, ledger, "239.1.1.1", 5000, count, 8000, STREAMS, SIZE,
              out=("239.2.1.1", 5000))
        status = daemon.status()
        shares = [w["rx_datagrams"] for w in status["workers"]]
        print(f"datagrams a worker: {shares}")
        equal(len(shares), workers, "workers in the status")
        check(all(shares), f"every worker carries some: {shares}")
        daemon.stop()
        ledger.close()

    phase("a second daemon on the same interface, with the same rules")
    pair = [
        Daemon(world, config(*rules(), workers=2), name=name).start() for name in ("left", "right")
    ]
    ledger = Ledger(world, *pair, size=SIZE)
    count = scaled(100) * STREAMS
    rate = scaled(5000)
    for _ in range(3):
        before = [d.status()["totals"]["rx_datagrams"] for d in pair]
        Gen(world, "239.1.1.1", 5000, STREAMS, rate, SIZE, count).wait()
        seen = ledger.settle()
        if not any(seen["kernel_drops"]):
            break
        phase(f"too slow for {rate} pps ({seen['kernel_drops']} kernel drops): again at half")
        rate = max(1, rate // 2)
    got = [d.status()["totals"]["rx_datagrams"] - b for d, b in zip(pair, before)]
    equal(got, [count, count], "datagrams that the two daemons received")
    equal(ledger.datagrams(seen["out"]["r1"]), 2 * count, "datagrams at the sink, from both")


play(story, 60)
