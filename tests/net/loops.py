#!/usr/bin/env python3
"""What the relay itself has sent comes back by a wire that it does not know of.

    gen (g0) ---- (r0) relay (r1) ---- (b1) bridge (b2) ---- (r2) relay
                                        both in one switch

The configuration has no circle: r1 and r2 are different interfaces to it.  What r1 sends to a
group arrives at r2 with our own source: dropped as own_source, counted, and the stream of another
sender to the same group passes. With allow_loop it is taken.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.frames import udp
from netlab.kernel import superframes_are_described
from netlab.ledger import internal
from netlab.offload import switch
from netlab.world import play

COUNT = 50
OUT = rule("out", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
BACK = rule("back", "239.2.1.1", 5000, [("r0", "239.3.1.1")], interface="r2")


def send(world):
    frames = [udp("10.1.0.2", "239.1.1.1", 5000, bytes(100))] * COUNT
    world.inject("gen", "g0", frames)


def comes_back(world, daemon):
    phase("own datagrams come back in, and stop there")
    send(world)
    until(lambda: daemon.rule("back")["drops"]["own_source"] == COUNT,
          lambda: f"{COUNT} datagrams are dropped as own_source: {daemon.rule('back')}")
    equal(daemon.rule("back")["rx_datagrams"], 0, "own datagrams that were taken")
    equal(daemon.status()["totals"]["drops"]["own_source"], COUNT, "own_source in the totals")

    phase("another sender's do not")
    foreign = [udp("10.2.0.77", "239.2.1.1", 5000, bytes(100))] * COUNT
    world.inject("switch", "b3", foreign)
    until(lambda: daemon.rule("back")["rx_datagrams"] == COUNT, "a foreign stream is taken")

    phase("our address with another port is somebody else of this host")
    world.inject("switch", "b3", [udp("10.2.0.1", "239.2.1.1", 5000, bytes(100), source_port=9)])
    until(lambda: daemon.rule("back")["rx_datagrams"] == COUNT + 1, "another program's stream")
    equal(daemon.rule("back")["drops"]["own_source"], COUNT, "own_source, after that")


def allowed(world, daemon):
    phase("allow_loop takes them")
    text = config(OUT, BACK.replace('name = "back"\n', 'name = "back"\nallow_loop = true\n'))
    equal(daemon.reload(text), "+0 -0 ~1 =1", "the reload")
    check(daemon.rule("back")["allow_loop"], "allow_loop in the status")
    before = daemon.rule("back")["rx_datagrams"]
    send(world)
    until(lambda: daemon.rule("back")["rx_datagrams"] == before + COUNT, "own datagrams are taken")
    equal(daemon.rule("back")["drops"]["own_source"], COUNT, "own_source, after that")



def story(world):
    world.namespace("gen", "relay", "switch")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "r0", "10.1.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "switch", "b1", None)
    world.link("relay", "r2", "10.2.0.2/24", "switch", "b2", None)
    world.link("switch", "b3", None, "switch", "b4", None)
    world.sh("ip -n switch link add br0 type bridge mcast_snooping 0 && ip -n switch link set br0 up")
    for port in ("b1", "b2", "b4"):
        world.sh(f"ip -n switch link set {port} master br0")
    if not superframes_are_described():
        switch(world, "relay", "r1", tx=False, tx_udp_segmentation=False)
    daemon = Daemon(world, config(OUT, BACK)).start()
    comes_back(world, daemon)
    allowed(world, daemon)
    internal(daemon.status())


play(story, 30)
