#!/usr/bin/env python3
"""Real streams and harmed ones through the relay, judged by programs that are not MCR.

    ffmpeg -> injector (g0) ---- (r0) relay (r1) ---- (s0) sink, dumpcap for tshark
    or gen             239.1.1.1:5000  ->  239.2.2.2:6000

- gen --defect: the sink finds each defect as often as it was asked for, and no other; tshark counts
  the same losses.
- ffmpeg (rtp_mpegts and mpegts): a program of its own drops, doubles, swaps and harms datagrams.
  What the sink and the relay count is what that program counts, exactly.
- The relay's `inspect` tells the same as the sink behind it, in status, page and metrics.
"""

import json
import re
import shutil
import signal
import subprocess

from netlab.daemon import Daemon, config, rule
from netlab.expect import Failure, Skip, check, equal, phase, until
from netlab.offload import switch
from netlab.world import play

IN, OUT = ("239.1.1.1", 5000), ("239.2.2.2", 6000)


def sink(world, inspect):
    process = world.start("sink", ["sink", "--interface", "s0", "--group", OUT[0], "--port", OUT[1],
                                   "--inspect", inspect, "--json"], "sink")
    until(lambda: "ready" in process.err(), "the sink is ready")
    return process


def judged(world, process):
    until(lambda: not world.udp_queued("sink"), "the sink has read everything")
    process.signal(signal.SIGTERM)
    equal(process.wait(10), 0, "exit code of mcr sink")
    return json.loads(process.out())


def sent_by_gen(world, *args, rate=1000, count=3000):
    done = world.call("gen", "--interface", "g0", "--group", IN[0], "--port", IN[1], "--json",
                      "--rate", rate, "--count", count, *args, namespace="gen", seconds=60)
    equal(done.returncode, 0, f"exit code of mcr gen: {done.stderr}")
    return json.loads(done.stdout)


def raised(seen):
    """Without 2.3a: on a shared machine a sender may stand still for more than 100 ms."""
    return {one["number"]: one["count"]
            for one in seen["inspected"][0]["ts"]["indicators"]
            if one["count"] and one["number"] != "2.3a"}


class Capture:
    """dumpcap at the sink, and what tshark says of the RTP in it."""

    def __init__(self, world, count):
        self.world, self.file = world, world.path("rtp.pcapng")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", "sink", "dumpcap", "-q", "-i", "s0", "-f", f"udp port {OUT[1]}",
             "-c", str(count), "-w", self.file],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "File:" in line:
                break

    def rtp(self):
        """Packets and lost, as tshark counts: a duplicate fills the place of a lost one."""
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("dumpcap did not see all datagrams") from None
        text = self.world.sh(f"tshark -r {self.file} -d udp.port=={OUT[1]},rtp -q -z rtp,streams",
                             seconds=60)
        row = re.search(r"0x[0-9A-Fa-f]+\s+.*?\s(\d+)\s+(-?\d+) \(", text)
        check(row, f"tshark finds a stream: {text}")
        return int(row[1]), int(row[2])


def numbers(world, tshark):
    phase("RTP with losses, swaps and duplicates")
    capture = Capture(world, 9900) if tshark else None
    receiver = sink(world, "auto")
    sent_by_gen(world, "--rtp", "--ts", "--defect", "loss:every=100", "--defect", "swap:every=70",
                "--defect", "dup:every=50", count=9900)
    seen = judged(world, receiver)
    distinct = 9900 - 9900 // 50
    equal((seen["lost"], seen["reordered"], seen["duplicated"]),
          ((distinct - 1) // 99, distinct // 70, 9900 // 50), "lost, reordered, duplicated")
    equal(seen["inspected"][0]["kind"], "rtp+ts", "kind")
    if capture:
        equal(capture.rtp(), (9900, seen["lost"] - seen["duplicated"]), "packets and lost of tshark")


def indicators(world):
    for defect, expected in (
        (None, {}),
        ("cc:257:every=1000", {"1.4": 2}),
        ("tei:256:every=1000", {"2.1": 14}),
        ("sync:every=1000", {"1.2": 3}),
        ("crc:every=10", {"2.2": 3}),
        ("pcr-step:every=1000", {"2.3b": 2}),
    ):
        phase(f"MPEG-TS with {defect or 'no defect'}")
        receiver = sink(world, "ts")
        sent_by_gen(world, "--ts", *(("--defect", defect) if defect else ()))
        equal(raised(judged(world, receiver)), expected, "indicators")
    for defect, number in (("no-pat", "1.3.a"), ("no-pmt", "1.5.a")):
        phase(f"MPEG-TS with {defect}")
        receiver = sink(world, "ts")
        sent_by_gen(world, "--ts", "--defect", defect)
        equal(set(raised(judged(world, receiver))), {number}, "indicators")


def told(daemon):
    """What the relay says of its input's stream; it looks once a second."""
    return daemon.rule("stream")["inputs"][0]["stream"]


def counts(stream):
    kept = {name: stream[name] for name in ("received", "lost", "reordered", "duplicated")}
    return kept | {name: stream["ts"][name] for name in ("cc_errors", "tei", "packets")}


def pages(world, daemon, stream):
    phase("mcr inspect, as a page and as JSON, and metrics")
    page = world.call("inspect", "stream", "--socket", daemon.socket).stdout
    check(all(part in page for part in ("rtp+ts", "Continuity_count_error", "MPEG-2 video")), page)
    check(all(len(line) <= 80 for line in page.splitlines()), f"80 columns:\n{page}")
    inputs = json.loads(world.call("inspect", "stream", "--json", "--socket", daemon.socket).stdout)
    equal(counts(inputs[0]["stream"]), counts(stream), "counts of mcr inspect --json")
    status = world.call("status", "stream", "--socket", daemon.socket).stdout
    check("stream rtp+ts from" in status, f"mcr status stream:\n{status}")


def real(world, daemon, form, seed):
    phase(f"ffmpeg: {form}, harmed on its way")
    kind = "rtp" if form == "rtp_mpegts" else "ts"
    daemon.reload(relayed(kind))
    receiver = sink(world, kind)
    injector = world.start_program("stream_injector", 7000, *IN, "10.1.0.2", seed, namespace="gen")
    url = "rtp://127.0.0.1:7000?pkt_size=1328" if form == "rtp_mpegts" else \
        "udp://127.0.0.1:7000?pkt_size=1316"
    world.sh("ffmpeg -hide_banner -loglevel error -re -f lavfi -i testsrc=size=320x180:rate=25"
             " -f lavfi -i sine -t 8 -c:v mpeg2video -b:v 2M -minrate 2M -maxrate 2M -bufsize 1M"
             f" -c:a mp2 -f {form} '{url}'", "gen", seconds=120)
    until(lambda: not world.udp_queued("gen"), "the injector has read everything")
    injector.signal(signal.SIGTERM)
    injector.wait(10)
    harmed = json.loads(injector.out())
    check(harmed["sent"] > 500 and harmed["cc_errors"] > 5, f"the injector was busy: {harmed}")
    until(lambda: not world.udp_queued("sink"), "the sink has read everything")
    seen = judged(world, receiver)
    ts = seen["inspected"][0]["ts"]
    equal({"sent": seen["received"], "lost": seen["lost"], "duplicated": seen["duplicated"],
           "reordered": seen["reordered"], "cc_errors": ts["cc_errors"], "tei": ts["tei"]},
          harmed, "counts")
    until(lambda: told(daemon)["received"] == seen["received"], "the relay has looked again")
    equal(counts(told(daemon)), counts(seen["inspected"][0]), "counts of the relay")
    if kind == "rtp":
        pages(world, daemon, told(daemon))
    kinds = {pid["kind"] for pid in ts["pids"]}
    check({"PAT", "PMT", "MPEG-2 video", "MPEG audio"} <= kinds, f"kinds of PIDs: {kinds}")


def relayed(inspect):
    return config(rule("stream", *IN, [("r1", *OUT)]) + f'inspect = "{inspect}"\n')


def story(world):
    world.line()
    switch(world, "relay", "r1", tx_udp_segmentation=False)  # dumpcap sees what the wire would
    daemon = Daemon(world, relayed("auto")).start()
    numbers(world, shutil.which("tshark"))
    indicators(world)
    if not shutil.which("ffmpeg"):
        raise Skip("ffmpeg is not installed: its streams are not judged")
    real(world, daemon, "rtp_mpegts", 1)
    real(world, daemon, "mpegts", 2)


play(story, 150)
