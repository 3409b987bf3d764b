#!/usr/bin/env python3
"""`merge` with order = "sequence": one RTP stream of ffmpeg by two paths, in order and whole at the other end.

    ffmpeg -> injector (g0) ---- (ra) relay (r1) ---- (s0) sink
                       (g1) ---- (rb)   '
        239.1.1.1:5000 by ra and 239.2.2.2:5002 by rb  ->  239.9.9.9:6000

The injector loses 3 % of each path by itself, delays the second one by 40 ms and changes the order within both.
Three captures judge: both paths as they reach the relay, and the sink. What comes out is what some path brought, in
order, none twice, bit for bit. Where the paths together have everything, ffmpeg decodes what the source has, frame by
frame; GStreamer's jitter buffer makes the same of the same two paths.
"""

import json
import os
import shutil
import signal
import statistics

from netlab.daemon import Daemon, config
from netlab.expect import EMULATED, PATIENCE, Skip, check, equal, phase, until
from netlab.ledger import internal
from netlab.offload import switch
from netlab.process import Process
from netlab.programs import leg_sender
from netlab.world import play

OUT = ("239.9.9.9", 6000)
A, B = ("239.1.1.1", 5000), ("239.2.2.2", 5002)
HEADER = 12  # of RTP
WINDOW = 0.1
# A busy machine wakes a program late.
SLACK = 0.02 * PATIENCE * (5 if EMULATED else 1)


def relayed(window="100ms", pace="false", workers=2, order='"sequence"'):
    waits = f', window = "{window}", pace = {pace}' if order == '"sequence"' else ""
    return config(f"""[[rule]]
name = "merged"
inputs = [
  {{ interface = "ra", group = "{A[0]}", port = {A[1]} }},
  {{ interface = "rb", group = "{B[0]}", port = {B[1]} }},
]
merge = {{ by = "rtp", order = {order}{waits} }}
outputs = [ {{ interface = "r1", group = "{OUT[0]}", port = {OUT[1]} }} ]
""", workers=workers)


class Capture:
    """[(time, payload)] at an interface, by the kernel's clock."""

    def __init__(self, world, interface, to, namespace):
        self.process = world.start_program("timed_capture", interface, *to, namespace=namespace)

    def count(self):
        return self.process.out().count("\n")

    def read(self):
        lines = (line.split() for line in self.process.out().split("\n")[:-1])
        return [(float(time), bytes.fromhex(payload)) for time, payload in lines]

    def end(self):
        self.process.kill()
        return self.read()


def captures(world):
    return (Capture(world, "ra", A, "relay"), Capture(world, "rb", B, "relay"),
            Capture(world, "s0", OUT, "sink"))


def merged(daemon):
    return daemon.rule("merged")


def number(payload):
    return int.from_bytes(payload[2:4], "big")


def unwrapped(payloads):
    """{number that does not wrap: payload}"""
    result, last = {}, None
    for payload in payloads:
        here = number(payload)
        if last is not None:
            here = last + (here - last + 0x8000) % 0x10000 - 0x8000
        last = here
        check(result.setdefault(here, payload) == payload, f"two contents of number {here}")
    return result


def union(legs):
    """What both legs brought together, by number; both begin with the same one."""
    one, other = (unwrapped(payload for _, payload in leg) for leg in legs)
    for here in one.keys() & other.keys():
        check(one[here] == other[here], f"the paths differ at number {here}")
    return one | other


def brought(daemon):
    return sum(entry["leg"]["received"] for entry in merged(daemon)["inputs"])


def quiet(daemon):
    """An input that was quiet for a second has no say in what the stream is: the next one is followed at once."""
    until(lambda: merged(daemon)["last_seen_s"] > 1.1, "a second of silence")


def settled(daemon, out):
    """Nothing waits any more, and the sink has what has left."""
    def rest():
        rule = merged(daemon)
        left = rule["outputs"][0]["tx_datagrams"]
        return left + sum(rule["drops"].values()) == rule["rx_datagrams"] and out.count() >= left - rest.before
    rest.before = daemon.before
    until(rest, "all has left and come")


def judge(daemon, legs, out, what):
    """`out` is the union of the legs, in order, once, bit for bit."""
    wanted = union(legs)
    came = [payload for _, payload in out]
    equal(len(came), len(wanted), f"{what}: datagrams that came")
    check(came == [wanted[here] for here in sorted(wanted)], f"{what}: in order, once, bit for bit")
    lost = max(wanted) - min(wanted) + 1 - len(wanted)
    rule = merged(daemon)
    equal(rule["drops"]["late"], 0, f"{what}: drops.late")
    internal(daemon.status())
    return wanted, lost


def first_seen(leg):
    seen = {}
    for time, payload in leg:
        seen.setdefault(payload[2:8], time)
    return seen


def stream(world, daemon, file, seed, complete, judge_too=None):
    """Plays the file by both paths; the captures of both and of the sink."""
    daemon.before = merged(daemon)["outputs"][0]["tx_datagrams"]
    a, b, out = captures(world)
    injector = world.start_program("two_paths_injector", 7000, seed, complete, f"{A[0]},{A[1]},10.1.0.2,3,0,2",
                                   f"{B[0]},{B[1]},10.3.0.2,3,40,2", namespace="gen")
    world.sh(f"ffmpeg -hide_banner -loglevel error -re -i {file} -c copy -f rtp_mpegts"
             " 'rtp://127.0.0.1:7000?pkt_size=1328'", "gen", seconds=120)
    until(lambda: not world.udp_queued("gen"), "the injector has read everything")
    injector.signal(signal.SIGTERM)
    equal(injector.wait(20), 0, "exit code of the injector")
    until(lambda: a.count() + b.count() == brought(daemon) - daemon.brought, "the captures have everything")
    settled(daemon, out)
    daemon.brought = brought(daemon)
    return (a.end(), b.end()), out.end()


def frames(world, file):
    """The hash of each decoded frame."""
    text = world.sh(f"ffmpeg -hide_banner -loglevel error -i {file} -map 0 -f framemd5 -", seconds=60)
    return [line.split(",")[-1].strip() for line in text.splitlines() if not line.startswith("#")]


def transport_stream(world, name, payloads):
    path = world.path(name)
    with open(path, "wb") as file:
        for payload in payloads:
            file.write(payload[HEADER:])
    return path


class JitterBuffer:
    """GStreamer's, which is given both paths by one socket."""

    def __init__(self, world):
        self.path = world.path("gstreamer.ts")
        caps = "application/x-rtp,media=video,clock-rate=90000,encoding-name=MP2T,payload=33"
        self.process = Process(world.directory, "gstreamer", [
            "ip", "netns", "exec", "gen", "gst-launch-1.0", "-q", "udpsrc", "port=7001", "buffer-size=4000000",
            f"caps={caps}", "!", "rtpjitterbuffer", "latency=400", "!", "rtpmp2tdepay", "!", "filesink",
            "buffer-mode=unbuffered", f"location={self.path}"])
        world.processes.append(self.process)
        until(lambda: ":7001" in world.sh("ss -uln", "gen"), lambda: f"GStreamer listens: {self.process.err()}", 30)

    def judge(self, payloads):
        wanted = b"".join(payload[HEADER:] for payload in payloads)
        size = lambda: os.path.getsize(self.path) if os.path.exists(self.path) else 0
        until(lambda: size() >= len(wanted), lambda: f"GStreamer has {size()} of {len(wanted)} bytes")
        self.process.kill()
        with open(self.path, "rb") as file:
            equal(file.read() == wanted, True, "GStreamer's jitter buffer made the same of both paths")


def whole(world, daemon, file):
    phase("both paths together have everything: the decoded frames are the source's")
    gstreamer = JitterBuffer(world) if has_gstreamer(world) else None
    legs, out = stream(world, daemon, file, seed=1, complete=1)
    wanted, lost = judge(daemon, legs, out, "whole")
    equal(lost, 0, "lost")
    rule = merged(daemon)
    equal(rule["merge"]["lost"], 0, "merge.lost")
    check(rule["merge"]["recovered"] > 10, f"the second path was good for something: {rule['merge']}")
    came = transport_stream(world, "came.ts", (payload for _, payload in out))
    source = frames(world, file)
    check(len(source) > 100, f"the source has frames: {len(source)}")
    equal(frames(world, came) == source, True, "framemd5")
    if gstreamer:
        gstreamer.judge([wanted[here] for here in sorted(wanted)])


def has_gstreamer(world):
    if shutil.which("gst-launch-1.0") and shutil.which("gst-inspect-1.0"):
        found = "gst-inspect-1.0 --exists rtpjitterbuffer && gst-inspect-1.0 --exists rtpmp2tdepay && echo yes"
        if "yes" in world.sh(found, ok=None):
            return True
    print("no comparison with GStreamer: gst-launch-1.0 or its RTP plugins are not installed")
    return False


def in_time(legs, out):
    """No hole: no delay. Else at most the window after the next one came."""
    seen = first_seen([*legs[0], *legs[1]])
    delays = [time - min(seen[payload[2:8]], time) for time, payload in out]
    middle = statistics.median(delays)
    print(f"delay: {1000 * middle:.2f} ms in the middle, {1000 * max(delays):.1f} ms at most")
    check(middle < 0.01, f"the median of {middle} s: nothing waits without a hole")
    check(max(delays) < WINDOW + SLACK, f"a datagram waited for {max(delays)} s")


def with_loss(world, daemon, file):
    phase("each path loses 3 % by itself: what both lost is missing, and nothing else")
    before = merged(daemon)["merge"]["lost"]
    legs, out = stream(world, daemon, file, seed=6, complete=0)
    _, lost = judge(daemon, legs, out, "with loss")
    check(lost > 0, "some were lost on both paths")
    equal(merged(daemon)["merge"]["lost"] - before, lost, "merge.lost")
    in_time(legs, out)


def paced(world, daemon, file):
    phase("pace = true: a constant delay, set by a reload of the running rule")
    daemon.reload(relayed(pace="true"))
    legs, out = stream(world, daemon, file, seed=3, complete=1)
    judge(daemon, legs, out, "paced")
    seen = first_seen(legs[0])
    delays = sorted(time - seen[payload[2:8]] for time, payload in out if payload[2:8] in seen)
    low, high = delays[len(delays) // 20], delays[len(delays) * 19 // 20]
    print(f"delay of 90 %: {1000 * low:.1f} to {1000 * high:.1f} ms")
    check(WINDOW - 0.005 <= low and high <= WINDOW + SLACK, f"delay of {low} to {high} s, wanted {WINDOW} s")


def by_legs(world, daemon, *legs, first=0, ssrc=7, count=1500, rate=1500, seed=1):
    """A counted stream of leg_sender: what came, in order, and what the sender says."""
    out = Capture(world, "s0", OUT, "sink")
    daemon.before = merged(daemon)["outputs"][0]["tx_datagrams"]
    sender = world.start_program("leg_sender", seed, count, rate, first, ssrc, *legs, namespace="gen")
    equal(sender.wait(60), 0, f"exit code of the sender: {sender.err()}")
    sent = json.loads(sender.out())
    until(lambda: brought(daemon) == daemon.brought + sum(sent["sent"]), "the relay has read everything")
    daemon.brought = brought(daemon)
    settled(daemon, out)
    return sent, [payload for _, payload in out.end()]


def bursts(world, daemon):
    phase("superframes of both paths, wrapping numbers: in order, each once")
    legs = (f"{A[0]},{A[1]},g0,5,0,7", f"{B[0]},{B[1]},g1,5,20,16")
    sent, came = by_legs(world, daemon, *legs, first=65000, ssrc=11, count=3000, rate=3000, seed=4)
    wanted = [leg_sender.content(11, n) for n in sent["numbers"]]
    check(came == wanted, f"{len(came)} of {len(wanted)} came, in order, once")
    internal(daemon.status())


def too_small(world, daemon):
    phase("a path that is 63 ms behind a window of 50 ms: said, and what it fills comes late")
    daemon.reload(relayed(window="50ms"))
    quiet(daemon)
    before = merged(daemon)["drops"]["late"]
    legs = (f"{A[0]},{A[1]},g0,5,0", f"{B[0]},{B[1]},g1,0,63")
    sent, came = by_legs(world, daemon, *legs, ssrc=12, count=4500, seed=0)
    late = merged(daemon)["drops"]["late"] - before
    check(late > 50, f"drops.late: {late}")
    numbers = [number(payload) for payload in came]
    check(numbers == sorted(set(numbers)), "in order, once")
    equal(len(came) + late, sent["distinct"], "what came and what was late")
    until(lambda: "behind: window too small" in merged(daemon)["reason"], "the rule's reason says so", 5)
    check("leg is behind by more than window" in daemon.log(), "the log says so")


def stops(world, daemon):
    phase("a stop sends what waits")
    daemon.reload(relayed(window="2s"))
    quiet(daemon)
    out = Capture(world, "s0", OUT, "sink")
    sender = world.start_program("leg_sender", 0, 1, 100, 100, 13, f"{A[0]},{A[1]},g0,0,0", namespace="gen")
    equal(sender.wait(20), 0, "exit code of the sender")
    sender = world.start_program("leg_sender", 0, 3, 100, 102, 13, f"{A[0]},{A[1]},g0,0,0", namespace="gen")
    equal(sender.wait(20), 0, "exit code of the sender")
    until(lambda: merged(daemon)["merge"]["waiting"] == 3, "three wait for one")
    page = world.call("status", "merged", "--socket", daemon.socket).stdout
    check("of at most 16,384 datagrams wait" in " ".join(page.split()), page)
    daemon.stop()
    until(lambda: out.count() == 4, "they have come")
    equal([number(payload) for _, payload in out.end()], [100, 102, 103, 104], "numbers")


def story(world):
    world.namespace("gen", "relay", "sink")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "ra", "10.1.0.1/24")
    world.link("gen", "g1", "10.3.0.2/24", "relay", "rb", "10.3.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    switch(world, "relay", "r1", tx_udp_segmentation=False)  # the captures see what the wire would
    daemon = Daemon(world, relayed()).start()
    daemon.brought = 0
    bursts(world, daemon)
    too_small(world, daemon)
    stops(world, daemon)
    if not shutil.which("ffmpeg"):
        raise Skip("ffmpeg is not installed: its streams are not judged")
    file = world.path("source.ts")
    world.sh("ffmpeg -hide_banner -loglevel error -f lavfi -i testsrc=size=320x180:rate=25 -t 6"
             " -c:v mpeg2video -b:v 2M -minrate 2M -maxrate 2M -bufsize 1M -f mpegts"
             f" -muxrate 3M {file}", seconds=60)
    for workers in (2, 1):
        phase(f"workers: {workers}")
        daemon = Daemon(world, relayed(workers=workers)).start()
        daemon.brought = 0
        whole(world, daemon, file)
        if workers == 1:
            break
        with_loss(world, daemon, file)
        paced(world, daemon, file)
        daemon.stop()
    daemon.stop()


play(story, 150)
