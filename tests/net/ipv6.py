#!/usr/bin/env python3
"""IPv6 in and out, and between the families.

    gen (g0) ==== (r0) relay (r1) ==== (s0) sink      MTU 9000
    2001:db8:1::2    ::1  2001:db8:2::1    ::2
                             (r2) ---- (s2)           MTU 1500

Groups of every scope, sources, link-local and global unicast, extension headers, superframes; what
is no whole datagram is counted by name, and nothing of it comes out.
"""

import struct

from netlab.capture import Capture
from netlab.daemon import Daemon, config, rule
from netlab.expect import SANITIZED, check, equal, phase, scaled, until
from netlab.frames import FRAGMENT, HOP_BY_HOP, OPTIONS, right_checksum6, udp6
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger
from netlab.traffic import FLAWLESS, Gen, Sink, exact, faults
from netlab.world import FAST_PATH, play

OPTION_HEADER = bytes((0, 0, 1, 4, 0, 0, 0, 0))  # PadN
PAYLOAD = b"x" * 100


def build(world):
    world.namespace("gen", "relay", "sink")
    world.dual_stack("gen", "relay", "sink")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "r0", "10.1.0.1/24", mtu=9000)
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24", mtu=9000)
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s2", "10.3.0.2/24", mtu=1500)
    for namespace, interface, address in (
        ("gen", "g0", "1::2"), ("relay", "r0", "1::1"), ("relay", "r1", "2::1"),
        ("sink", "s0", "2::2"), ("relay", "r2", "3::1"), ("sink", "s2", "3::2"),
    ):
        world.sh(f"ip -n {namespace} addr add 2001:db8:{address}/64 dev {interface}")


def rules(local):
    """`local`: the link-local address of s0."""
    return [
        rule("six", "ff15::1:1", 5000, [("r1", "ff15::2:1", 6000)]),
        rule("four-to-six", "239.1.1.1", 5000, [("r1", "ff1e::2:2")]),
        rule("six-to-both", "ff15::1:3", 5000, [("r1", "239.2.1.3"), ("r1", "ff15::2:3")]),
        rule("source", "ff35::1:4", 5000, [("r1", "ff15::2:4")], sources=["2001:db8:1::2"]),
        rule("on-link", "ff02::1:5", 5000, [("r1", "ff02::2:5")]),
        rule("unicast", "ff15::1:6", 5000, [
            f'{{ interface = "r1", address = "{local}" }}',
            '{ interface = "r1", address = "2001:db8:2::2", port = 5001 }',
        ]),
        rule("small-mtu", "ff15::1:7", 5000, [("r2", "ff15::2:7")]),
        *(rule(f"many-{n:x}", f"ff15::a:{n:x}", 5000, [("r1", f"ff15::b:{n:x}")])
          for n in range(1, 21)),
    ]


def between_families(world, ledger):
    count = scaled(2000)
    for name, group, out in (
        ("IPv6 to IPv6", "ff15::1:1", ("ff15::2:1", 6000)),
        ("IPv4 to IPv6", "239.1.1.1", ("ff1e::2:2", 5000)),
        ("any source to one of its sources", "ff35::1:4", ("ff15::2:4", 5000)),
        ("within the link", "ff02::1:5", ("ff02::2:5", 5000)),
    ):
        phase(f"{name}: {count} datagrams")
        exact(world, ledger, group, 5000, count, 8000, size=200, out=out)
    phase("IPv6 to both")
    both = [("239.2.1.3", 5000, "sink", "s0"), ("ff15::2:3", 5000, "sink", "s0")]
    exact(world, ledger, "ff15::1:3", 5000, count, 6000, size=200, sinks=both)
    if not superframes_are_described():
        return
    phase("superframes to both")
    seen = exact(world, ledger, "ff15::1:3", 5000, 2 * count, 60000, size=200, sinks=both, gso="on")
    frames = seen["in"]["ff15::1:3", 5000].frames
    print(f"{2 * count} datagrams came in {frames} frames")
    check(frames < count or SANITIZED, "the sender made superframes at all")


def unicast(world, ledger, local):
    phase("unicast, link-local and global")
    exact(world, ledger, "ff15::1:6", 5000, scaled(1000), 4000, size=200,
          sinks=[(local, 5000, "sink", "s0"), ("2001:db8:2::2", 5001, "sink", "s0")])
    phase("nobody listens there: the refusals disturb no other output")
    exact(world, ledger, "ff15::1:6", 5000, scaled(1000), 4000, size=200,
          sinks=[("2001:db8:2::2", 5001, "sink", "s0")])


def headers(world, ledger):
    phase("source address and hop limit of what leaves")
    for group, out, port, source in (
        ("ff15::1:1", "ff15::2:1", 6000, "2001:db8:2::1"),
        ("ff02::1:5", "ff02::2:5", 5000, world.link_local("relay", "r1")),
    ):
        capture = Capture(world, "sink", "s0")
        Gen(world, group, 5000, size=100, count=1).wait()
        [packet] = capture.take(1, out, port, "a datagram")
        equal((packet.source, packet.ttl), (source, 16), f"source and hop limit of {out}")
        capture.close()
    ledger.settle()


def extensions(world, daemon, ledger):
    phase("extension headers")
    good = [
        udp6("2001:db8:1::2", "ff15::1:1", 5000, PAYLOAD, extensions=chain)
        for chain in (
            [(HOP_BY_HOP, OPTION_HEADER)],
            [(HOP_BY_HOP, OPTION_HEADER), (OPTIONS, OPTION_HEADER)],
            [(FRAGMENT, bytes(8))],  # the whole datagram (RFC 6946)
        )
    ]
    before = daemon.rule("six")["rx_datagrams"]
    world.inject("gen", "g0", good * 10)
    until(lambda: daemon.rule("six")["rx_datagrams"] == before + 30, "datagrams behind options")
    ledger.rest()

    first = struct.pack("!BBHI", 0, 0, 1, 7)  # offset 0, more to come
    other = udp6("2001:db8:1::2", "ff15::1:1", 5009, PAYLOAD, extensions=[(OPTIONS, OPTION_HEADER)])
    plain = udp6("2001:db8:1::2", "ff15::1:1", 5000, PAYLOAD)
    wrong = right_checksum6(plain) ^ 0x0101 or 0x0101
    cases = {
        "fragment": udp6("2001:db8:1::2", "ff15::1:1", 5000, PAYLOAD, extensions=[(FRAGMENT, first)]),
        "bad_length": udp6("2001:db8:1::2", "ff15::1:1", 5000, PAYLOAD, udp_length=400),
        "bad_checksum": udp6("2001:db8:1::2", "ff15::1:1", 5000, PAYLOAD, checksum=wrong),
        "no checksum": udp6("2001:db8:1::2", "ff15::1:1", 5000, PAYLOAD, checksum=0),
        "source_denied": udp6("2001:db8:1::77", "ff35::1:4", 5000, PAYLOAD),
        "unmatched": other,
    }
    for reason, frame in cases.items():
        phase(f"20 frames made for {reason}")
        old = daemon.status()["totals"]
        world.inject("gen", "g0", [frame] * 20)
        until(lambda: daemon.status()["totals"]["rx_datagrams"] == old["rx_datagrams"] + 20,
              "all of them are received")
        ledger.rest()
        new = daemon.status()["totals"]
        moved = {key: new["drops"][key] - old["drops"][key] for key in new["drops"]}
        moved["unmatched"] = new["unmatched"] - old["unmatched"]
        moved = {key: value for key, value in moved.items() if value}
        equal(moved, {{"no checksum": "bad_checksum"}.get(reason, reason): 20}, "drops and unmatched")
        equal(new["tx_datagrams"], old["tx_datagrams"], "datagrams sent")


def beyond_the_mtu(world, daemon):
    phase("4000 B towards an MTU of 1500")
    count = scaled(300, 50)
    sink = Sink(world, "ff15::2:7", 5000, interface="s2")
    Gen(world, "ff15::1:7", 5000, rate=scaled(1000), size=4000, count=count).wait()
    until(lambda: daemon.rule("small-mtu")["outputs"][0]["tx_datagrams"] == count, "all are sent")
    seen = sink.stop()
    equal((seen["received"], faults(seen)), (count, FLAWLESS), "put together again at the sink")


def one_address_less(world, daemon):
    phase("without a global address only the link can be reached")
    world.sh("ip -n relay addr del 2001:db8:2::1/64 dev r1")
    until(lambda: daemon.rule("six")["state"] == "waiting", "the rule waits for an address")
    reason = daemon.rule("six")["reason"]
    check("r1" in reason and "only a link-local" in reason, f"the reason: {reason!r}")
    both = daemon.rule("six-to-both")
    equal((both["state"], [o["state"] for o in both["outputs"]]), ("active", ["up", "waiting"]),
          "a rule that has an IPv4 output, too")
    equal(daemon.rule("on-link")["state"], "active", "a rule within the link")
    world.sh("ip -n relay addr add 2001:db8:2::1/64 dev r1")
    daemon.wait_active()


def refused(world):
    phase("what no configuration can mean")
    wrong = world.write("wrong.toml", "".join((
        rule("a", "ff01::1", 5000, [("r1", "ff15::1")]),
        rule("b", "ff02::1%r0", 5000, [("r1", "ff15::1")]),
        rule("c", "ff15::1", 5000, [("r1", "ff10::1")]),
        rule("d", "ff15::2", 5000, [("r1", "::ffff:239.1.1.1")]),
        rule("e", "ff15::3", 5000, [("r1", "ff15::4")], sources=["10.0.0.1"]),
    )))
    done = world.call("check", "-c", wrong)
    equal(done.returncode, 78, f"exit code of mcr check: {done.stderr}")
    lines = done.stderr.splitlines()
    for line, words in zip(lines, (
        ":3:37: group: ff01::1 is interface-local", 'leave "%r0" out', "reserved scope",
        'write "239.1.1.1"', "one is IPv4, the other IPv6",
    ), strict=True):
        check(words in line, f"{words!r} is in {line!r}")


def story(world):
    build(world)
    refused(world)
    local = world.link_local("sink", "s0")
    daemon = Daemon(world, config(*rules(local), workers=2)).start()
    equal(world.igmp6("relay", "r0"), daemon.groups() - {"239.1.1.1"}, "groups in /proc/net/igmp6")
    filters = world.sh("cat /proc/net/mcfilter6", "relay")
    check("20010db8000100000000000000000002" in filters, f"the source is joined: {filters}")

    ledger = Ledger(world, daemon, size=200)
    between_families(world, ledger)
    phase("20 streams over two workers")
    exact(world, ledger, "ff15::a:1", 5000, scaled(200) * 20, 8000, 20, 200, out=("ff15::b:1", 5000))
    shares = [w["rx_datagrams"] for w in daemon.status()["workers"]]
    check(all(shares) or FAST_PATH, f"every worker carries some: {shares}")
    source = daemon.rule("six")["last_source"]
    check(source.startswith("[2001:db8:1::2]:"), f"last_source: {source}")
    unicast(world, ledger, local)
    headers(world, ledger)
    extensions(world, daemon, ledger)
    ledger.close()
    beyond_the_mtu(world, daemon)
    one_address_less(world, daemon)
    daemon.stop()
    equal(world.igmp6("relay", "r0"), set(), "groups left at the end")


play(story, 60)
