#!/usr/bin/env python3
"""A port of a bridge as an input.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                   |
                  br0

A bridge takes the frames of its ports before sockets that are bound to IP see them. The relay still
gets them: from a port at the start, from one that joins the bridge while it runs, and from one that
has left; by messages and by the ring of `ingress = "mmap"`. A port of a bond is refused, and the rule
says what to name instead.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import Failure, Skip, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play


def topology(world):
    world.line()
    for namespace, interface in (("gen", "g0"), ("relay", "r0"), ("relay", "r1"), ("sink", "s0")):
        world.link_local(namespace, interface)
    try:
        world.sh("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up", "relay")
    except Failure as failure:
        raise Skip(f"no bridge here: {failure}") from None


def enslave(world, master):
    world.sh("ip link set r0 " + (f"master {master}" if master else "nomaster"), "relay")
    if master == "br0":
        until(lambda: "state forwarding" in world.sh("bridge link show dev r0", "relay"),
              "the bridge forwards")


def relayed(world, ledger):
    """Every datagram once, singly, in superframes, and over IPv6."""
    exact(world, ledger, "239.1.1.1", 5000, scaled(500), 2000, size=400, out=("239.2.1.1", 5000))
    exact(world, ledger, "239.1.1.1", 5000, scaled(500), 2000, size=1400, out=("239.2.1.1", 5000))
    exact(world, ledger, "ff02::1:1", 5000, scaled(200), 2000, size=400, out=("ff02::2:1", 5000))


def generation(daemon):
    return sum("compiled and published" in line for line in daemon.log().splitlines())


def follow(world, daemon, master):
    before = generation(daemon)
    enslave(world, master)
    until(lambda: generation(daemon) > before, "the relay has followed")
    daemon.wait_active()


def bond(world, daemon):
    try:
        world.sh("ip link add bond0 type bond && ip link set r0 down", "relay")
    except Failure:
        return phase("no bond here")
    phase("a port of a bond")
    enslave(world, "bond0")
    until(lambda: daemon.rule("four")["state"] == "waiting", "the rule waits")
    until(lambda: daemon.rule("four")["reason"]
          == "interface r0 is part of bond0: name bond0 instead of r0", "it says what to name")
    return None


def follows(world, daemon):
    ledger = Ledger(world, daemon, size=400)
    phase("a port at the start")
    relayed(world, ledger)
    phase("the port leaves its bridge")
    follow(world, daemon, None)
    relayed(world, ledger)
    phase("it joins the bridge while the relay runs")
    follow(world, daemon, "br0")
    relayed(world, ledger)
    equal(daemon.status()["totals"]["unmatched"], 0, "frames of no rule that passed the filter")
    ledger.close()


def story(world):
    topology(world)
    enslave(world, "br0")
    rules = [rule("four", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
             rule("six", "ff02::1:1", 5000, [("r1", "ff02::2:1")])]
    for mode in ("mmap", "recvmsg"):
        phase(f'ingress = "{mode}"')
        text = config(*rules, workers=2, extra=f'[interface.r0]\ningress = "{mode}"\n')
        daemon = Daemon(world, text, mode).start()
        [ingress] = [each for each in daemon.status()["interfaces"] if each["name"] == "r0"]
        equal(bool(ingress["receive_ring"]), mode == "mmap", "it receives through a ring")
        follows(world, daemon)
        if mode == "mmap":
            daemon.stop()
    bond(world, daemon)


play(story, 120)
