#!/usr/bin/env python3
"""Local traffic: what programs on the relay's own host send.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                  `mcr gen` runs on the relay, too

An input with `local = true` takes what leaves by its interface and nothing that arrives there; one
without takes the reverse. What the relay itself sends is local traffic, too: a rule with
`allow_loop` takes it, once, and it does not circle.
"""

from netlab.counters import Counters
from netlab.daemon import Daemon, config
from netlab.expect import check, equal, phase, scaled, until
from netlab.kernel import superframes_are_described
from netlab.ledger import internal
from netlab.traffic import FLAWLESS, GSO, Gen, Sink, faults
from netlab.world import play


def rule(name, interface, group, to, out="r1", local=True, own=False):
    return (
        f'[[rule]]\nname = "{name}"\n'
        f'allow_loop = {str(own).lower()}\n'
        f'input = {{ interface = "{interface}", group = "{group}", port = 5000'
        f'{", local = true" if local else ""} }}\n'
        f'outputs = [ {{ interface = "{out}", group = "{to}" }} ]\n\n'
    )


RULES = (
    rule("sent", "r0", "239.1.1.1", "239.2.1.1"),
    rule("came", "r0", "239.1.1.1", "239.2.1.2", local=False),
    rule("chain-1", "r0", "239.1.1.3", "239.1.1.4", out="r0"),
    rule("chain-2", "r0", "239.1.1.4", "239.2.1.3", own=True),
)


def received(daemon):
    return {r["name"]: r["rx_datagrams"] for r in daemon.status()["rules"]}


class Run:
    """Sends to a group; what each rule took, and what came out for the last of them, is checked."""

    def __init__(self, world, daemon):
        self.world, self.daemon = world, daemon
        self.wanted = received(daemon)
        self.count = scaled(3000, 200)

    def __call__(self, group, takers, to, **gen):
        sinks = [Sink(self.world, f"239.2.1.{n}", 5000) for n in (1, 2, 3)]
        Gen(self.world, group, 5000, rate=scaled(4000), size=1200, count=self.count, **gen).wait()
        for taker in takers:
            self.wanted[taker] += self.count
        until(lambda: received(self.daemon)[takers[-1]] >= self.wanted[takers[-1]],
              lambda: f"rules {takers} take them: {received(self.daemon)}")
        until(lambda: all(not o["in_flight"] for r in self.daemon.status()["rules"]
                          for o in r["outputs"]), "nothing is in flight")
        equal(received(self.daemon), self.wanted, "datagrams by rule")
        for sink, n in zip(sinks, (1, 2, 3)):
            seen = sink.stop()
            equal((seen["received"], faults(seen)), (self.count if n == to else 0, FLAWLESS),
                  f"sink of 239.2.1.{n}")


def story(world):
    world.line()
    own = {"namespace": "relay", "interface": "r0"}
    for workers in (1, 2):
        daemon = Daemon(world, config(*RULES, workers=workers), name=f"relay-{workers}").start()
        equal(world.igmp("relay", "r0"), {"239.1.1.1"}, "groups joined: of what arrives only")
        run = Run(world, daemon)
        for gso in GSO:
            phase(f"sent by this host, {workers} workers, gso {gso}")
            run("239.1.1.1", ["sent"], 1, gso=gso, **own)
        phase("sent by another host")
        run("239.1.1.1", ["came"], 2)
        if superframes_are_described():  # the relay sends them
            phase("what the relay sends is local traffic: it passes a chain of rules once")
            back = Counters(world, "gen", "g0")
            run("239.1.1.3", ["chain-1", "chain-2"], 3, **own)
            equal(back.read()["239.1.1.4", 5000].payload, 1200 * run.count,
                  "bytes of the chain's middle on the wire")
            back.close()
        status = daemon.status()
        internal(status)
        equal(status["totals"]["matched"], status["totals"]["rx_datagrams"], "datagrams matched")
        check(status["rules"][0]["input"]["local"], "local in the status")
        daemon.stop()

    phase("a circle of local rules is allowed, since what comes back is known")
    circle = config(rule("a", "r0", "239.1.1.1", "239.1.1.2", out="r0"),
                    rule("b", "r0", "239.1.1.2", "239.1.1.1", out="r0"))
    done = world.call("check", "-c", world.write("circle.toml", circle))
    equal(done.returncode, 0, "exit code of mcr check")


play(story, 60)
