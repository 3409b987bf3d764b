#!/usr/bin/env python3
"""`segmentation = "off"`: a receiver that captures frames behind a veth sees single datagrams.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

from netlab.capture import Capture
from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.traffic import Gen
from netlab.world import play

SIZE = 500
COUNT = 2000


def largest(world, extra, output=""):
    """The largest UDP payload of a frame that leaves, while bursts are relayed."""
    capture = Capture(world, "sink", "s0")
    outputs = [f'{{ interface = "r1", group = "239.2.1.1"{output} }}']
    daemon = Daemon(world, config(rule("one", "239.1.1.1", 5000, outputs)) + extra).start()
    Gen(world, "239.1.1.1", 5000, rate=20000, size=SIZE, count=COUNT, gso="on").wait()
    until(lambda: daemon.rule("one")["outputs"][0]["tx_datagrams"] == COUNT, "all is relayed")
    equal(daemon.rule("one")["outputs"][0]["segmentation"], "off" if extra or output else "auto",
          "as status shows it")
    until(lambda: capture.packets("239.2.1.1", 5000), "frames are captured")
    sizes = [len(packet.payload) for packet in capture.packets("239.2.1.1", 5000)]
    capture.close()
    daemon.stop()
    return max(sizes)


def story(world):
    world.line()
    phase("as it is: superframes")
    check(largest(world, "") > SIZE, "several datagrams leave as one message")
    phase("off for the output")
    equal(largest(world, "", ', segmentation = "off"'), SIZE, "largest payload of a frame")
    phase("off for the interface")
    equal(largest(world, '[interface.r1]\nsegmentation = "off"\n'), SIZE, "largest payload")


play(story, 60)
