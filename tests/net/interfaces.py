#!/usr/bin/env python3
"""Rules wait for interfaces and start by themselves.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink      from the start; r0 goes down and up
    gen (g2) ---- (r2) relay (r3) ---- (s3) sink      made while the daemon runs
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play


def state(daemon, name):
    return daemon.rule(name)["state"]


def output(daemon, name, interface):
    [found] = [o for o in daemon.rule(name)["outputs"] if o["interface"] == interface]
    return found


def story(world):
    world.line()
    daemon = Daemon(
        world,
        config(
            rule("plain", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
            rule("no-input", "239.1.1.2", 5000, [("r1", "239.2.1.2")], interface="r2"),
            rule("half", "239.1.1.3", 5000, [("r1", "239.2.1.3"), ("r3", "239.2.1.3")]),
            rule("no-output", "239.1.1.4", 5000, [("r3", "239.2.1.4")]),
        ),
    ).start(active=False)

    phase("r2 and r3 do not exist: two rules wait, one runs with the output that it has")
    until(lambda: state(daemon, "plain") == state(daemon, "half") == "active", "two rules run")
    for name, missing in (("no-input", "r2"), ("no-output", "r3")):
        until(lambda n=name: state(daemon, n) == "waiting", f"rule {name} waits")
        reason = daemon.rule(name)["reason"]
        check(missing in reason, f"the reason names {missing}: {reason!r}")
    equal(output(daemon, "half", "r3")["state"], "waiting", "state of the output to r3")
    ledger = Ledger(world, daemon, size=600)
    count = scaled(2000)
    exact(world, ledger, "239.1.1.3", 5000, count, 4000, size=600, out=("239.2.1.3", 5000))
    lame = output(daemon, "half", "r3")
    equal(lame["drops"]["output_down"], lame["matched"], "output_down of the output to r3")
    check(lame["matched"] >= count, f"it is counted for every datagram: {lame}")
    equal(lame["tx_datagrams"], 0, "datagrams sent to r3")

    phase("r3 appears: its outputs start")
    world.link("relay", "r3", "10.4.0.1/24", "sink", "s3", "10.4.0.2/24")
    until(lambda: state(daemon, "no-output") == "active", "rule no-output starts by itself")
    until(lambda: output(daemon, "half", "r3")["state"] == "up", "the output to r3 is up")
    exact(world, ledger, "239.1.1.4", 5000, count, 4000, size=600,
          sinks=[("239.2.1.4", 5000, "sink", "s3")])

    phase("r2 appears: its rule starts")
    world.link("gen", "g2", "10.5.0.2/24", "relay", "r2", "10.5.0.1/24")
    until(lambda: state(daemon, "no-input") == "active", "rule no-input starts by itself")
    equal(world.igmp("relay", "r2"), {"239.1.1.2"}, "groups joined on r2")
    second = Ledger(world, daemon, ingress="r2", egress=())
    exact(world, second, "239.1.1.2", 5000, count, 4000, size=600, out=("239.2.1.2", 5000),
          interface="g2")
    ledger.settle()

    phase("r0 goes down and comes up")
    world.sh("ip -n relay link set r0 down")
    until(lambda: state(daemon, "plain") == "waiting", "the rule waits for its link")
    reason = daemon.rule("plain")["reason"]
    check("r0" in reason and "down" in reason, f"the reason: {reason!r}")
    equal(state(daemon, "no-input"), "active", "state of a rule on another interface")
    world.sh("ip -n relay link set r0 up")
    until(lambda: state(daemon, "plain") == "active", "the rule runs again")
    until(lambda: "LOWER_UP" in world.sh("ip -n gen link show g0"), "the generator's link is up")
    exact(world, ledger, "239.1.1.1", 5000, count, 4000, size=600, out=("239.2.1.1", 5000))

    phase("r1 loses its address: an egress never borrows another's")
    world.sh("ip -n relay addr flush dev r1 scope global")
    until(lambda: output(daemon, "plain", "r1")["state"] == "waiting", "the output waits")
    world.sh("ip -n relay addr add 10.2.0.1/24 dev r1")
    until(lambda: state(daemon, "plain") == "active", "the rule runs with the address back")
    exact(world, ledger, "239.1.1.1", 5000, count, 4000, size=600, out=("239.2.1.1", 5000))


play(story, 60)
