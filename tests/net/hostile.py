#!/usr/bin/env python3
"""Frames that lie, sent to ruled destinations of a live relay.

    gen (g0) ==== (r0) relay (r1) ---- (s0) sink
       raw frames

Each mutation has a name and an expected fate: a drop's reason, `unmatched`, `filtered` (by the
kernel, before the relay sees it), `lost` (in the kernel's reassembly, which counts it), or `whole`.
Behind it goes one good datagram over the same socket: when that is counted, so is what came before.
Nothing comes out but what is whole.
"""

import struct
import subprocess

from netlab.counters import Counters
from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, until
from netlab.frames import (
    FIELDS, FIELDS6, FRAGMENT, HOP_BY_HOP, MORE_FRAGMENTS, OPTIONS, SERVICE_VLAN, fragments,
    right_checksum, right_checksum6, tagged, udp, udp6, with_field, with_options,
)
from netlab.ledger import internal
from netlab.process import program
from netlab.world import play

COPIES = 3
SOURCE, GROUP, PORT = "10.1.0.9", "239.1.1.1", 5000
SOURCE6, GROUP6 = "2001:db8:1::9", "ff15::1:1"
PAYLOAD = b"x" * 100
FENCE = b"fence"
GOOD, GOOD6 = udp(SOURCE, GROUP, PORT, PAYLOAD), udp6(SOURCE6, GROUP6, PORT, PAYLOAD)
ROUTING, NO_NEXT_HEADER, TCP = 43, 59, 6


def four(name, value, frame=GOOD):
    return with_field(frame, FIELDS, name, value)


def six(name, value, frame=GOOD6):
    return with_field(frame, FIELDS6, name, value)


def chain(*kinds):
    """GOOD6 behind extension headers: (kind, bytes), or a kind with 8 bytes of padding."""
    padding = bytes((0, 0, 1, 4, 0, 0, 0, 0))  # PadN
    return udp6(SOURCE6, GROUP6, PORT, PAYLOAD, extensions=[
        kind if isinstance(kind, tuple) else (kind, padding) for kind in kinds
    ])


def piece6(offset, more):
    return chain((FRAGMENT, struct.pack("!BBHI", 0, 0, offset << 3 | more, 7)))


# Rows: name, frame, fate, and the bytes of payload that come out, if not PAYLOAD.
IPV4 = [
    ("cut behind the Ethernet header", GOOD[:14], "filtered"),
    ("cut in the IP header", GOOD[:24], "filtered"),
    ("cut in the destination address", GOOD[:33], "filtered"),
    ("cut behind the IP header", GOOD[:34], "truncated"),
    ("cut in the UDP header", GOOD[:40], "truncated"),
    ("cut behind the UDP header", GOOD[:42], "truncated"),
    ("cut by the last byte", GOOD[:-1], "truncated"),
    ("padded", GOOD + bytes(20), "whole"),
    ("total length 0", four("total length", 0), "bad_length"),
    ("total length below a header", four("total length", 19), "bad_length"),
    ("total length of a bare header", four("total length", 20), "bad_length"),
    ("total length ends in the UDP header", four("total length", 27), "bad_length"),
    ("total length ends in the payload", four("total length", 127), "bad_length"),
    ("total length beyond the frame", four("total length", 129), "truncated"),
    ("total length 65535", four("total length", 65535), "truncated"),
    ("IHL 0", four("version and IHL", 0x40), "bad_length"),
    ("IHL 4", four("version and IHL", 0x44), "bad_length"),
    ("IHL 15 over the payload", four("version and IHL", 0x4F), "bad_checksum"),
    ("IHL 15 beyond the total length", four("version and IHL", 0x4F, four("total length", 40)),
     "bad_length"),
    ("wrong checksum of the header", GOOD[:22] + b"\x17" + GOOD[23:], "bad_checksum"),  # TTL
    ("one option", with_options(GOOD, b"\x94\x04\0\0"), "whole"),  # Router Alert
    ("40 bytes of options", with_options(GOOD, b"\x01" * 40), "whole"),
    ("options and another port", with_options(udp(SOURCE, GROUP, 5009, PAYLOAD), b"\x01" * 4),
     "unmatched"),
    ("another port", udp(SOURCE, GROUP, 5009, PAYLOAD), "filtered"),
    ("port 0", udp(SOURCE, GROUP, 0, PAYLOAD), "filtered"),
    ("version 0", four("version and IHL", 0x05), "filtered"),
    ("version 6", four("version and IHL", 0x65), "filtered"),
    ("version 15", four("version and IHL", 0xF5), "filtered"),
    ("TCP", four("protocol", TCP), "filtered"),
    ("UDP length 0", four("UDP length", 0), "bad_length"),
    ("UDP length 7", four("UDP length", 7), "bad_length"),
    ("UDP length one too long", four("UDP length", 109), "bad_length"),
    ("UDP length 65535", four("UDP length", 65535), "bad_length"),
    ("UDP length too short for its checksum", four("UDP length", 50), "bad_checksum"),
    ("wrong checksum", four("UDP checksum", right_checksum(GOOD) ^ 0x0100), "bad_checksum"),
    ("one bit of the payload", GOOD[:-1] + b"y", "bad_checksum"),
    ("no checksum", four("UDP checksum", 0), "whole"),
    ("UDP length too short, no checksum", four("UDP checksum", 0, four("UDP length", 50)),
     "whole", 42),
    ("no payload", udp(SOURCE, GROUP, PORT, b""), "whole", 0),
    ("to another's MAC", bytes.fromhex("020000000077") + GOOD[6:], "filtered"),
]
# Only untagged: the tag is the mutation.
TAGS = [
    ("a tag cut off", tagged(GOOD, 0)[:15], "filtered"),
    ("only a priority", tagged(GOOD, 0, priority=7), "whole"),
    ("a VLAN without a rule", tagged(GOOD, 4094), "filtered"),
    ("two tags", tagged(tagged(GOOD, 100), 7), "filtered"),
    ("two tags of one VLAN", tagged(tagged(GOOD, 100), 100), "filtered"),
    ("a service tag", tagged(GOOD, 100, SERVICE_VLAN), "filtered"),
    ("a stack of eight", GOOD[:12] + struct.pack("!HH", 0x8100, 100) * 8 + GOOD[12:], "filtered"),
    ("IPv6 as IPv4", GOOD6[:12] + b"\x08\x00" + GOOD6[14:], "filtered"),
    ("IPv4 as IPv6", GOOD[:12] + b"\x86\xdd" + GOOD[14:], "filtered"),
]
IPV6 = [
    ("cut behind the Ethernet header", GOOD6[:14], "filtered"),
    ("cut in the destination address", GOOD6[:53], "filtered"),
    ("cut behind the IPv6 header", GOOD6[:54], "truncated"),
    ("cut in the UDP header", GOOD6[:57], "truncated"),
    ("cut by the last byte", GOOD6[:-1], "truncated"),
    ("payload length 0", six("payload length", 0), "bad_length"),
    ("payload length 7", six("payload length", 7), "bad_length"),
    ("payload length ends in the payload", six("payload length", 107), "bad_length"),
    ("payload length beyond the frame", six("payload length", 109), "truncated"),
    ("payload length 65535", six("payload length", 65535), "truncated"),
    ("version 4", six("version", 0x45), "filtered"),
    ("TCP", six("next header", TCP), "filtered"),
    ("no next header", six("next header", NO_NEXT_HEADER), "filtered"),
    ("UDP length 7", six("UDP length", 7), "bad_length"),
    ("UDP length one too long", six("UDP length", 109), "bad_length"),
    ("wrong checksum", six("UDP checksum", right_checksum6(GOOD6) ^ 0x0100), "bad_checksum"),
    ("no checksum", six("UDP checksum", 0), "bad_checksum"),
    ("eight headers", chain(HOP_BY_HOP, *[OPTIONS] * 7), "whole"),
    ("nine headers", chain(HOP_BY_HOP, *[OPTIONS] * 8), "bad_length"),
    ("a hundred headers", chain(*[OPTIONS] * 100), "bad_length"),
    ("hop-by-hop twice", chain(HOP_BY_HOP, HOP_BY_HOP), "bad_length"),
    ("hop-by-hop not first", chain(OPTIONS, HOP_BY_HOP), "bad_length"),
    ("a header beyond the packet", chain((OPTIONS, b"\0\xff" + bytes(6))), "bad_length"),
    ("a header over UDP", chain((OPTIONS, b"\0\x0d" + bytes(6))), "bad_length"),
    ("a header cut off", six("payload length", 4, chain(OPTIONS)), "bad_length"),
    ("a chain that ends in nothing", six("payload length", 8, chain(OPTIONS)), "bad_length"),
    ("a chain to TCP", chain(OPTIONS)[:54] + bytes((TCP,)) + chain(OPTIONS)[55:], "not_udp"),
    ("a chain to no next header",
     chain(OPTIONS)[:54] + bytes((NO_NEXT_HEADER,)) + chain(OPTIONS)[55:], "not_udp"),
    ("a header that names itself",
     chain(OPTIONS)[:54] + bytes((OPTIONS,)) + chain(OPTIONS)[55:], "bad_length"),
    ("routing, at its end", chain((ROUTING, bytes(8))), "whole"),
    ("routing, segments left", chain((ROUTING, b"\0\0\0\1" + bytes(4))), "not_udp"),
    ("a fragment header of the whole", piece6(0, 0), "whole"),
    ("first fragment", piece6(0, 1), "fragment"),
    ("middle fragment", piece6(10, 1), "fragment"),
    ("last fragment", piece6(20, 0), "fragment"),
]


def pieces(number, frame=None):
    return fragments(frame or udp(SOURCE, GROUP, PORT, PAYLOAD * 3), 104, number)


def fragment_cases():
    """Sets of frames; each copy of a set has an identification of its own. IPv4, untagged."""
    large = udp(SOURCE, GROUP, PORT, PAYLOAD * 3)
    wrong = four("UDP checksum", right_checksum(large) ^ 0x0100, large)
    beyond = MORE_FRAGMENTS - 1  # the last offset: 65528

    def overlapping(n):
        first, second, third = pieces(n)
        return [first, four("flags and offset", MORE_FRAGMENTS | 12, second), second, third]

    return [
        ("a whole set", pieces, "whole"),
        ("a whole set, last first", lambda n: pieces(n)[::-1], "whole"),
        ("a piece twice", lambda n: pieces(n)[:1] + pieces(n), "whole"),
        ("first alone", lambda n: pieces(n)[:1], "lost"),
        ("middle alone", lambda n: pieces(n)[1:2], "lost"),
        ("last alone", lambda n: pieces(n)[2:], "lost"),
        ("without the middle", lambda n: pieces(n)[::2], "lost"),
        ("overlapping", overlapping, "lost"),
        ("beyond 65535", lambda n: [four("flags and offset", beyond, pieces(n)[0])], "lost"),
        ("a set with a wrong checksum", lambda n: pieces(n, wrong), "bad_checksum"),
        ("a set with a UDP length too long",
         lambda n: pieces(n, four("UDP length", 309, large)), "bad_length"),
        ("a set with a UDP length of 0",
         lambda n: pieces(n, four("UDP length", 0, large)), "bad_length"),
    ]


class Injector:
    """A process in gen that sends a line of frames at a time."""

    def __init__(self):
        argv = ["ip", "netns", "exec", "gen", *program("frame_injector", "g0")]
        self._popen = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True)

    def send(self, frames):
        self._popen.stdin.write(" ".join(frame.hex() for frame in frames) + "\n")
        self._popen.stdin.flush()

    def close(self):
        self._popen.stdin.close()
        equal(self._popen.wait(10), 0, "exit code of the injector")


def figures(status):
    totals = status["totals"]
    found = {**totals["drops"], "unmatched": totals["unmatched"], "whole": totals["matched"]}
    return {**found, "kernel_drops": totals["kernel_drops"], "received": totals["rx_datagrams"]}


class Judge:
    """Sends the cases of one kind of frame, and knows what must come of each."""

    def __init__(self, daemon, injector, fence_rule, fence):
        self.daemon, self.injector = daemon, injector
        self.fence_rule, self.fence, self.tried = fence_rule, fence, 0
        self.before = figures(daemon.status())
        self.payload = 0  # bytes that must come out, without fences

    def _fenced(self):
        status = self.daemon.status()
        [entry] = [r for r in status["rules"] if r["name"] == self.fence_rule]
        return status if entry["rx_datagrams"] == self.tried else None

    def case(self, name, frames, fate, size=len(PAYLOAD)):
        """`frames`: of COPIES datagrams with that fate."""
        self.injector.send([*frames, self.fence])
        self.tried += 1
        now = figures(until(self._fenced, f"the good datagram behind {name!r} is counted"))
        wanted = {"whole": 1, "received": 1}
        if fate not in ("filtered", "lost"):
            wanted["received"] += COPIES
            wanted[fate] = wanted.get(fate, 0) + COPIES
        moved = {key: now[key] - self.before[key] for key in now if now[key] != self.before[key]}
        equal(moved, wanted, f"counts of {COPIES} of {name!r}, and 1 good one")
        self.before = now
        if fate == "whole":
            self.payload += COPIES * size


def reassembly_failures(world):
    names, values = (
        line.split() for line in world.sh("grep ^Ip: /proc/net/snmp", "relay").splitlines()
    )
    return int(dict(zip(names[1:], values[1:]))["ReasmFails"])


def play_fragments(world, judge):
    lost_before, lost, number = reassembly_failures(world), 0, 100
    for name, make, fate in fragment_cases():
        frames = []
        for number in range(number + 1, number + 1 + COPIES):
            frames += make(number)
        judge.case(name, frames, fate, 3 * len(PAYLOAD))
        lost += COPIES * (fate == "lost")
    until(lambda: reassembly_failures(world) - lost_before >= lost, "ReasmFails counts the lost")


def rules():
    """A rule and a fence for each kind of frame: each kind has a socket of its own."""
    vlan = [
        rule("vlan", GROUP, PORT, [("r1", "239.2.1.2")]),
        rule("vlan-fence", "239.1.9.9", PORT, [("r1", "239.2.9.2")]),
    ]
    return [
        rule("four", GROUP, PORT, [("r1", "239.2.1.1")]),
        rule("four-fence", "239.1.9.9", PORT, [("r1", "239.2.9.1")]),
        rule("six", GROUP6, PORT, [("r1", "239.2.1.3")]),
        rule("six-fence", "ff15::9:9", PORT, [("r1", "239.2.9.3")]),
        *(text.replace(f"port = {PORT}", f"port = {PORT}, vlan = 100", 1) for text in vlan),
    ]


def story(world):
    world.line()
    world.dual_stack("relay")
    world.sysctl("relay", "net.ipv4.ipfrag_time", 1)
    daemon = Daemon(world, config(*rules())).start()
    arrived = Counters(world, "sink", "s0")
    injector = Injector()
    fence = udp(SOURCE, "239.1.9.9", PORT, FENCE)
    fence6 = udp6(SOURCE6, "ff15::9:9", PORT, FENCE)

    phase(f"{len(IPV4) + len(TAGS)} mutations of IPv4")
    judge = Judge(daemon, injector, "four-fence", fence)
    for name, frame, fate, *size in IPV4 + TAGS:
        judge.case(name, [frame] * COPIES, fate, *size)
    phase("fragments")
    play_fragments(world, judge)

    phase(f"{len(IPV4)} mutations of IPv4 in a VLAN")
    in_vlan = Judge(daemon, injector, "vlan-fence", tagged(fence, 100))
    for name, frame, fate, *size in IPV4:
        in_vlan.case(name, [tagged(frame, 100)] * COPIES, fate, *size)
    in_vlan.case("a fragment", [tagged(pieces(99)[0], 100)] * COPIES, "fragment")

    phase(f"{len(IPV6)} mutations of IPv6")
    of_six = Judge(daemon, injector, "six-fence", fence6)
    for name, frame, fate in IPV6:
        of_six.case(name, [frame] * COPIES, fate)
    injector.close()

    phase("what came out")
    wanted = {}
    for number, each in enumerate((judge, in_vlan, of_six), 1):
        wanted[f"239.2.1.{number}", PORT] = each.payload
        wanted[f"239.2.9.{number}", PORT] = each.tried * len(FENCE)

    def out():
        return {key: count.payload for key, count in arrived.read().items()}

    until(lambda: sum(out().values()) >= sum(wanted.values()), "all that is whole comes out")
    equal(out(), wanted, "bytes that came out")
    internal(daemon.status())
    daemon.stop()


play(story, 45)
