#!/usr/bin/env python3
"""Payloads of every size, and frames that must not come out.

    gen (g0) ---- (r0) relay (r1, r2) ---- (s0, s2) sink
        MTU 9000          MTU 9000 and 1500

0, 1, 46, 64, 1472 and 8972 bytes; a datagram larger than the egress MTU; corrupt checksum, lying
lengths, a denied source: counted by name, and nothing of them at the sink.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled
from netlab.frames import right_checksum, udp
from netlab.ledger import Ledger
from netlab.traffic import FLAWLESS, Gen, Sink, exact, faults
from netlab.world import play


def big_to_small_mtu(world, daemon):
    count = scaled(500, 50)
    before = daemon.rule("small-mtu")["outputs"][0]
    sink = Sink(world, "239.2.1.2", 5000, interface="s2")
    Gen(world, "239.1.1.2", 5000, rate=scaled(1000), size=4000, count=count).wait()
    ledger = Ledger(world, daemon, egress=())
    ledger.rest()
    ledger.close()
    seen, after = sink.stop(), daemon.rule("small-mtu")["outputs"][0]
    sent = after["tx_datagrams"] - before["tx_datagrams"]
    too_big = after["drops"]["too_big"] - before["drops"]["too_big"]
    print(f"{count} datagrams of 4000 B: {sent} sent in fragments, {too_big} counted too_big")
    equal(sent + too_big, count, "sent and too_big together")
    equal(seen["received"], sent, "datagrams put together again at the sink")
    equal(faults(seen), FLAWLESS, "faults at the sink")
    check(sent == count, "a datagram above the egress MTU leaves in fragments, as a host's would")


def bad_frames(world, daemon, ledger):
    good = udp("10.1.0.2", "239.1.1.1", 5000, b"x" * 100)
    wrong = right_checksum(good) ^ 0x0101 or 0x0101
    cases = {
        "bad_checksum": udp("10.1.0.2", "239.1.1.1", 5000, b"x" * 100, checksum=wrong),
        "bad_length": udp("10.1.0.2", "239.1.1.1", 5000, b"x" * 100, udp_length=400),
        "source_denied": udp("10.9.9.9", "239.1.1.3", 5000, b"x" * 100),
    }
    for reason, frame in cases.items():
        before = daemon.status()["totals"]["drops"]
        world.inject("gen", "g0", [frame] * 20)
        seen = ledger.settle()
        after = daemon.status()["totals"]["drops"]
        moved = {key: after[key] - before[key] for key in after if after[key] != before[key]}
        equal(moved, {reason: 20}, f"drop counters after 20 frames made for {reason}")
        equal(seen["out"]["r1"], {}, f"what came out of frames made for {reason}")

    unsummed = udp("10.1.0.2", "239.1.1.1", 5000, b"x" * 100, checksum=0)
    allowed = udp("10.1.0.77", "239.1.1.3", 5000, b"x" * 100)
    world.inject("gen", "g0", [good] * 10 + [unsummed] * 10 + [allowed] * 10)
    seen = ledger.settle()["out"]["r1"]
    equal(seen["239.2.1.1", 5000].payload, 2000, "bytes of 10 right and 10 unsummed datagrams")
    equal(seen["239.2.1.3", 5000].payload, 1000, "bytes of 10 datagrams of the one allowed source")


def story(world):
    world.line(mtu=9000)
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s2", "10.3.0.2/24", mtu=1500)
    daemon = Daemon(
        world,
        config(
            rule("any-size", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
            rule("small-mtu", "239.1.1.2", 5000, [("r2", "239.2.1.2")]),
            rule("one-source", "239.1.1.3", 5000, [("r1", "239.2.1.3")], sources=["10.1.0.77"]),
        ),
    ).start()
    for size in (0, 1, 31, 32, 46, 64, 1472, 1473, 8972):
        count = scaled(1000)
        phase(f"{size} B, {count} datagrams")
        ledger = Ledger(world, daemon, egress=("r1",), size=size)
        seen = exact(world, ledger, "239.1.1.1", 5000, count, 4000, size=size,
                     out=("239.2.1.1", 5000))
        equal(ledger.datagrams(seen["out"]["r1"]), count, "datagrams counted at the sink's end")
        ledger.close()

    phase("4000 B towards an MTU of 1500")
    big_to_small_mtu(world, daemon)

    phase("frames that must not come out")
    bad_frames(world, daemon, Ledger(world, daemon))


play(story, 60)
