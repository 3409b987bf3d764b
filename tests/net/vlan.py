#!/usr/bin/env python3
"""A trunk: the same group and port in several VLANs and untagged, each with a rule of its own.

    gen (g0) ==== (r0) relay (r1) ---- (s0) sink
       frames with tags

What is tagged for a VLAN goes to the rule of that VLAN and to no other; the rule without `vlan`
takes untagged frames, and those tagged with a priority only.
"""

from netlab.counters import Counters
from netlab.daemon import Daemon, config
from netlab.expect import check, equal, phase, until
from netlab.frames import SERVICE_VLAN, tagged, udp
from netlab.ledger import internal
from netlab.world import play

GROUP, PORT = "239.1.1.1", 5000


def rule(name, kind):
    return (
        f'[[rule]]\nname = "{name}"\n'
        f'input = {{ interface = "r0", group = "{GROUP}", port = {PORT}{kind} }}\n'
        f'outputs = [ {{ interface = "r1", group = "239.2.0.{name}" }} ]\n\n'
    )


def datagrams(size):
    """Of different flows, so that several workers get their share."""
    return [udp(f"10.1.0.{2 + n}", GROUP, PORT, b"x" * size) for n in range(30)]


def story(world):
    world.line()
    counters = Counters(world, "sink", "s0")
    for workers in (1, 2):
        daemon = Daemon(
            world,
            config(rule("0", ""), rule("100", ", vlan = 100"), rule("200", ", vlan = 200"),
                   workers=workers),
            name=f"relay-{workers}",
        ).start()
        phase(f"frames of all kinds, {workers} workers")
        frames = []
        for frame in datagrams(10):
            frames += [frame, tagged(frame, 0, priority=5)]
        for frame in datagrams(100):
            frames += [tagged(frame, 100), tagged(frame, 100, priority=5)]
        frames += [tagged(frame, 200) for frame in datagrams(200)]
        for frame in datagrams(300):  # for nobody
            frames += [tagged(frame, vlan) for vlan in (1, 99, 101, 300, 4095)]
            frames.append(tagged(frame, 100, SERVICE_VLAN))
            frames.append(tagged(tagged(frame, 7), 100))
            frames.append(tagged(tagged(frame, 100), 200, SERVICE_VLAN))
            frames.append(tagged(tagged(frame, 100), 7))
        before = counters.read()
        world.inject("gen", "g0", frames)
        wanted = {"0": (60, 600), "100": (60, 6000), "200": (30, 6000)}  # datagrams, bytes

        def seen():
            return {
                group.split(".")[-1]: (count - before.get((group, port), count - count))
                for (group, port), count in counters.read().items()
            }

        until(lambda: sum(c.payload for c in seen().values()) >= 12600,
              lambda: f"all that was tagged right comes out: {seen()}")
        equal({name: count.payload for name, count in seen().items()},
              {name: size for name, (_, size) in wanted.items()}, "bytes that came out, by rule")
        status = daemon.status()
        internal(status)
        equal({r["name"]: r["rx_datagrams"] for r in status["rules"]},
              {name: count for name, (count, _) in wanted.items()}, "datagrams by rule")
        equal(status["totals"]["rx_datagrams"], 150, "datagrams that passed the kernel's filters")
        equal({r["name"]: r["input"]["vlan"] for r in status["rules"]},
              {"0": None, "100": 100, "200": 200}, "vlan in the status")
        equal(world.igmp("relay", "r0"), {GROUP}, "groups joined on the parent")
        text = world.call("status", "200", "--socket", daemon.socket).stdout
        check("VLAN 200" in text, f"`mcr status 200` names the VLAN: {text}")

        phase("a VLAN's rule goes, the others stay")
        daemon.reload(config(rule("0", ""), rule("200", ", vlan = 200"), workers=workers))
        before = counters.read()
        one = datagrams(50)[0]
        world.inject("gen", "g0", [tagged(one, 100)] * 5 + [tagged(one, 200)] * 5 + [one] * 5)
        until(lambda: daemon.rule("0")["rx_datagrams"] == 65, "the untagged ones arrive")
        until(lambda: sum(c.payload for c in seen().values()) >= 500, lambda: f"ten came: {seen()}")
        equal({name: count.payload for name, count in seen().items()},
              {"0": 250, "100": 0, "200": 250}, "bytes that came out, by rule")
        daemon.stop()


play(story, 45)
