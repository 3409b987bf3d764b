#!/usr/bin/env python3
"""The judge is judged: gen and sink with a wire between them that does known harm.

    gen (g0) ---- (w0) wire (w1) ---- (s0) sink
                   our own program: loses, doubles, swaps, corrupts

Every other test trusts `mcr sink`; here it must name exactly what was done to the streams.
"""

import sys

from netlab.counters import Counters
from netlab.expect import check, equal, phase, scaled, until
from netlab.process import Process
from netlab.traffic import FLAWLESS, Gen, Sink, faults
from netlab.world import play

STREAMS, EACH, SIZE = 3, 200, 100
HARM = {"lose": 3 * STREAMS, "double": STREAMS, "swap": 1, "corrupt": 2 * STREAMS}  # what WIRE does

WIRE = """
import socket, sys
def open_on(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    s.bind((name, 0x0800))
    return s
harm = set(sys.argv[1:])
left, right = open_on("w0"), open_on("w1")
print("ready", file=sys.stderr, flush=True)
number, kept = {}, None
while True:
    frame, address = left.recvfrom(65536)
    if address[2] == socket.PACKET_OUTGOING or frame[23] != socket.IPPROTO_UDP: continue
    frame = bytearray(frame)
    frame[40:42] = b"\\0\\0"  # no UDP checksum: the receiving kernel must not judge
    stream = frame[33]
    n = number[stream] = number.get(stream, 0) + 1
    if "lose" in harm and n in (10, 11, 50): continue
    if "corrupt" in harm and n in (70, 71): frame[-1] ^= 0x40
    if "swap" in harm and stream == 1 and n == 90: kept = frame; continue
    right.send(frame)
    if "double" in harm and n == 80: right.send(frame)
    if kept and stream == 1: right.send(kept); kept = None
"""


def through(world, *harm, strict=False):
    """What the sink saw of STREAMS x EACH datagrams after that harm."""
    wire = Process(
        world.directory, "wire-" + "-".join(harm or ("none",)),
        ["ip", "netns", "exec", "wire", sys.executable, "-c", WIRE, *harm],
    )
    world.processes.append(wire)
    until(lambda: "ready" in wire.err(), lambda: f"our wire is ready {wire.err()}")
    sink = Sink(world, "239.1.1.1", 5000, STREAMS, strict=strict)
    arrived = Counters(world, "sink", "s0")
    count = STREAMS * EACH
    sent = Gen(world, "239.1.1.1", 5000, STREAMS, scaled(3000), SIZE, count).wait()
    equal({key: sent[key] for key in ("streams", "sent", "bytes", "errors")},
          {"streams": STREAMS, "sent": count, "bytes": count * SIZE, "errors": 0}, "gen's JSON")
    passed = count + HARM["double"] * ("double" in harm) - HARM["lose"] * ("lose" in harm)
    until(lambda: sum(c.frames for c in arrived.read().values()) >= passed,
          lambda: f"{passed} datagrams leave the wire: {arrived.read()}")
    seen = sink.stop(expect=65 if strict and harm else 0)
    arrived.close()
    wire.kill()
    equal(seen["received"], passed, f"received, wire does {harm}")
    return seen


def story(world):
    world.namespace("gen", "wire", "sink")
    world.link("gen", "g0", "10.1.0.2/24", "wire", "w0", None)
    world.link("wire", "w1", None, "sink", "s0", "10.1.0.3/24")

    phase("no harm")
    seen = through(world, strict=True)
    equal(faults(seen), FLAWLESS, "faults")
    equal(seen["bytes"], STREAMS * EACH * SIZE, "bytes")
    latency = [seen["latency_us"][key] for key in ("p50", "p99", "p999", "max")]
    check(0 < latency[0] <= latency[1] <= latency[2] <= latency[3] < 5e6, f"latency: {latency}")

    # A corrupt datagram is also missing from its stream.
    for harm, found in (
        ("lose", {"lost": HARM["lose"]}),
        ("double", {"duplicated": HARM["double"]}),
        ("swap", {"reordered": HARM["swap"]}),
        ("corrupt", {"corrupt": HARM["corrupt"], "lost": HARM["corrupt"]}),
    ):
        phase(harm)
        equal(faults(through(world, harm, strict=True)), {**FLAWLESS, **found}, f"faults: {harm}")
    phase("all at once, without --strict")
    seen = through(world, *HARM)
    expected = {"lost": HARM["lose"] + HARM["corrupt"], "duplicated": HARM["double"],
                "reordered": HARM["swap"], "corrupt": HARM["corrupt"]}
    equal(faults(seen), expected, "faults of all kinds")


play(story, 45)
