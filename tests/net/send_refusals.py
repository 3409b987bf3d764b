#!/usr/bin/env python3
"""A copy that is refused: status and log say by whom, and why.

    gen (g0) ---- (r0) relay (r1 10.2.0.1) ---- (s0 10.2.0.2) sink

Once by netfilter on the relay's host, once by MCR itself.
"""

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import check, equal, phase, until
from netlab.frames import udp
from netlab.world import play


def send(world, group, source="10.1.0.2", count=3):
    world.inject("gen", "g0", [udp(source, group, 5000, bytes([n] * 60)) for n in range(count)])


def output(daemon, name):
    return daemon.rule(name)["outputs"][0]


def refused(world, daemon, name, words, errno):
    """The counter, the reason in JSON and in words, and one line in the log."""
    until(lambda: output(daemon, name)["drops"]["send_error"] >= 3,
          lambda: f"{name} is refused: {output(daemon, name)}")
    said = output(daemon, name)
    equal(said["errno"], errno, f"errno of {name}")
    for word in words:
        check(word in said["error"], f"{word!r} is in {said['error']!r}")
    text = " ".join(world.call("status", name, "--socket", daemon.socket).stdout.split())
    check("last refusal: " + said["error"] in text, text)
    until(lambda: f"sends refused: rule={name}" in daemon.log(), "the log says it")


def story(world):
    by_the_worker("copies by the kernel's way do not pass the hook that refuses them")
    world.line()
    world.sh("nft add table ip t; nft add chain ip t o '{ type filter hook output priority 0; }';"
             " nft add rule ip t o ip daddr 239.2.1.1 drop", "relay")
    preserve = '{ interface = "r1", group = "239.2.1.2", source = "preserve" }'
    daemon = Daemon(world, config(
        rule("firewall", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
        rule("own", "239.1.1.2", 5000, [preserve]),
    )).start()

    phase("netfilter drops what is sent")
    send(world, "239.1.1.1")
    refused(world, daemon, "firewall", ("Operation not permitted", "netfilter"), "EPERM")
    check("by=netfilter" in daemon.log(), daemon.log())
    check("nft list ruleset" in daemon.log(), daemon.log())

    phase("MCR itself cannot send from 0.0.0.0")
    send(world, "239.1.1.2", source="0.0.0.0")
    refused(world, daemon, "own", ("MCR did not send it", "0.0.0.0"), None)
    check("by=mcr" in daemon.log(), daemon.log())

    phase("a line a minute, not one each datagram")
    for _ in range(3):
        send(world, "239.1.1.1", count=50)
    until(lambda: output(daemon, "firewall")["drops"]["send_error"] == 153, "all are refused")
    equal(daemon.log().count("sends refused: rule=firewall"), 1, "lines about it")


play(story, 40)
