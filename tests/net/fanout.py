#!/usr/bin/env python3
"""One stream to 50 outputs; and 75,000 sequenced datagrams of 1400 B, bit by bit.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        239.1.1.1:5000   ->   239.2.1.1:6001 ... 239.2.1.50:6050, and once more to a unicast address
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play

OUTPUTS = 50


def story(world):
    world.line()
    mac = world.mac("sink", "s0")
    world.sh(f"ip -n relay neigh replace 10.2.0.2 lladdr {mac} dev r1 nud permanent")
    outputs = [("r1", f"239.2.1.{n}", 6000 + n) for n in range(1, OUTPUTS + 1)]
    daemon = Daemon(
        world,
        config(
            rule("fifty", "239.1.1.1", 5000, outputs),
            rule("pair", "239.1.1.2", 5000, [
                ("r1", "239.2.2.2", 5000),
                '{ interface = "r1", address = "10.2.0.2", port = 7000 }',
            ]),
        ),
    ).start()
    ledger = Ledger(world, daemon, size=1400)

    count = scaled(1000)
    phase(f"one stream to {OUTPUTS} outputs, {count} datagrams; three of them heard by a sink")
    heard = [(f"239.2.1.{n}", 6000 + n, "sink", "s0") for n in (1, 25, 50)]
    seen = exact(world, ledger, "239.1.1.1", 5000, count, 500, sinks=heard)
    for n in range(1, OUTPUTS + 1):
        copies = seen["out"]["r1"][f"239.2.1.{n}", 6000 + n].payload // 1400
        equal(copies, count, f"copies to output {n}")

    count = scaled(2000)
    phase(f"a group and a unicast address, {count} datagrams")
    seen = exact(world, ledger, "239.1.1.2", 5000, count, 5000, out=("239.2.2.2", 5000))
    equal(seen["out"]["r1"]["10.2.0.2", 7000].payload, count * 1400, "bytes to the address")
    [unicast] = [o for o in daemon.rule("pair")["outputs"] if "address" in o]
    equal(unicast["address"], "10.2.0.2", "the output's address in the status")

    count = scaled(75000)
    phase(f"{count} sequenced datagrams of 1400 B, all bit-exact")
    exact(world, ledger, "239.1.1.2", 5000, count, 8000, out=("239.2.2.2", 5000))


play(story, 60)
