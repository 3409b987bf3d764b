#!/usr/bin/env python3
"""A kernel before 6.2 cannot describe UDP superframes: each is counted, and the rest goes on.

    gen (g0) ---- (r0: GRO) relay (r1) ---- (s0) sink
        superframes, single frames
"""

from netlab.counters import Counters
from netlab.daemon import Daemon, config, rule
from netlab.expect import Skip, check, equal, phase, scaled, until
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger
from netlab.offload import is_on, switch
from netlab.traffic import Gen, exact
from netlab.world import play

TEXT = config(rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")]))
FEATURE = "rx-udp-gro-forwarding"


def single(world, daemon):
    ledger = Ledger(world, daemon, size=1000)
    exact(world, ledger, "239.1.1.1", 5000, scaled(2000), scaled(2000), size=1000,
          out=("239.2.1.1", 5000))
    ledger.close()


def superframes(world, daemon):
    before = daemon.status()["totals"]
    arriving = Counters(world, "relay", "r0")
    count = scaled(4000, 200)
    Gen(world, "239.1.1.1", 5000, rate=scaled(20000, 2000), size=1000, count=count,
        gso="on").wait()
    offered = arriving.read()["239.1.1.1", 5000]
    arriving.close()
    equal(offered.payload, count * 1000, "bytes of payload that arrived")
    check(offered.frames < count, "the sender made superframes at all")

    def now():
        return daemon.status()["totals"]

    def fresh(key):
        return now()[key] - before[key]

    until(lambda: fresh("rx_datagrams") + fresh("kernel_drops") == offered.frames,
          lambda: f"each of {offered.frames} frames is counted once: {now()}")
    equal(fresh("kernel_drops"), 0, "frames that the socket had no room for")
    truncated = now()["drops"]["truncated"] - before["drops"]["truncated"]
    check(truncated > 0, "superframes are counted truncated")
    equal(fresh("matched") + truncated, offered.frames, "frames relayed, and counted truncated")


def kept_off(world):
    switch(world, "relay", "r0", gro=True, rx_udp_gro_forwarding=True)
    daemon = Daemon(world, TEXT, "host-merges").start()
    until(lambda: not is_on(world, "relay", "r0", FEATURE), f"{FEATURE} of r0 is off")
    daemon.reload(TEXT + "# another text\n")
    equal(daemon.log().count("UDP GRO is kept off: interface=r0"), 1, "lines of the log that say so")
    daemon.stop()
    check(is_on(world, "relay", "r0", FEATURE), f"{FEATURE} of r0 is put back")


def long_filters(world):
    """Filters that the small optmem_max refuses, at first and in a reload, are made shorter."""
    def text(number):
        many = [rule(f"n{n}", f"239.{n % 50 + 10}.{number}.{n}", 5000 + n, [("r1", "239.2.9.9")])
                for n in range(1, 200)]
        return TEXT + "".join(many)

    world.sysctl("relay", "net.ipv4.igmp_max_memberships", 500)
    daemon = Daemon(world, text(1), "many").start()
    for number in (2, 3):
        single(world, daemon)
        daemon.reload(text(number))
    single(world, daemon)
    daemon.stop()


def story(world):
    if superframes_are_described():
        raise Skip("this kernel is 6.2 or later; it runs in tools/guest")
    world.line()
    daemon = Daemon(world, TEXT).start()
    phase("single frames")
    single(world, daemon)
    phase("superframes")
    superframes(world, daemon)
    phase("single frames, on the same socket")
    single(world, daemon)
    equal(daemon.log().count("older than Linux 6.2"), 1, "lines of the log that say so")
    daemon.stop()
    phase("long filters")
    long_filters(world)
    phase("a host that merges")
    kept_off(world)


play(story, 60)
