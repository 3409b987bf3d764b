#!/usr/bin/env python3
"""A link without link headers: a tun device, as VPN programs make it.

    program === (tun0 10.9.0.1, peer 10.9.0.2) relay (r1) ---- (s0) sink
                                         (r0) ---- (g0) gen

In by tun0, and out by tun0: multicast and unicast.
"""

import os
import sys

from netlab.daemon import Daemon, config, rule
from netlab.expect import Skip, check, equal, phase, scaled, until
from netlab.frames import udp
from netlab.ledger import internal
from netlab.process import Process
from netlab.traffic import Gen, Sink
from netlab.world import play

# The program at the device: writes the packets given as lines of hex, prints those it reads.
PROGRAM = """
import fcntl, os, struct, sys, threading
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF: TUN, NO_PI
print("ready", file=sys.stderr, flush=True)
def read():
    while True:
        packet = os.read(tun, 65536)
        if packet[0] >> 4 == 4 and packet[9] == 17:
            port = struct.unpack("!H", packet[22:24])[0]
            print(".".join(map(str, packet[16:20])), port, len(packet) - 28, flush=True)
threading.Thread(target=read, daemon=True).start()
for line in open(sys.argv[1]):  # a FIFO
    os.write(tun, bytes.fromhex(line))
"""


def packet(*arguments):
    return udp(*arguments)[14:]


def story(world):
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Skip("/dev/net/tun cannot be opened")
    world.line()
    fifo = world.path("packets")
    os.mkfifo(fifo)
    program = Process(
        world.directory, "tun",
        ["ip", "netns", "exec", "relay", sys.executable, "-c", PROGRAM, fifo],
    )
    world.processes.append(program)
    until(lambda: "ready" in program.err() or not program.running, "the program has its device")
    check(program.running, f"the program with the device: {program.err()}")
    world.sh("ip addr add 10.9.0.1 peer 10.9.0.2 dev tun0 && ip link set tun0 up", "relay")
    unicast = (
        '[[rule]]\nname = "unicast"\ninput = { interface = "tun0", address = "10.9.0.1", port = 5000 }\n'
        'outputs = [ { interface = "r1", group = "239.2.1.2" } ]\n\n'
    )
    outputs = ['{ interface = "tun0", group = "239.9.1.1" }',
               '{ interface = "tun0", address = "10.9.0.2", port = 6000 }']
    daemon = Daemon(
        world,
        config(rule("group", "239.1.1.1", 5000, [("r1", "239.2.1.1")], interface="tun0"), unicast,
               rule("out", "239.1.1.3", 5000, outputs)),
    ).start()

    phase("in by tun0")
    count = 200
    sinks = [Sink(world, group, 5000) for group in ("239.2.1.1", "239.2.1.2")]
    with open(fifo, "w", encoding="ascii") as packets:
        for n in range(count):
            for group in ("239.1.1.1", "10.9.0.1", "239.1.1.7"):  # the last one has no rule
                packets.write(packet("10.9.0.2", group, 5000, b"x" * (n % 30)).hex() + "\n")
        packets.flush()
        until(lambda: all(daemon.rule(name)["rx_datagrams"] == count for name in ("group", "unicast")),
              "both rules take theirs")
        for sink in sinks:
            equal(sink.stop()["received"], count, "datagrams at a sink")
        equal(daemon.status()["totals"]["rx_datagrams"], 2 * count, "datagrams that passed")

        phase("out by tun0")
        sent = scaled(500, 100)
        Gen(world, "239.1.1.3", 5000, rate=scaled(1000), size=700, count=sent).wait()
        until(lambda: len(program.out().splitlines()) >= 2 * sent,
              lambda: f"the program reads all: {len(program.out().splitlines())} of {2 * sent}")
        lines = program.out().splitlines()
        equal({line: lines.count(line) for line in set(lines)},
              {"239.9.1.1 5000 700": sent, "10.9.0.2 6000 700": sent}, "what the program read")
        internal(daemon.status())


play(story, 45)
