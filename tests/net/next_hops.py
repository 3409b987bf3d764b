#!/usr/bin/env python3
"""A unicast output whose next hop does not answer: status, log and doctor say so.

    gen (g0) ---- (r0) relay (r1 10.2.0.1) ---- (s0 10.2.0.2) sink
                             (r1 fd02::1)        (s0 fd02::2)

The kernel takes what is sent to a dead host, and loses it: no counter of sending shows that.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.traffic import Gen
from netlab.world import play


def to(address):
    return f'{{ interface = "r1", address = "{address}", port = 6000 }}'


def output(daemon, name):
    return daemon.rule(name)["outputs"][0]


def story(world):
    world.line()
    for namespace, interface, address in (("gen", "g0", "fd01::2"), ("relay", "r0", "fd01::1"),
                                          ("relay", "r1", "fd02::1"), ("sink", "s0", "fd02::2")):
        world.sh(f"ip addr add {address}/64 dev {interface} nodad", namespace)
        world.link_local(namespace, interface)
    world.sh("ip route add 10.50.0.0/16 via 10.2.0.99 dev r1", "relay")
    world.sh("ip route add fd50::/64 via fd02::99 dev r1", "relay")
    text = config(
        rule("alive", "239.1.1.1", 5000, [to("10.2.0.2")]),
        rule("dead", "239.1.1.1", 5001, [to("10.2.0.77")]),
        rule("gateway", "239.1.1.1", 5002, [to("10.50.1.1")]),
        rule("no-route", "239.1.1.1", 5003, [to("10.77.1.1")]),
        rule("alive-6", "ff05::1:1", 5000, [to("fd02::2")]),
        rule("dead-6", "ff05::1:1", 5001, [to("fd02::77")]),
        rule("gateway-6", "ff05::1:1", 5002, [to("fd50::1")]),
    )
    daemon = Daemon(world, text).start()
    gens = [Gen(world, "239.1.1.1", port, rate=200, size=100, duration=30)
            for port in range(5000, 5004)]
    gens += [Gen(world, "ff05::1:1", port, rate=200, size=100, duration=30) for port in range(5000, 5003)]

    phase("dead next hops are found while the stream runs")
    wrong = {
        "dead": ("10.2.0.77 does not answer on r1", "EHOSTUNREACH"),
        "gateway": ("the gateway 10.2.0.99 does not answer on r1", "EHOSTUNREACH"),
        "dead-6": ("fd02::77 does not answer on r1", "EHOSTUNREACH"),
        "gateway-6": ("the gateway fd02::99 does not answer on r1", "EHOSTUNREACH"),
        "no-route": ("no route to 10.77.1.1 by r1", "ENETUNREACH"),
    }
    for name, (words, errno) in wrong.items():
        until(lambda n=name, w=words: output(daemon, n)["reason"].startswith(w),
              lambda n=name: f"{n} is found: {output(daemon, n)}")
        equal((output(daemon, name)["state"], output(daemon, name)["errno"]), ("up", errno), name)
        until(lambda n=name: output(daemon, n)["unreachable"] > 0,
              lambda n=name: f"what {n} sends into nothing is counted: {output(daemon, n)}")
        text = " ".join(world.call("status", name, "--socket", daemon.socket).stdout.split())
        check(words in text and "ip route get" in text, text)
    log = daemon.log()
    equal(log.count("output reaches nobody:"), len(wrong), "lines in the log")
    page = world.call("status", "--socket", daemon.socket).stdout
    check(page.startswith("ATTENTION") and "10.2.0.77 does not answer" in " ".join(page.split()),
          page)
    for name in ("alive", "alive-6"):
        equal((output(daemon, name)["reason"], output(daemon, name)["unreachable"]), ("", 0),
              f"the output whose next hop answers: {name}")

    phase("doctor finds them, too")
    found = world.call("doctor", "-c", daemon.file).stdout
    for word in ("output to 10.2.0.77", "output to 10.50.1.1", "output to 10.77.1.1", "output to fd02::77",
                 "output to fd50::1"):
        check(word in found, found)
    check("output to 10.2.0.2" not in found and "output to fd02::2" not in found, found)

    phase("the host comes to life")
    world.sh("ip addr add 10.2.0.77/24 dev s0", "sink")
    world.sh("ip addr add fd02::77/64 dev s0 nodad", "sink")
    for name in ("dead", "dead-6"):
        until(lambda n=name: output(daemon, n)["reason"] == "", f"it is noticed: {name}")
    check("output reaches its next hop again" in daemon.log(), daemon.log())
    for gen in gens:
        gen.stop()


play(story, 60)
