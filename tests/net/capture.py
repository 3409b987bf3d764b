#!/usr/bin/env python3
"""`mcr capture`: datagrams of a rule as a pcapng file, judged by tshark.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                        239.1.1.1:5000 -> 239.2.2.2:6000

What came in, what left, and what was dropped, with the reason as a comment; superframes as their
datagrams; live through a pipe; and what came before it was asked for. A reader that does not read
costs `capture_missed`, and no datagram.
"""

import re
import shutil
import signal
import subprocess

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import Skip, check, equal, phase, until
from netlab.ledger import Ledger
from netlab.traffic import GSO, Gen, Sink
from netlab.world import play

IN, OUT = ("239.1.1.1", 5000), ("239.2.2.2", 6000)
LIMITED = '{ interface = "r1", group = "239.2.1.3", max_pps = 20 }'
RULES = (
    rule("stream", *IN, [("r1", *OUT)]),
    rule("strict", "239.1.1.2", 5000, [("r1", "239.2.1.2")], sources=["10.9.9.9"]),
    rule("limited", "239.1.1.3", 5000, [LIMITED]),
    rule("kept", "239.1.1.4", 5000, [("r1", "239.2.1.4")]) + 'capture_before = "8 MiB"\n',
)
FIELDS = ("frame.time_epoch", "frame.interface_name", "ip.src", "ip.dst", "udp.dstport",
          "udp.length", "udp.checksum.status", "ip.ttl", "frame.comment")


class Capture:
    """`mcr capture` in the background, begun when this returns."""

    def __init__(self, world, daemon, *args, name="stream"):
        self.world, self.daemon, self.file = world, daemon, world.path("capture.pcapng")
        before = daemon.log().count("capture begins")
        self.process = world.start(
            "capture", ["capture", name, "-w", self.file, "--socket", daemon.socket, *args], "relay")
        until(lambda: daemon.log().count("capture begins") > before, "the capture begins")

    def packets(self, stop=False):
        if stop:
            self.process.signal(signal.SIGINT)
        equal(self.process.wait(20), 0, f"exit code of mcr capture ({self.process.err()})")
        return read(self.world, self.file)


def read(world, file):
    """What tshark says of each packet."""
    wanted = " ".join(f"-e {name}" for name in FIELDS)
    text = world.sh(f"tshark -r {file} -o udp.check_checksum:TRUE -T fields {wanted}", seconds=60)
    return [dict(zip(FIELDS, line.split("\t"))) for line in text.splitlines()]


def values(packets, field):
    return {packet[field] for packet in packets}


def arriving(world, daemon):
    for gso in GSO:
        phase(f"what arrives, sent with gso {gso}")
        capture = Capture(world, daemon, "--count", "500")
        Gen(world, *IN, rate=5000, size=700, count=600, gso=gso).wait()
        packets = capture.packets()
        equal(len(packets), 500, "packets that tshark finds")
        equal(values(packets, "frame.interface_name"), {"r0"}, "interfaces")
        equal(values(packets, "udp.length"), {"708"}, "lengths")
        equal(values(packets, "udp.checksum.status"), {"1"}, "checksums are good")
        equal(values(packets, "ip.src"), {"10.1.0.2"}, "sources")
        times = [packet["frame.time_epoch"] for packet in packets]
        check(all(re.fullmatch(r"\d{10}\.\d{9}", time) for time in times), f"times: {times[:3]}")
        check(any(not time.endswith("000") for time in times), f"nanoseconds: {times[:3]}")


def leaving(world, daemon):
    phase("what leaves, cut to 64 bytes; both at once")
    capture = Capture(world, daemon, "--out", "--snap", "64")
    Gen(world, *IN, rate=2000, size=700, count=300).wait()
    until(lambda: daemon.rule("stream")["outputs"][0]["in_flight"] == 0, "all has left")
    told = {(p["frame.interface_name"], p["ip.src"], p["ip.dst"], p["udp.dstport"], p["udp.length"],
             p["ip.ttl"]) for p in finished(world, capture, 300)}
    equal(told, {("r1", "10.2.0.1", OUT[0], str(OUT[1]), "708", "16")}, "copies")
    capture = Capture(world, daemon, "--in", "--out")
    Gen(world, *IN, rate=2000, size=100, count=200).wait()
    packets = finished(world, capture, 400)
    equal(sorted(p["frame.interface_name"] for p in packets), ["r0"] * 200 + ["r1"] * 200, "both")


def finished(world, capture, count):
    """All of it, when so many packets are in the file."""
    until(lambda: len(read(world, capture.file)) >= count, f"{count} packets are in the file", 20)
    packets = capture.packets(stop=True)
    equal(len(packets), count, "packets")
    return packets


def drops(world, daemon):
    phase("what is dropped, and why")
    capture = Capture(world, daemon, "--drops", name="strict")
    Gen(world, "239.1.1.2", 5000, rate=1000, size=100, count=50).wait()
    equal(values(finished(world, capture, 50), "frame.comment"), {"source_denied"}, "comments")
    capture = Capture(world, daemon, "--drops", name="limited")
    Gen(world, "239.1.1.3", 5000, rate=1000, size=100, count=200).wait()
    lost = daemon.rule("limited")["outputs"][0]["drops"]["rate_limited"]
    check(lost > 50, f"the limit drops: {lost}")
    equal(values(finished(world, capture, lost), "frame.comment"), {"rate_limited at output r1"},
          "comments")


def live(world, daemon):
    phase("live, by a pipe")
    gen = Gen(world, *IN, rate=500, size=100, duration=60)
    text = world.sh(f"{world.mcr} capture stream -w - --socket {daemon.socket}"
                    " | tshark -i - -c 20 -T fields -e udp.dstport 2>/dev/null", "relay", seconds=60)
    equal(text.split(), ["5000"] * 20, "what tshark reads")
    gen.stop()


def before(world, daemon):
    phase("what came before, and what comes from then on: each datagram once")
    ledger = Ledger(world, daemon, size=300)
    Gen(world, "239.1.1.4", 5000, rate=2000, size=300, count=400, gso="off").wait()
    ledger.settle()
    gen = Gen(world, "239.1.1.4", 5000, rate=2000, size=300, count=6000, gso="off")
    until(lambda: daemon.rule("kept")["rx_datagrams"] > 2000, "half of it has come")
    capture = Capture(world, daemon, "--before", "60", name="kept")
    gen.wait()
    packets = finished(world, capture, 6400)
    times = [packet["frame.time_epoch"] for packet in packets]
    equal(times, sorted(times), "in the order of time")
    ledger.settle()
    ledger.close()

    phase("no more of it than was asked for; none, if nothing is kept")
    capture = Capture(world, daemon, "--before", "0.001", "--seconds", "0.5", name="kept")
    equal(capture.packets(), [], "packets of the last millisecond")
    def code(*args):
        return world.call("capture", *args, "--before", "5", "-w", "/dev/null", "--socket",
                          daemon.socket).returncode
    equal(code("stream"), 64, "exit code: a rule without capture_before")
    equal(code("kept", "--out"), 64, "exit code: of what leaves")

    phase("one at a time")
    ask = f"{world.mcr} capture kept --before 600 --socket {daemon.socket} -w"
    told = world.sh(f"{ask} - | {{ head -c 8 >/dev/null; {ask} /dev/null; echo $?; }}", "relay")
    equal(told.strip(), "69", "exit code: another one still reads what came before")


def slow_reader(world, daemon):
    phase("a reader that does not read")
    ledger = Ledger(world, daemon, size=1400)
    sink = Sink(world, *OUT)
    capture = Capture(world, daemon)
    capture.process.signal(signal.SIGSTOP)
    sent = 0
    while not daemon.status()["totals"]["capture_missed"]:
        sent += Gen(world, *IN, rate=20000, size=1400, count=10000).wait()["sent"]
        check(sent < 200_000, "the ring is never full")
    ledger.settle()
    seen = sink.stop()
    equal((seen["lost"], seen["reordered"], seen["duplicated"]), (0, 0, 0), "what the sink lacks")
    capture.process.signal(signal.SIGCONT)
    capture.process.signal(signal.SIGINT)
    until(lambda: re.search(r"capture ends: rule=stream missed=[1-9]", daemon.log()),
          "the log tells what was missed")


def rule_gone(world, daemon, text):
    phase("its rule goes and comes back: a rule that comes meanwhile is not in it")
    capture = Capture(world, daemon, "--in")
    stays = config(*RULES[1:])
    daemon.reload(stays)
    gone = daemon.status()["uptime_s"]
    until(lambda: daemon.status()["uptime_s"] > gone + 3, "what it had would be free")
    other = rule("other", "239.1.1.9", 5000, [("r1", "239.2.1.9")])
    daemon.reload(config(*RULES[1:], other))
    Gen(world, "239.1.1.9", 5000, rate=1000, size=100, count=40).wait()
    until(lambda: daemon.rule("other")["rx_datagrams"] == 40, "the other rule has its datagrams")
    daemon.reload(text)
    Gen(world, *IN, rate=1000, size=100, count=50).wait()
    equal(values(finished(world, capture, 50), "ip.dst"), {IN[0]}, "groups in the capture")


def refusals(world, daemon):
    phase("what is refused")
    def code(*args, prefix=()):
        return subprocess.run(
            ["ip", "netns", "exec", "relay", *prefix, world.mcr, "capture", *args, "--socket",
             daemon.socket], capture_output=True, timeout=20, check=False).returncode
    equal(code("nobody", "-w", "/dev/null"), 64, "exit code: no such rule")
    equal(code("stream", "-w", "/nowhere/x"), 71, "exit code: no such folder")
    other = ("setpriv", "--reuid", "65534", "--regid", "0", "--clear-groups")
    denied = code("stream", "--seconds", "1", prefix=other)
    if denied == 127:  # setpriv(1): the user namespace has no other user
        print("another user of the relay's group: not tried, there is none here")
    else:
        equal(denied, 77, "exit code: another user of the relay's group")


def story(world):
    if not shutil.which("tshark"):
        raise Skip("tshark is not installed")
    by_the_worker("captures see the worker's datagrams")
    world.line()
    text = config(*RULES)
    daemon = Daemon(world, text).start()
    arriving(world, daemon)
    leaving(world, daemon)
    drops(world, daemon)
    live(world, daemon)
    before(world, daemon)
    slow_reader(world, daemon)
    rule_gone(world, daemon, text)
    refusals(world, daemon)
    until(lambda: daemon.log().count("capture ends") == daemon.log().count("capture begins"),
          "every capture ends")


play(story, 150)
