#!/usr/bin/env python3
"""The kernel's way: plain rules, relayed by a program at the ingress.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                             (r2) ---- (s2) sink

Every datagram comes out once, in order, intact, and none of them by a worker; what is not plain
goes the worker's way. Headers are judged by what arrives at s0. Needs root: bpf(2) does not work
in a user namespace.
"""

import os
import re

os.environ.setdefault("MCR_FAST_PATH", "require")

# pylint: disable=wrong-import-position
from netlab.capture import Capture
from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.frames import udp, udp6
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger, internal
from netlab.offload import switch
from netlab.traffic import Gen, Sink, exact
from netlab.world import play

PORT = 5000
RULES = [
    rule("plain", "239.1.1.1", PORT, [("r1", "239.2.1.1")]),
    rule("two", "239.1.1.2", PORT, [("r1", "239.2.1.2", 6000), ("r2", "239.2.1.2")]),
    rule("some", "239.1.1.3", PORT, [("r1", "239.2.1.3")],
         sources=["10.1.0.0/25", "10.1.0.200"]),
    rule("headers", "239.1.1.4", PORT, [
        '{ interface = "r1", group = "239.2.4.1", ttl = "preserve", dscp = "preserve",'
        ' source = "preserve" }',
        '{ interface = "r1", group = "239.2.4.2", ttl = "decrement", dscp = "EF" }',
        '{ interface = "r1", group = "239.2.4.3", ttl = 9, source_port = 4242 }',
    ]),
    rule("limited", "239.1.1.5", PORT,
         ['{ interface = "r1", group = "239.2.1.5", max_pps = 1000000 }']),
    rule("six", "ff15::1:1", PORT, [
        '{ interface = "r1", group = "ff15::2:1", ttl = "preserve", dscp = "preserve",'
        ' source = "preserve" }',
        '{ interface = "r1", group = "ff15::2:2", ttl = 9 }',
    ]),
]


def ways(daemon):
    """Datagrams received so far: (the kernel's way, the worker's)."""
    status = daemon.status()
    kernel = status["fast_path"]["rx_datagrams"]
    return kernel, status["totals"]["rx_datagrams"] - kernel


def by_kernel(daemon, count, before, what):
    now = ways(daemon)
    equal((now[0] - before[0], now[1] - before[1]), (count, 0), f"{what}: kernel's way, worker's")


def streams(world, daemon):
    two = [("239.2.1.2", 6000, "sink", "s0"), ("239.2.1.2", PORT, "sink", "s2")]
    for gso in ("off", "on"):
        for size in (100, 1316):
            phase(f"datagrams of {size} B, UDP_SEGMENT {gso}")
            ledger = Ledger(world, daemon, egress=("r1", "r2"), size=size)
            before, count = ways(daemon), scaled(4000)
            exact(world, ledger, "239.1.1.1", PORT, count, 8000, size=size,
                  out=("239.2.1.1", PORT), gso=gso)
            exact(world, ledger, "239.1.1.2", PORT, count, 4000, size=size, sinks=two, gso=gso)
            by_kernel(daemon, 2 * count, before, "plain rules")
            ledger.close()
    seen = daemon.rule("two")
    equal(seen["last_source"].split(":")[0], "10.1.0.2", "last source")
    check(seen["last_seen_s"] < 30, "last seen")


def paths(daemon):
    status = {r["name"]: (r["path"], r["path_reason"]) for r in daemon.status()["rules"]}
    limited = status.pop("limited")
    equal(limited, ("worker", "output 239.2.1.5:5000 has a rate limit"), "path of rule limited")
    equal(set(status.values()), {("kernel", "")}, f"paths of the others ({status})")


def host_hears(world, daemon):
    """A listener on the relay's own host gets the originals as they were."""
    here = Sink(world, "239.1.1.1", PORT, namespace="relay", interface="r0", strict=True)
    ledger = Ledger(world, daemon, egress=("r1", "r2"), size=700)
    count = scaled(2000)
    exact(world, ledger, "239.1.1.1", PORT, count, 2000, size=700, out=("239.2.1.1", PORT))
    equal(here.stop()["received"], count, "originals that this host's listener got")
    ledger.close()


def sources(world, daemon):
    before = ways(daemon)
    allowed = ["10.1.0.2", "10.1.0.127", "10.1.0.200"]
    denied = ["10.1.0.128", "10.1.0.199", "10.1.0.201", "9.9.9.9"]
    drops = daemon.status()["totals"]["drops"]["source_denied"]
    capture = Capture(world, "sink", "s0")
    world.inject("gen", "g0",
                 [udp(source, "239.1.1.3", PORT, b"x" * 50) for source in allowed + denied])
    capture.take(len(allowed), "239.2.1.3", PORT, "of the allowed sources")
    until(lambda: daemon.status()["totals"]["drops"]["source_denied"] - drops == len(denied),
          "the worker counts the denied ones")
    equal(ways(daemon)[0] - before[0], len(allowed), "by the kernel's way")
    capture.close()


def headers(world, daemon):
    before = ways(daemon)
    capture = Capture(world, "sink", "s0")
    sent = [(9, 0), (1, 0), (255, 46 << 2 | 3), (2, 8 << 2), (64, 1)] * 5
    payloads = [bytes([n]) * (60 + n) for n in range(len(sent))]
    hosts = [f"172.16.0.{n + 1}" for n in range(len(sent))]
    world.inject("gen", "g0", [
        udp(host, "239.1.1.4", PORT, payload, ttl=ttl, tos=tos, source_port=10000 + n)
        for n, (host, payload, (ttl, tos)) in enumerate(zip(hosts, payloads, sent))
    ])
    alive = [n for n, (ttl, _) in enumerate(sent) if ttl > 1]
    relay_port = None
    for group, numbers, expected in (
        ("239.2.4.1", range(len(sent)),
         lambda n: (sent[n][0], sent[n][1] & ~3, hosts[n], 10000 + n)),
        ("239.2.4.2", alive, lambda n: (sent[n][0] - 1, 46 << 2, "10.2.0.1", relay_port)),
        ("239.2.4.3", range(len(sent)), lambda n: (9, 0, "10.2.0.1", 4242)),
    ):
        seen = capture.take(len(numbers), group, PORT, "headers")
        if group == "239.2.4.2":
            relay_port = seen[0].source_port
        equal([(p.ttl, p.tos, p.source, p.source_port) for p in seen], [expected(n) for n in numbers],
              f"TTL, TOS and source of packets to {group}")
        equal([p.payload for p in seen], [payloads[n] for n in numbers], f"payloads to {group}")
        check(all(p.header_intact and p.intact for p in seen), f"checksums of packets to {group}")
    by_kernel(daemon, len(sent), before, "headers")
    expired = daemon.rule("headers")["outputs"][1]["drops"]["ttl_expired"]
    equal(expired, len(sent) - len(alive), "copies whose TTL was at its end")
    capture.close()


def ipv6(world, daemon):
    before = ways(daemon)
    capture = Capture(world, "sink", "s0")
    payloads = [bytes([n]) * (10 + n) for n in range(20)]
    world.inject("gen", "g0", [
        udp6(f"2001:db8::{n + 1:x}", "ff15::1:1", PORT, payload, hops=1 + n, source_port=10000 + n)
        for n, payload in enumerate(payloads)
    ])
    seen = capture.take(20, "ff15::2:1", PORT, "IPv6")
    equal([(p.ttl, p.source, p.source_port) for p in seen],
          [(1 + n, f"2001:db8::{n + 1:x}", 10000 + n) for n in range(20)], "hop limit and source")
    equal([p.payload for p in seen], payloads, "payloads")
    fixed = capture.take(20, "ff15::2:2", PORT, "IPv6")
    check(all(p.intact for p in seen + fixed), "checksums")
    equal({(p.ttl, p.source) for p in fixed}, {(9, "fd00:2::1")}, "hop limit and source, fixed")
    by_kernel(daemon, 20, before, "IPv6")
    capture.close()


def not_plain(world, daemon):
    """What the kernel leaves alone the worker takes, or drops with its reason."""
    before, drops = ways(daemon), daemon.status()["totals"]["drops"]
    capture = Capture(world, "sink", "s0")
    good = udp("10.1.0.2", "239.1.1.1", PORT, b"good" * 20)
    absent = udp("10.1.0.2", "239.1.1.1", PORT, b"none" * 20, checksum=0)
    padded = udp("10.1.0.2", "239.1.1.1", PORT, b"pad") + b"\0" * 15
    world.inject("gen", "g0", [
        good, absent, padded,
        udp("10.1.0.2", "239.1.1.1", PORT, b"wrong" * 20, checksum=0x1234),
        udp("10.1.0.2", "239.1.1.1", PORT, b"cut" * 20, checksum=0, udp_length=30),
    ])
    seen = capture.take(4, "239.2.1.1", PORT, "what is not plain")
    equal(sorted(p.payload for p in seen),
          sorted([b"good" * 20, b"none" * 20, b"pad", (b"cut" * 20)[:22]]), "payloads")

    def wrong():
        return daemon.status()["totals"]["drops"]["bad_checksum"] - drops["bad_checksum"]
    until(lambda: wrong() == 1, "the wrong checksum is counted")
    now = ways(daemon)
    equal((now[0] - before[0], now[1] - before[1]), (3, 2), "the kernel's way, the worker's")
    capture.close()


def large(world, daemon):
    """Larger than the MTU of an output: the worker sends it in fragments."""
    before = ways(daemon)
    sink = Sink(world, "239.2.1.1", PORT)
    equal(Gen(world, "239.1.1.1", PORT, count=20, rate=200, size=4000).wait()["sent"], 20, "sent")
    until(lambda: ways(daemon)[1] - before[1] == 20, "the worker has received them")
    equal(ways(daemon)[0], before[0], "the kernel's way")
    equal(sink.stop()["received"], 20, "received")


def going_on(world):
    """Frames that have gone on to the IP protocol of the relay's host."""
    text = world.sh("nft list chain ip seen prerouting", "relay")
    return int(re.search(r"packets (\d+)", text).group(1))


def audience(world, daemon):
    """consume = "auto": the host gets what somebody there can hear."""
    world.sh("nft add table ip seen; nft add chain ip seen prerouting"
             " '{ type filter hook prerouting priority -300; }';"
             " nft add rule ip seen prerouting ip daddr 239.1.1.1 counter", "relay")
    count = 50

    def relays(expected, who):
        daemon.status()  # it looks round when it is asked
        before = going_on(world), daemon.rule("plain")["rx_datagrams"]
        Gen(world, "239.1.1.1", PORT, count=count, rate=1000).wait()
        until(lambda: daemon.rule("plain")["rx_datagrams"] - before[1] == count, "all are relayed")
        equal(going_on(world) - before[0], expected, f"frames that go on to the host, {who}")

    relays(0, "nobody listens")
    here = Sink(world, "239.1.1.1", PORT, namespace="relay", interface="r0")
    relays(count, "a UDP socket listens")
    equal(here.stop()["received"], count, "received by it")
    relays(0, "it has gone")
    for kind in ("AF_INET, SOCK_RAW, IPPROTO_UDP", "AF_PACKET, SOCK_RAW, htons(0x0800)"):
        listener = world.start_program("raw_listener", kind, namespace="relay")
        relays(count, kind)
        listener.kill()
    relays(0, "nobody listens any more")
    world.sh("nft delete table ip seen", "relay")


def consumed(world, daemon):
    phase("consume = true: this host gets nothing of it")
    text = config(RULES[0].replace("[[rule]]\n", "[[rule]]\nconsume = true\n"))
    daemon.reload(text)
    here = Sink(world, "239.1.1.1", PORT, namespace="relay", interface="r0")
    sink = Sink(world, "239.2.1.1", PORT)
    count = scaled(1000)
    Gen(world, "239.1.1.1", PORT, count=count, rate=2000).wait()
    until(lambda: daemon.rule("plain")["rx_datagrams"] >= count, "all are relayed")
    equal(sink.stop()["received"], count, "at the sink")
    equal(here.stop()["received"], 0, "at the listener of this host")


def story(world):
    world.namespace("gen", "relay", "sink")
    world.dual_stack("gen", "relay", "sink")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "r0", "10.1.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s2", "10.3.0.2/24")
    world.sh("ip addr add fd00:2::1/64 dev r1 nodad", "relay")
    daemon = Daemon(world, config(*RULES)).start()
    paths(daemon)
    if superframes_are_described():
        streams(world, daemon)
    phase("a listener on the relay's host")
    host_hears(world, daemon)
    # From here on s0 sees checksums and sizes as they would be on a wire.
    for feature in ("tx_checksum_ip_generic", "tx_udp_segmentation"):
        switch(world, "relay", "r1", **{feature: False})
    phase("sources")
    sources(world, daemon)
    phase("headers")
    headers(world, daemon)
    phase("IPv6")
    ipv6(world, daemon)
    phase("frames that are not plain")
    not_plain(world, daemon)
    phase("datagrams above the MTU")
    large(world, daemon)
    phase("consume = auto")
    audience(world, daemon)
    consumed(world, daemon)
    internal(daemon.status())
    daemon.stop()


play(story, 90)
