#!/usr/bin/env python3
"""`expect`: a stream that stops, never starts, or is too thin, is told of.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

One line in the log when the silence begins and one when it ends; meanwhile the rule is `silent`
and says why. A rule that waits for its interface is not silent.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.traffic import Gen
from netlab.world import play


def expecting(name, group, expect):
    return rule(name, group, 5000, [("r1", group.replace("239.1", "239.2"))]) + expect + "\n\n"


RULES = (
    expecting("stream", "239.1.1.1", 'expect = { silent_after = "1s" }'),
    expecting("thin", "239.1.1.2", "expect = { min_pps = 200 }"),
    expecting("never", "239.1.1.3", 'expect = { silent_after = "1s" }'),
    expecting("calm", "239.1.1.4", ""),
)


def lines(daemon, name):
    """What the log says of a rule's silence."""
    return [
        line for line in daemon.log().splitlines()
        if f"rule={name} " in line and ("rule silent" in line or "rule heard again" in line)
    ]


def wait(daemon, name, state):
    until(lambda: daemon.rule(name)["state"] == state, f"rule {name} is {state}")
    return daemon.rule(name)["reason"]


def story(world):
    world.line()
    daemon = Daemon(world, config(*RULES)).start(active=False)

    phase("nothing arrives")
    reason = wait(daemon, "never", "silent")
    check("no datagram since it became active" in reason, f"the reason: {reason!r}")
    wait(daemon, "stream", "silent")
    equal(daemon.rule("calm")["state"], "active", "state of a rule without `expect`")

    phase("one stream comes, another is too thin")
    gens = [Gen(world, "239.1.1.1", 5000, rate=300, size=100, duration=60),
            Gen(world, "239.1.1.2", 5000, rate=20, size=100, duration=60)]
    equal(wait(daemon, "stream", "active"), "", "reason of a rule that is well")
    until(lambda: "datagrams/s, expected at least 200" in wait(daemon, "thin", "silent"),
          lambda: f"the reason: {daemon.rule('thin')['reason']!r}")
    expect = daemon.rule("thin")["expect"]
    equal((expect["min_pps"], expect["silent_after_s"]), (200, 2.0), "expect")

    phase("the thin stream grows, the other one stops")
    gens.append(Gen(world, "239.1.1.2", 5000, rate=600, size=100, duration=60))
    equal(wait(daemon, "thin", "active"), "", "reason of a rule that has enough")
    gens[0].stop()
    reason = wait(daemon, "stream", "silent")
    check("no datagram for" in reason and "last from 10.1.0.2:" in reason, f"reason: {reason!r}")
    text = world.call("status", "--socket", daemon.socket).stdout
    check("ATTENTION" in text and "last from 10.1.0.2" in text, f"status in words:\n{text}")

    phase("the link goes down: rules wait, and that is no silence")
    world.sh("ip -n relay link set r0 down")
    for name in ("stream", "thin", "never"):
        check("is down" in wait(daemon, name, "waiting"), "the reason names the link")
    world.sh("ip -n relay link set r0 up")
    reason = wait(daemon, "never", "silent")
    for gen in gens[1:]:
        gen.stop()

    phase("one line for each change")
    told = lines(daemon, "stream")
    equal(["heard again" in line for line in told[:3]], [False, True, False], f"order of {told}")
    equal(len(lines(daemon, "never")), 2, f"lines of {lines(daemon, 'never')}")
    equal(lines(daemon, "calm"), [], "lines of a rule without `expect`")
    check("last from 10.1.0.2" in told[2], f"the log names the source: {told[2]}")


play(story, 60)
