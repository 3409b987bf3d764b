#!/usr/bin/env python3
"""1, 2, 20, 50, 150 and 1,000 groups at once through one relay.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        239.1.0.1:5000 ... 239.1.x.y:5000   ->   239.2.0.1:6000 ... 239.2.x.y:6000

Every datagram of every stream arrives once, in order, intact, at the right output group and
port; the kernel's list of joined groups, the daemon's and ours agree.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play


def group(prefix, n):
    return f"{prefix}.{n // 256}.{n % 256}"


def rules(streams):
    return [
        rule(f"s{n}", group("239.1", n), 5000, [("r1", group("239.2", n), 6000)])
        for n in range(1, streams + 1)
    ]


def story(world):
    world.line()
    world.sysctl("sink", "net.ipv4.igmp_max_memberships", 20)
    daemon = Daemon(world, config(*rules(1))).start()
    for streams in (1, 2, 20, 50, 150, 1000):
        each = max(2, 6000 // streams) if streams > 1 else 3000
        count = scaled(each * streams, 2 * streams) // streams * streams
        phase(f"{streams} streams, {count // streams} datagrams each")
        daemon.reload(config(*rules(streams)))
        daemon.wait_active()
        ours = {group("239.1", n) for n in range(1, streams + 1)}
        equal(world.igmp("relay", "r0"), ours, "groups joined, says /proc/net/igmp")
        equal(daemon.groups(), ours, "groups joined, says the daemon")

        ledger = Ledger(world, daemon, size=200)
        seen = exact(world, ledger, "239.1.0.1", 5000, count, 8000, streams, 200,
                     out=("239.2.0.1", 6000))
        for n in range(1, streams + 1):
            arrived = seen["out"]["r1"][group("239.2", n), 6000]
            equal(arrived.payload, count // streams * 200, f"bytes to output group {n}")
        equal(len(seen["out"]["r1"]), streams, "destinations seen at the sink")
        ledger.close()
    status = daemon.status()["membership"]
    print(f"1,000 groups on {status['helper_sockets']} helper sockets")
    daemon.stop()
    equal(world.igmp("relay", "r0"), set(), "groups still joined after the end")


play(story, 60)
