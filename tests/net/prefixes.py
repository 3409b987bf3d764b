#!/usr/bin/env python3
"""Blocks of groups and ranges of ports, mapped by their distance.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        239.1.0.0/24 : 5000-5003   ->   239.9.0.0/24 : 6000-6003, and one group for all

Every group is joined. Each datagram leaves for the group and port at the same distance, in order,
and what lies beside the block does not leave at all. One limit holds for all of an output.
"""

from netlab.daemon import Daemon, config
from netlab.expect import check, equal, phase, scaled, until
from netlab.frames import udp
from netlab.ledger import Ledger, internal
from netlab.traffic import FLAWLESS, GSO, Gen, Sink, exact, faults
from netlab.world import play

BLOCK = "239.1.0.0/24"
GROUPS = {f"239.1.0.{n}" for n in range(256)}


def rule(name, group, port, *outputs):
    return (f'[[rule]]\nname = "{name}"\n'
            f'input = {{ interface = "r0", group = "{group}", port = {port} }}\n'
            f"outputs = [ {', '.join(outputs)} ]\n\n")


def output(group, port=None, more=""):
    port = "" if port is None else f", port = {port}"
    return f'{{ interface = "r1", group = "{group}"{port}{more} }}'


def mapped(world):
    daemon = Daemon(world, config(
        rule("block", BLOCK, '"5000-5003"', output("239.9.0.0/24", '"6000-6003"'),
             output("239.8.8.8", 7000)),
        rule("beside", "239.1.1.0", 5000, output("239.2.2.2")),
    )).start()
    ledger = Ledger(world, daemon, size=200)

    phase("every group of the block is joined")
    equal(world.igmp("relay", "r0"), GROUPS | {"239.1.1.0"}, "groups in /proc/net/igmp")
    [shown] = daemon.rule("block")["inputs"]
    equal((shown["group"], shown["port"]), (BLOCK, "5000-5003"), "the input in status")
    equal([(o["group"], o["port"]) for o in daemon.rule("block")["outputs"]],
          [("239.9.0.0/24", "6000-6003"), ("239.8.8.8", 7000)], "the outputs in status")

    phase("each group and port goes to its own, beside them nothing")
    ends = [(0, 0), (0, 3), (7, 1), (255, 0), (255, 3)]
    frames = [udp("10.1.0.2", f"239.1.0.{g}", 5000 + p, bytes(200)) for g, p in ends]
    frames += [udp("10.1.0.2", group, port, bytes(200))
               for group, port in (("239.1.0.255", 5004), ("239.1.0.0", 4999),
                                   ("239.0.255.255", 5000), ("239.1.1.0", 5001))]
    world.inject("gen", "g0", frames)
    arrived = ledger.settle()["out"]["r1"]
    expected = {(f"239.9.0.{g}", 6000 + p): 1 for g, p in ends} | {("239.8.8.8", 7000): len(ends)}
    equal({key: count.payload // 200 for key, count in arrived.items()}, expected, "what came")
    equal(daemon.rule("beside")["rx_datagrams"], 0, "datagrams of the rule beside")

    phase("256 streams at once, each in order")
    streams = 256
    count = scaled(5120, 2 * streams) // streams * streams
    exact(world, ledger, "239.1.0.0", 5002, count, 6000, streams, 200, out=("239.9.0.0", 6002))

    phase("superframes (where they can be read), and all streams in one group")
    sink = Sink(world, "239.9.0.9", 6001)
    total = Sink(world, "239.8.8.8", 7000)
    count = scaled(4000)
    Gen(world, "239.1.0.9", 5001, rate=scaled(8000), size=200, count=count,
        gso=GSO[-1]).wait()
    dropped = ledger.settle()["kernel_drops"][0]
    for one in (sink, total):
        got = one.stop()
        if not dropped:
            equal({"received": got["received"], **faults(got)},
                  {"received": count, **FLAWLESS}, "what came")
    one = world.call("status", "block", "--socket", daemon.socket).stdout
    for word in ("239.1.0.0/24:5000-5003", "256 of 256 memberships joined", "239.9.0.0/24:6000"):
        check(word in one, f"{word!r} is in the output of `status block`:\n{one}")

    phase("a smaller block: the rest is left, the counters of an output that stays go on")
    before = daemon.rule("block")["outputs"][1]["tx_datagrams"]
    daemon.reload(config(rule("block", "239.1.0.0/28", 5000, output("239.9.0.0/28", 6000),
                              output("239.8.8.8", 7000))))
    until(lambda: world.igmp("relay", "r0") == {f"239.1.0.{n}" for n in range(16)}, "16 groups")
    equal(daemon.rule("block")["outputs"][1]["tx_datagrams"], before, "tx_datagrams")
    internal(daemon.status())
    ledger.close()
    daemon.stop()


def limited(world):
    phase("one limit for all of an output; the largest block")
    daemon = Daemon(world, config(
        rule("big", "239.1.0.0/20", 5000, output("239.9.0.0/20", 6000, ", max_pps = 100")),
    ), name="limited").start()
    equal(len(world.igmp("relay", "r0")), 4096, "groups joined")
    ledger = Ledger(world, daemon, size=100)
    frames = [udp("10.1.0.2", f"239.1.{n // 256}.{n % 256}", 5000, bytes(100))
              for n in range(0, 4096, 8)]
    world.inject("gen", "g0", frames)
    seen = ledger.settle()
    [out] = daemon.rule("big")["outputs"]
    equal(out["matched"], len(frames) - seen["kernel_drops"][0], "matched")
    check(64 <= out["tx_datagrams"] < len(frames) / 2, f"the limit holds for all: {out}")
    equal(out["drops"]["rate_limited"], out["matched"] - out["tx_datagrams"], "rate_limited")


def story(world):
    world.line()
    mapped(world)
    limited(world)


play(story, 60)
