#!/usr/bin/env python3
"""A link without link headers: a tun device, as VPN programs make it.

    program === (tun0 10.9.0.1, peer 10.9.0.2) relay (r1) ---- (s0) sink
                                         (r0) ---- (g0) gen

In by tun0, and out by tun0: multicast and unicast.
"""

import os

from netlab.daemon import Daemon, config, rule
from netlab.expect import Skip, equal, phase, scaled, until
from netlab.frames import udp
from netlab.ledger import internal
from netlab.traffic import Gen, Sink
from netlab.world import play


def packet(*arguments):
    return udp(*arguments)[14:]


def story(world):
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Skip("/dev/net/tun cannot be opened")
    world.line()
    fifo = world.path("packets")
    os.mkfifo(fifo)
    program = world.start_program("tun_program", fifo, namespace="relay")
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
