#!/usr/bin/env python3
"""TTL, DSCP and source of what leaves, read from the packets that arrive.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        raw frames, superframes     captured

Frames with their own TTL and DSCP are injected one by one and in bursts; r1 leaves segmentation
and checksums to the kernel, so that s0 sees what would be on a wire, each checksum included.
"""

import json

from netlab.capture import Capture
from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.frames import udp
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger, internal
from netlab.offload import switch
from netlab.traffic import Gen
from netlab.world import play

PORT = 5000


def to(group, **keys):
    """An output on r1 as TOML."""
    words = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "{ " + ", ".join(['interface = "r1"', f'group = "{group}"', *words]) + " }"


def headers(packets):
    return [(p.ttl, p.tos) for p in packets]


def intact(packets, payloads, what):
    check(all(p.header_intact for p in packets), f"{what}: IP header checksums are right")
    check(all(p.intact for p in packets), f"{what}: UDP checksums are right")
    equal([p.payload for p in packets], payloads, f"{what}: payloads, in order")


RULES = [
    rule("fixed", "239.1.1.1", PORT, [
        to("239.2.1.1"),
        to("239.2.1.2", ttl=77, dscp="EF"),
        to("239.2.1.3", ttl=1, dscp=8),
    ]),
    rule("packet", "239.1.1.2", PORT, [
        to("239.2.2.1", ttl="preserve", dscp="preserve"),
        to("239.2.2.2", ttl="decrement"),
        to("239.2.2.3", dscp="preserve"),
    ]),
]


def inject(world, group, headers_in, size=200):
    payloads = [bytes([n % 251]) * size for n in range(len(headers_in))]
    frames = [udp("10.1.0.2", group, PORT, payload, ttl=ttl, tos=tos)
              for payload, (ttl, tos) in zip(payloads, headers_in)]
    world.inject("gen", "g0", frames)
    return payloads


def fixed(world, capture):
    """A stream that arrives with TTL 1 is relayed with the output's."""
    payloads = inject(world, "239.1.1.1", [(1, 0), (200, 34 << 2 | 1)] * 10)
    for group, expected in {"239.2.1.1": (16, 0), "239.2.1.2": (77, 46 << 2),
                            "239.2.1.3": (1, 8 << 2)}.items():
        seen = capture.take(20, group, PORT, "fixed")
        equal(headers(seen), [expected] * 20, f"TTL and TOS of packets to {group}")
        intact(seen, payloads, group)


def of_the_packet(world, capture, daemon):
    """What arrives in one burst with changing headers keeps them, and its order."""
    sent = [(9, 0), (9, 0), (1, 0), (255, 46 << 2 | 3), (255, 46 << 2 | 3), (2, 8 << 2)] * scaled(20, 5)
    payloads = inject(world, "239.1.1.2", sent)
    seen = capture.take(len(sent), "239.2.2.1", PORT, "preserved")
    equal(headers(seen), [(ttl, tos & ~3) for ttl, tos in sent], "TTL and TOS preserved, ECN aside")
    intact(seen, payloads, "preserved")

    alive = [(ttl, payload) for (ttl, _), payload in zip(sent, payloads) if ttl > 1]
    seen = capture.take(len(alive), "239.2.2.2", PORT, "decremented")
    equal(headers(seen), [(ttl - 1, 0) for ttl, _ in alive], "TTL one less; DSCP is not taken over")
    intact(seen, [payload for _, payload in alive], "decremented")
    output = daemon.rule("packet")["outputs"][1]
    equal(output["drops"]["ttl_expired"], len(sent) - len(alive), "ttl_expired of the output")

    seen = capture.take(len(sent), "239.2.2.3", PORT, "dscp only")
    equal(headers(seen), [(16, tos & ~3) for _, tos in sent], "DSCP preserved, the default TTL")


def superframes(world, daemon):
    """Segments of a superframe share their headers: all of one come out with them."""
    ledger = Ledger(world, daemon, size=1000)
    capture = Capture(world, "sink", "s0")
    count = scaled(640, 64)
    for ttl, left in ((9, 8), (1, None)):
        Gen(world, "239.1.1.2", PORT, rate=scaled(4000), size=1000, count=count, gso="on",
            ttl=ttl).wait()
        ledger.settle()
        for group, expected in (("239.2.2.1", ttl), ("239.2.2.2", left), ("239.2.2.3", 16)):
            seen = [p for p in capture.packets(group, PORT) if p.ttl == expected]
            length = sum(len(p.payload) for p in seen)
            print(f"{group}: TTL {expected}: {length} B in {len(seen)} frames")
            equal(length % (1000 * count), 0, f"bytes to {group} with TTL {expected}, in whole bursts")
            check(length or not expected, f"nothing came to {group} with TTL {expected}")
    equal(daemon.rule("packet")["outputs"][1]["drops"]["ttl_expired"], count,
          "ttl_expired of a burst of superframes")
    capture.close()
    ledger.close()


SOURCES = [
    rule("source", "239.1.1.3", PORT, [
        to("239.2.3.1"),
        to("239.2.3.2", source="10.9.9.9", source_port=7000),
        to("239.2.3.3", source="preserve"),
        to("239.2.3.4", source="preserve", source_port=7000, ttl="decrement"),
        to("239.2.3.5", loopback=True),
    ]),
]
SENDERS = ["10.1.0.2", "203.0.113.7", "198.51.100.9"]


def sources(world):
    """Two workers, many flows: our source port depends on neither."""
    daemon = Daemon(world, config(*SOURCES, workers=2), "sources")
    daemon.start()
    outputs = daemon.rule("source")["outputs"]
    equal([o["source"] for o in outputs],
          ["interface", "10.9.9.9", "preserve", "preserve", "interface"], "source in the status")
    equal([o["loopback"] for o in outputs], [False] * 4 + [True], "loopback in the status")
    ours = outputs[0]["source_port"]
    equal([o["source_port"] for o in outputs], [ours, 7000, "preserve", 7000, ours], "source_port")
    equal(outputs[1]["state"], "waiting", "an output whose source is missing")
    status = world.call("status", "source", "--socket", daemon.socket).stdout
    check("source 10.9.9.9 is no address of this host" in " ".join(status.split()),
          f"`mcr status source` says why: {status}")
    world.sh("ip -n relay addr add 10.9.9.9/32 dev lo")
    until(lambda: daemon.rule("source")["outputs"][1]["state"] == "up", "the source appears")

    capture = Capture(world, "sink", "s0")
    flows = [(SENDERS[n % 3], 30000 + n) for n in range(scaled(60, 20))]
    frames = [udp(address, "239.1.1.3", PORT, bytes([n]) * 100, source_port=port, ttl=9)
              for n, (address, port) in enumerate(flows)]
    world.inject("gen", "g0", frames)
    expected = {
        "239.2.3.1": lambda sender, port: ("10.2.0.1", ours, 16),
        "239.2.3.2": lambda sender, port: ("10.9.9.9", 7000, 16),
        "239.2.3.3": lambda sender, port: (sender, port, 16),
        "239.2.3.4": lambda sender, port: (sender, 7000, 8),
        "239.2.3.5": lambda sender, port: ("10.2.0.1", ours, 16),
    }
    for group, headers_for in expected.items():
        seen = capture.take(len(flows), group, PORT, "sources")
        check(all(p.intact and p.header_intact for p in seen), f"checksums of {group}")
        for p in seen:
            equal((p.source, p.source_port, p.ttl), headers_for(*flows[p.payload[0]]),
                  f"source, port and TTL of what came to {group}")
    both = [w["tx_datagrams"] for w in daemon.status()["workers"]]
    check(all(both), f"both workers have sent: {both}")

    # The sender cannot be a group, or nobody.
    world.inject("gen", "g0", [udp("0.0.0.0", "239.1.1.3", PORT, b"x" * 100)] * 5)
    until(lambda: daemon.rule("source")["outputs"][2]["drops"]["send_error"] == 5,
          "datagrams from nobody are counted")
    internal(daemon.status())
    capture.close()
    daemon.stop()


def story(world):
    world.line()
    switch(world, "relay", "r1", tx=False, tx_udp_segmentation=False)
    daemon = Daemon(world, config(*RULES)).start()
    outputs = [(o["ttl"], o["dscp"]) for r in daemon.status()["rules"] for o in r["outputs"]]
    equal(outputs, [(16, 0), (77, 46), (1, 8), ("preserve", "preserve"), ("decrement", 0),
                    (16, "preserve")], "ttl and dscp in the status")
    capture = Capture(world, "sink", "s0")
    phase("headers of the output's own")
    fixed(world, capture)
    phase("headers of the packet")
    of_the_packet(world, capture, daemon)
    capture.close()
    internal(daemon.status())
    daemon.stop()
    phase("sources")
    sources(world)
    if superframes_are_described():
        phase("superframes")
        switch(world, "relay", "r1", tx=True, tx_udp_segmentation=True)
        daemon.start()
        superframes(world, daemon)


play(story, 45)
