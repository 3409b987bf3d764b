#!/usr/bin/env python3
"""Socket buffers capped at the stock 212,992 bytes; rates that fit.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play


def story(world):
    world.line()
    rules = [
        rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
        rule("ten", "239.1.1.2", 5000, [("r1", f"239.2.2.{n}") for n in range(1, 11)]),
    ]
    for workers in (1, 2):
        phase(f"{workers} workers")
        daemon = Daemon(
            world, config(*rules, workers=workers, buffers="208 KiB"), name=f"relay-{workers}"
        ).start()
        for interface in daemon.status()["interfaces"]:
            granted = interface["receive_buffer"], interface["send_buffer"]
            print(f"{interface['name']}: granted receive {granted[0]} B, send {granted[1]} B")
            # The kernel doubles what is asked for, and counts that (socket(7)).
            check(max(granted) <= 2 * 212992, f"buffers are not capped: {granted}")
            asked = interface["receive_buffer_asked"], interface["send_buffer_asked"]
            equal(asked, (208 << 10, 208 << 10), "buffers that the configuration asks for")
        ledger = Ledger(world, daemon, size=1400)
        exact(world, ledger, "239.1.1.1", 5000, scaled(8000), 5000, out=("239.2.1.1", 5000))
        exact(world, ledger, "239.1.1.2", 5000, scaled(800), 500,
              sinks=[(f"239.2.2.{n}", 5000, "sink", "s0") for n in (1, 10)])
        ledger.close()
        daemon.stop()


play(story, 45)
