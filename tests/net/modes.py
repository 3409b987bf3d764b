#!/usr/bin/env python3
"""Whatever way a datagram takes through the relay, it comes out as it was sent.

    gen (g0) ---- (r0: GRO or not) relay (r1) ---- (s0) sink

Every combination of GRO, of the sender's way (single frames, bursts that GRO merges, superframes
of UDP_SEGMENT), of bulk and plain sending, of receiving singly or from a ring, and of 1 and 2
workers; then sizes mixed in one flow, and an egress that takes less than the ingress brings: no
checksum offload, no segmentation offload, a smaller MTU.
"""

import hashlib

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.frames import udp
from netlab.kernel import needs_superframes
from netlab.ledger import Ledger
from netlab.offload import is_on, switch
from netlab.traffic import FLAWLESS, Gen, Sink, exact, faults
from netlab.world import play

STREAMS = 4
GROUP, OUT = "239.1.1.1", "239.2.1.1"
MIXED, MIXED_OUT = "239.1.2.1", "239.2.2.1"
PLAIN = ("--plain",)
# How it sends, and how it receives.
WAYS = (("bulk", (), "auto"), ("plain", PLAIN, "auto"), ("recvmsg", (), "recvmsg"), ("mmap", (), "mmap"))
RATE = {"single frames": 8000, "bursts": 100000, "superframes": 100000}

# Superframes whose last segment is shorter, the segment size changing all the time: (segment
# size, bytes in all).
MESSAGES = [
    (1000, 1000), (1000, 2500), (1000, 1001), (1400, 62999), (1400, 1401), (1472, 2944), (1, 64),
    (200, 12799), (700, 2099), (700, 700), (31, 100), (32, 100), (1472, 64768), (900, 40001),
    (1400, 2), (1400, 28000), (1400, 28000), (1399, 28000),
]


def text(gro, workers=1, daemon="", ingress="recvmsg"):
    streams = [
        rule(f"s{n}", f"239.1.1.{n}", 5000, [("r1", f"239.2.1.{n}")])
        for n in range(1, STREAMS + 1)
    ]
    mixed = rule("mixed", MIXED, 5000, [("r1", MIXED_OUT)])
    return config(*streams, mixed, workers=workers,
                  extra=f'{daemon}\n[interface.r0]\ngro = "{gro}"\ningress = "{ingress}"\n')


def sender(world, way):
    """Arguments of Gen for a way of sending."""
    switch(world, "gen", "g0", tx_udp_segmentation=way != "bursts")
    return {"gso": "off" if way == "single frames" else "on"}


def received(daemon):
    entry = {i["name"]: i for i in daemon.status()["interfaces"]}["r0"]
    return entry["rx_datagrams"], entry["rx_frames"]


def stream(world, daemon, way, size=1400, count=4000):
    """Sends with a ledger; returns (datagrams, frames) that the relay received."""
    before = received(daemon)
    ledger = Ledger(world, daemon, size=size)
    exact(world, ledger, GROUP, 5000, scaled(count), RATE[way], STREAMS, size, out=(OUT, 5000),
          **sender(world, way))
    ledger.close()
    return tuple(now - then for then, now in zip(before, received(daemon)))


def every_combination(world):
    for workers in (1, 2):
        for name, options, ingress in WAYS:
            name = f"{name}-{workers}"
            daemon = Daemon(world, text("off", workers, "", ingress), name, options=options).start()
            for gro, way in (
                ("off", "single frames"), ("off", "superframes"),
                ("on", "single frames"), ("on", "superframes"), ("on", "bursts"),
            ):
                daemon.reload(text(gro, workers, "", ingress))
                datagrams, frames = stream(world, daemon, way)
                print(f"{name}, GRO {gro}, {way}: {datagrams} datagrams in {frames} frames",
                      flush=True)
                if gro == "off" and way == "single frames":
                    equal(frames, datagrams, "frames, nobody merging")
                if way != "single frames":
                    check(frames < datagrams, "nobody merged anything")
            shares = [w["rx_datagrams"] for w in daemon.status()["workers"]]
            check(all(shares), f"every worker carried some: {shares}")
            daemon.stop()


def line_of(data):
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"


def send_messages(world):
    """MESSAGES, from our own sender; returns the datagrams that they are."""
    lines, datagrams = [], []
    for number, (segment, length) in enumerate(MESSAGES):
        data = bytes((n * 7 + n // segment + number) % 251 for n in range(length))
        lines.append(f"{segment} {data.hex()}\n")
        datagrams += [data[at:at + segment] for at in range(0, length, segment)]
    world.run_program("segment_sender", MIXED, 5000, namespace="gen", stdin="".join(lines))
    return datagrams


def inject_frames(world):
    """Single frames whose sizes change within what one message would gather."""
    sizes = (900, 900, 900, 100, 900, 900, 1, 0, 1472, 1472, 7, 900, 0, 0, 1400) * 6
    datagrams = [bytes((n + index) % 251 for n in range(size)) for index, size in enumerate(sizes)]
    world.inject("gen", "g0", [udp("10.1.0.2", MIXED, 5000, data) for data in datagrams])
    return datagrams


def mixed_sizes(world, daemon, send, egress=("r1",)):
    """What one flow of ours brings to our own receiver, in its order."""
    receiver = world.start_program("datagram_hasher", MIXED_OUT, 5000, namespace="sink")
    ledger = Ledger(world, daemon, egress=egress)
    expected = [line_of(data) for data in send(world)]
    ledger.settle()
    ledger.close()
    until(lambda: len(receiver.out().splitlines()) >= len(expected),
          lambda: f"{len(expected)} datagrams: {len(receiver.out().splitlines())}")
    receiver.kill()
    seen = receiver.out().splitlines()
    for index, (was, is_now) in enumerate(zip(expected, seen)):
        equal(is_now, was, f"datagram {index} (length, hash)")
    equal(len(seen), len(expected), "datagrams")


def mixed(world):
    for name, options, ingress in WAYS:
        daemon = Daemon(world, text("off", 1, "", ingress), "mixed", options=options).start()
        mixed_sizes(world, daemon, inject_frames)
        for gro in ("off", "on"):
            daemon.reload(text(gro, 1, "", ingress))
            for way in ("superframes", "bursts"):
                sender(world, way)
                mixed_sizes(world, daemon, send_messages)
        daemon.stop()


def offloads_of_the_egress(world):
    daemon = Daemon(world, text("on")).start()
    for feature, also in (("tx-udp-segmentation", "tx_udp_segmentation"),
                          ("tx-checksum-ip-generic", "tx")):
        switch(world, "relay", "r1", **{also: False})
        check(not is_on(world, "relay", "r1", feature), f"{feature} is off")
        for way in RATE:
            stream(world, daemon, way)
        mixed_sizes(world, daemon, send_messages)
    switch(world, "relay", "r1", tx=True, tx_udp_segmentation=True)
    daemon.stop()


def batch_wait(world):
    daemon = Daemon(world, text("on", 2, 'batch_wait = "200us"')).start()
    for way in RATE:
        stream(world, daemon, way)
    stream(world, daemon, "single frames", size=100)
    daemon.stop()


def set_mtus(world, daemon, ingress, egress):
    for namespace, interface, mtu in (("gen", "g0", ingress), ("relay", "r0", ingress),
                                      ("relay", "r1", egress), ("sink", "s0", egress)):
        world.sh(f"ip -n {namespace} link set {interface} mtu {mtu}")
    until(lambda: [i["mtu"] for i in daemon.status()["interfaces"]] == [ingress, egress],
          "the relay knows the new MTUs")


def in_fragments(world, daemon, way, size, count):
    """Datagrams that the egress takes in fragments only, if at all."""
    def outputs():
        found = [daemon.rule(f"s{n}")["outputs"][0] for n in range(1, STREAMS + 1)]
        return (sum(o["tx_datagrams"] for o in found), sum(o["drops"]["too_big"] for o in found),
                sum(sum(o["drops"].values()) for o in found))

    before, ledger = outputs(), Ledger(world, daemon, egress=())
    sink = Sink(world, OUT, 5000, STREAMS)
    sent = Gen(world, GROUP, 5000, STREAMS, scaled(20000), size, scaled(count),
               **sender(world, way)).wait()["sent"]
    missed = ledger.settle()["kernel_drops"][0]
    ledger.close()
    seen = sink.stop()
    tx, too_big, drops = (now - then for then, now in zip(before, outputs()))
    print(f"{size} B, {way}: {sent} sent, {tx} relayed, {too_big} too big; "
          f"{seen['received']} received", flush=True)
    if not missed:
        equal(tx + drops, sent, "relayed and dropped together")
    equal(drops, too_big, "drops, all of them being too big")
    check(tx, "a datagram above the egress MTU leaves in fragments, as a host's would")
    equal(seen["received"], tx, "datagrams put together again at the sink")
    if not drops and not missed:
        equal(faults(seen), FLAWLESS, "faults at the sink")


def smaller_mtu(world):
    for options in ((), PLAIN):
        daemon = Daemon(world, text("on"), "mtu", options=options).start()
        for ingress, egress, large, small in ((9000, 1500, 4000, 1472), (1500, 600, 1400, 572)):
            set_mtus(world, daemon, ingress, egress)
            for way in RATE:
                in_fragments(world, daemon, way, large, 500)
            stream(world, daemon, "superframes", size=small, count=2000)
        mixed_sizes(world, daemon, inject_frames, egress=())
        mixed_sizes(world, daemon, send_messages, egress=())
        daemon.stop()


def story(world):
    by_the_worker("the ways in which a worker receives and sends")
    needs_superframes()
    world.line()
    phase("every combination of GRO, sender, bulk or plain, and workers")
    every_combination(world)
    phase("sizes mixed in one flow, last segments shorter")
    mixed(world)
    phase("no segmentation offload at the egress, then no checksum offload either")
    offloads_of_the_egress(world)
    phase("batch_wait")
    batch_wait(world)
    phase("MTU smaller at the egress than at the ingress")
    smaller_mtu(world)


play(story, 100)
