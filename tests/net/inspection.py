#!/usr/bin/env python3
"""Inspection: streams with one defect, and what the relay tells of them.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink, dumpcap for tshark
              239.1.1.1:5000  ->  239.2.2.2:6000

The sink finds each defect as often as it was asked for, and no other; tshark counts the same losses.
The relay's `inspect` tells the same as the sink behind it, in status and page. Streams that MCR has
not made: the story `real_streams`.
"""

import json
import shutil

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.offload import switch
from netlab.streams import RtpCapture, StreamSink
from netlab.world import play

IN, OUT = ("239.1.1.1", 5000), ("239.2.2.2", 6000)


def sent_by_gen(world, *args, rate=1000, count=3000):
    done = world.call("gen", "--interface", "g0", "--group", IN[0], "--port", IN[1], "--json",
                      "--rate", rate, "--count", count, *args, namespace="gen", seconds=60)
    equal(done.returncode, 0, f"exit code of mcr gen: {done.stderr}")
    return json.loads(done.stdout)


def raised(stream, expected=()):
    """2.3a only where it is expected: on a shared machine a sender may stand still for 100 ms."""
    return {one["number"]: one["count"] for one in stream["ts"]["indicators"]
            if one["count"] and (one["number"] != "2.3a" or "2.3a" in expected)}


def numbers(world, tshark):
    phase("RTP with losses, swaps and duplicates")
    capture = RtpCapture(world, OUT[1]) if tshark else None
    receiver = StreamSink(world, *OUT)
    sent_by_gen(world, "--rtp", "--ts", "--defect", "loss:every=100", "--defect", "swap:every=70",
                "--defect", "dup:every=50", count=9900)
    seen = receiver.stop()
    distinct = 9900 - 9900 // 50
    equal((seen["lost"], seen["reordered"], seen["duplicated"]),
          ((distinct - 1) // 99, distinct // 70, 9900 // 50), "lost, reordered, duplicated")
    equal(seen["inspected"][0]["kind"], "rtp+ts", "kind")
    if capture:
        equal(capture.stream(9900), (9900, seen["lost"] - seen["duplicated"]),
              "packets and lost of tshark")


def told(daemon):
    """What the relay says of its input's stream; it looks once a second."""
    return daemon.rule("stream")["inputs"][0]["stream"]


def seen_of(world, *args, **how):
    """What the sink has seen of a stream of MPEG-TS from mcr gen."""
    receiver = StreamSink(world, *OUT, "ts")
    sent_by_gen(world, "--ts", *args, **how)
    return receiver.stop()["inspected"][0]


def indicators(world, daemon):
    phase("MPEG-TS with no defect")
    before = told(daemon)  # of the senders until now
    equal(raised(seen_of(world)), {}, "indicators at the sink")
    until(lambda: told(daemon)["ts"]["packets"] == before["ts"]["packets"] + 3000 * 7,
          "the relay has looked again")
    equal(raised(told(daemon)), raised(before), "indicators at the relay")
    for defect, expected in (
        ("sync-loss:every=1000", {"1.1": 3, "1.2": 6}),
        ("sync:every=1000", {"1.2": 3}),
        ("cc:257:every=1000", {"1.4": 2}),
        ("tei:256:every=1000", {"2.1": 14}),
        ("crc:every=10", {"2.2": 3}),
        ("pcr-step:every=1000", {"2.3b": 2}),
    ):
        phase(f"MPEG-TS with {defect}")
        equal(raised(seen_of(world, "--defect", defect)), expected, "indicators")
    for defect, expected, how in (
        ("no-pat", {"1.3.a"}, {}),
        ("no-pmt", {"1.5.a"}, {}),
        ("pcr-gap", {"2.3a", "2.3b"}, {}),
        ("pts-gap", {"2.5"}, {}),
        ("scrambled:257", {"2.6"}, {"rate": 250, "count": 3000}),  # for more than 10 s
    ):
        phase(f"MPEG-TS with {defect}")
        seen = seen_of(world, "--defect", defect, **how)
        equal(set(raised(seen, expected)), expected, "indicators")


def counts(stream):
    kept = {name: stream[name] for name in ("received", "lost", "reordered", "duplicated")}
    return kept | {name: stream["ts"][name] for name in ("cc_errors", "tei", "packets")}


def pages(world, daemon, stream):
    phase("mcr inspect, as a page and as JSON, and status")
    page = world.call("inspect", "stream", "--socket", daemon.socket).stdout
    check(all(part in page for part in ("rtp+ts", "Continuity_count_error", "H.264")), page)
    check(all(len(line) <= 80 for line in page.splitlines()), f"80 columns:\n{page}")
    inputs = json.loads(world.call("inspect", "stream", "--json", "--socket", daemon.socket).stdout)
    equal(counts(inputs[0]["stream"]), counts(stream), "counts of mcr inspect --json")
    status = world.call("status", "stream", "--socket", daemon.socket).stdout
    check("stream rtp+ts from" in status, f"mcr status stream:\n{status}")


def relayed(inspect):
    return config(rule("stream", *IN, [("r1", *OUT)]) + f'inspect = "{inspect}"\n')


def story(world):
    world.line()
    switch(world, "relay", "r1", tx_udp_segmentation=False)  # dumpcap sees what the wire would
    daemon = Daemon(world, relayed("auto")).start()
    numbers(world, shutil.which("tshark"))
    until(lambda: told(daemon)["received"] == 9900, "the relay has looked again")
    pages(world, daemon, told(daemon))
    indicators(world, daemon)


play(story, 150)
