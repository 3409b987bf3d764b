#!/usr/bin/env python3
"""The judge is judged: gen and sink with a wire between them that does known harm.

    gen (g0) ---- (w0) wire (w1) ---- (s0) sink
                   harmful_wire: loses, doubles, swaps, corrupts

Every other test trusts `mcr sink`; here it must name exactly what was done to the streams.
"""

from netlab.counters import Counters
from netlab.expect import check, equal, phase, scaled, until
from netlab.traffic import FLAWLESS, Gen, Sink, faults
from netlab.world import play

STREAMS, EACH, SIZE = 3, 200, 100
HARM = {"lose": 3 * STREAMS, "double": STREAMS, "swap": 1, "corrupt": 2 * STREAMS}  # by harmful_wire


def through(world, *harm, strict=False, size=SIZE, more=()):
    """What the sink saw of STREAMS x EACH datagrams after that harm. `more`: options of gen."""
    wire = world.start_program("harmful_wire", *harm, namespace="wire")
    sink = Sink(world, "239.1.1.1", 5000, STREAMS, strict=strict)
    arrived = Counters(world, "sink", "s0")
    count = STREAMS * EACH
    sent = Gen(world, "239.1.1.1", 5000, STREAMS, scaled(3000), size, count, more=more).wait()
    equal({key: sent[key] for key in ("streams", "sent", "bytes", "errors")},
          {"streams": STREAMS, "sent": count, "bytes": count * size, "errors": 0}, "gen's JSON")
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

    phase("frames that gen writes itself")
    world.sh("ethtool -K g0 tx off", "gen")  # so that checksums are complete, and the sink's kernel looks
    for size in (SIZE, 1400, 33):
        seen = through(world, strict=True, size=size, more=("--tx-ring", "--interleave"))
        equal(faults(seen), FLAWLESS, f"faults of frames with {size} B")

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
