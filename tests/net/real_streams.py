#!/usr/bin/env python3
"""Streams of real programs, harmed on their way to the relay; what MCR counts is what harmed them.

    ffmpeg, GStreamer, multicat -> injector (g0) ---- (r0) relay (r1) ---- (s0) sink, dumpcap
                                      239.1.1.1:5000  ->  239.2.2.2:6000

MPEG-TS and MPEG-TS in RTP. A program of its own drops, doubles, swaps and harms datagrams, and says
what it did. What the sink and the relay count is exactly that: lost, reordered, duplicated,
continuity errors, error bits, sync bytes. Datagrams with a wrong checksum are the relay's drops.
tshark counts the same losses in RTP.
"""

import json
import shutil
import signal

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import Skip, check, equal, phase, until
from netlab.offload import switch
from netlab.process import Process
from netlab.streams import RtpCapture, StreamSink
from netlab.world import play

IN, OUT = ("239.1.1.1", 5000), ("239.2.2.2", 6000)
INJECTOR, FEED = "127.0.0.1:7000", "127.0.0.1:7001"
FFMPEG = "ffmpeg -hide_banner -loglevel error -nostdin"
GSTREAMER = ('gst-launch-1.0 -q udpsrc address=127.0.0.1 port=7001 '
             'caps="video/mpegts,packetsize=188,systemstream=true" '
             '! rtpmp2tpay ! udpsink host=127.0.0.1 port=7000')

# What it is; its program; the kind; the command; another one, where that feeds it.
STREAMS = (
    ("ffmpeg: rtp_mpegts", "ffmpeg", "rtp",
     f"{FFMPEG} -re -i clip.ts -c copy -f rtp_mpegts 'rtp://{INJECTOR}?pkt_size=1328'", None),
    ("ffmpeg: mpegts", "ffmpeg", "ts",
     f"{FFMPEG} -re -i clip.ts -c copy -f mpegts 'udp://{INJECTOR}?pkt_size=1316'", None),
    ("GStreamer: rtpmp2tpay", "gst-launch-1.0", "rtp",
     f"{FFMPEG} -re -i clip.ts -c copy -f mpegts 'udp://{FEED}?pkt_size=1316'", GSTREAMER),
    ("multicat: RTP", "multicat", "rtp", f"multicat clip.ts {INJECTOR}", None),
    ("multicat: UDP", "multicat", "ts", f"multicat -U clip.ts {INJECTOR}", None),
)


def make_clip(world):
    """Five seconds of MPEG-TS at 2 Mbit/s; for multicat with its times in a file beside it."""
    world.sh(f"cd {world.directory} && {FFMPEG} -f lavfi -i testsrc=size=320x180:rate=25"
             " -f lavfi -i sine -t 5 -c:v mpeg2video -b:v 2M -minrate 2M -maxrate 2M -bufsize 1M"
             " -c:a mp2 -f mpegts clip.ts", seconds=120)
    if shutil.which("ingests"):
        world.sh(f"cd {world.directory} && ingests -p 256 clip.ts")


def relayed(inspect):
    return config(rule("stream", *IN, [("r1", *OUT)]) + f'inspect = "{inspect}"\n')


def told(daemon):
    """What the relay says of its input's stream; it looks once a second."""
    return daemon.rule("stream")["inputs"][0]["stream"]


def forget(daemon):
    """What was seen of the stream before goes with the first look after the rule is without it."""
    daemon.reload(relayed("none"))
    since = daemon.status()["uptime_s"]
    until(lambda: daemon.status()["uptime_s"] > since + 1.5, "the relay has looked")


def sync_errors(stream):
    return next(one["count"] for one in stream["ts"]["indicators"] if one["number"] == "1.2")


def counts(stream):
    kept = {name: stream[name] for name in ("received", "lost", "reordered", "duplicated")}
    kept |= {name: stream["ts"][name] for name in ("cc_errors", "tei", "packets")}
    return kept | {"sync_errors": sync_errors(stream)}


def start_fed(world, command):
    """A program that gets the stream from another one, listening when this returns."""
    fed = Process(world.directory, "fed",
                  ["ip", "netns", "exec", "gen", "sh", "-c", f"exec {command}"])
    world.processes.append(fed)
    until(lambda: ":1B59 " in world.sh("cat /proc/net/udp", "gen"), "the fed program listens")
    return fed


def send(world, command, fed_command, seed):
    """Sends the whole stream through the injector; returns what that did."""
    injector = world.start_program("stream_injector", 7000, *IN, "10.1.0.2", seed, namespace="gen")
    fed = start_fed(world, fed_command) if fed_command else None
    world.sh(f"cd {world.directory} && {command}", "gen", seconds=60)
    until(lambda: not world.udp_queued("gen"), "what was sent has been read")
    if fed:
        fed.signal(signal.SIGINT)
        fed.wait(10)
        until(lambda: not world.udp_queued("gen"), "what was fed has been read")
    injector.signal(signal.SIGTERM)
    injector.wait(10)
    return json.loads(injector.out())


def real(world, daemon, stream, tshark, seed):
    name, _, kind, command, fed_command = stream
    phase(f"{name}, harmed on its way")
    forget(daemon)
    daemon.reload(relayed(kind))
    corrupt = daemon.rule("stream")["drops"]["bad_checksum"]
    capture = RtpCapture(world, OUT[1]) if tshark and kind == "rtp" else None
    receiver = StreamSink(world, *OUT, kind)
    harmed = send(world, command, fed_command, seed)
    print(f"   {harmed}")
    check(harmed["sent"] > 500 and harmed["corrupt"] > 2, f"the injector was busy: {harmed}")
    seen = receiver.stop()
    of_sink = seen["inspected"][0]
    equal({"sent": seen["received"], "lost": seen["lost"], "duplicated": seen["duplicated"],
           "reordered": seen["reordered"], "cc_errors": of_sink["ts"]["cc_errors"],
           "tei": of_sink["ts"]["tei"], "sync_errors": sync_errors(of_sink),
           "corrupt": daemon.rule("stream")["drops"]["bad_checksum"] - corrupt},
          harmed, "counts")
    until(lambda: told(daemon)["received"] == seen["received"], "the relay has looked again")
    equal(counts(told(daemon)), counts(of_sink), "counts of the relay")
    kinds = {pid["kind"] for pid in of_sink["ts"]["pids"]}
    check({"PAT", "PMT", "MPEG-2 video", "MPEG audio"} <= kinds, f"kinds of PIDs: {kinds}")
    if capture:
        equal(capture.stream(harmed["sent"]),
              (harmed["sent"], harmed["lost"] - harmed["duplicated"]), "packets and lost of tshark")


def story(world):
    if not shutil.which("ffmpeg"):
        raise Skip("ffmpeg is not installed: no program makes a stream")
    by_the_worker("what is inspected does not take the kernel's way")
    world.line()
    switch(world, "relay", "r1", tx_udp_segmentation=False)  # dumpcap sees what the wire would
    make_clip(world)
    daemon = Daemon(world, relayed("auto")).start()
    tshark = shutil.which("tshark")
    missing = set() if tshark else {"tshark"}
    for seed, stream in enumerate(STREAMS, 1):
        if shutil.which(stream[1]):
            real(world, daemon, stream, tshark, seed)
        else:
            missing.add(stream[1])
    if missing:
        raise Skip(f"the rest has passed; not installed: {', '.join(sorted(missing))}")


play(story, 150)
