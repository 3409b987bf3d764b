#!/usr/bin/env python3
"""A sender that uses UDP_SEGMENT: the relay gets many datagrams in one frame.

    gen (g0) ==== (r0) relay (r1) ---- (s0) sink
        frames of up to 64 datagrams

Every datagram comes out as it was sent, counted one by one: also the last one of a frame, and
also from a sender whose last segment is shorter than the rest.
"""

import hashlib

from netlab.daemon import Daemon, config, rule
from netlab.expect import SANITIZED, check, equal, phase, scaled, until
from netlab.kernel import needs_superframes
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play


def short_tails(world):
    """Our own sender and receiver: what came out is compared byte by byte (by its hash)."""
    segment, lengths = 1000, [1000, 1001, 2500, 64 * 1000, 40 * 1000 + 1, 3 * 1000 - 1, 7]
    expected, messages = [], []
    for length in lengths:
        whole = bytes((n // segment + n * 7) % 251 for n in range(length))
        messages.append(f"{segment} {whole.hex()}\n")
        for start in range(0, length, segment):
            part = whole[start:start + segment]
            expected.append(f"{len(part)} {hashlib.sha256(part).hexdigest()}")
    receiver = world.start_program("datagram_hasher", "239.2.1.9", 5000, namespace="sink")
    for index, length in enumerate(lengths):
        world.run_program("segment_sender", "239.1.1.9", 5000, namespace="gen", stdin=messages[index])
        parts = sum(-(-n // segment) for n in lengths[:index + 1])
        until(lambda p=parts: len(receiver.out().splitlines()) >= p,
              lambda n=length: f"all segments of a frame of {n} B: {len(receiver.out())}")
    equal(receiver.out().splitlines(), expected, "datagrams (length, hash) at the sink")
    receiver.kill()
    return sum(lengths)


def story(world):
    needs_superframes()
    world.line()
    daemon = Daemon(
        world,
        config(
            rule("frames", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
            rule("two", "239.1.1.2", 5000, [("r1", "239.2.1.2"), ("r1", "239.2.1.3")]),
            rule("tails", "239.1.1.9", 5000, [("r1", "239.2.1.9")]),
        ),
    ).start()
    for size in (32, 500, 1400):
        count = scaled(16000)
        phase(f"{count} datagrams of {size} B in superframes")
        ledger = Ledger(world, daemon, size=size)
        seen = exact(world, ledger, "239.1.1.1", 5000, count, 8000, size=size,
                     out=("239.2.1.1", 5000), gso="on")
        frames = seen["in"]["239.1.1.1", 5000].frames
        print(f"{count} datagrams came in {frames} frames")
        check(frames < count or SANITIZED, "the sender made superframes at all")
        ledger.close()
    phase("to two outputs")
    ledger = Ledger(world, daemon, size=1200)
    exact(world, ledger, "239.1.1.2", 5000, scaled(8000), 4000, size=1200, gso="on",
          sinks=[("239.2.1.2", 5000, "sink", "s0"), ("239.2.1.3", 5000, "sink", "s0")])
    ledger.close()
    phase("frames whose last segment is shorter")
    ledger = Ledger(world, daemon)
    length = short_tails(world)
    seen = ledger.settle()
    equal(seen["out"]["r1"]["239.2.1.9", 5000].payload, length, "bytes at the sink's end")


play(story, 45)
