#!/usr/bin/env python3
"""`failover`: two encoders, one on air; the other one takes over when it is silent, and by hand.

    gen (g0) ---- (ra) relay (r1) ---- (s0) sink
    gen (g1) ---- (rb)   '
        239.1.1.1:5000 by ra (SSRC 1) or 239.1.1.1:5000 by rb (SSRC 2)  ->  239.9.9.9:6000

The capture at the sink has the kernel's time of each datagram: how long the gap was, and that nothing of
the old input came after the first of the new one.
"""

import json
import signal
import time

from netlab.daemon import Daemon, config
from netlab.expect import EMULATED, PATIENCE, busy, check, equal, phase, scaled, until
from netlab.ledger import internal
from netlab.offload import switch
from netlab.world import play

OUT = ("239.9.9.9", 6000)
RATE = 200
AFTER = 0.3


def slack():
    """What a gap may be longer than `after`, s: more where others want the CPUs, too."""
    return 0.02 + (0.3 * PATIENCE * (3 if EMULATED else 1) if busy() else 0)


def relayed(hold="2s", revert="auto", more="", workers=2, second=""):
    return config(f"""[[rule]]
name = "program"
{more}
inputs = [
  {{ interface = "ra", group = "239.1.1.1", port = 5000, priority = 1 }},
  {{ interface = "rb", group = "239.1.1.1", port = 5000, priority = 2{second} }},
]
failover = {{ after = "{1000 * AFTER:.0f}ms", hold = "{hold}", revert = "{revert}", min_stay = "100ms" }}
outputs = [ {{ interface = "r1", group = "{OUT[0]}", port = {OUT[1]} }} ]
""", workers=workers)


class Encoders:
    """Two senders that can be stopped; encoder 0 has SSRC 1, encoder 1 has SSRC 2."""

    def __init__(self, world):
        self.world = world
        self.running = [None, None]
        for one in (0, 1):
            self.start(one)

    def start(self, one, loss=0):
        self.running[one] = self.world.start_program(
            "leg_sender", 0, RATE * 600, RATE, 0, one + 1, f"239.1.1.1,5000,g{one},{loss},0",
            namespace="gen")

    def replace(self, one, loss=0):
        """By another one, without a silence between."""
        before = self.running[one]
        self.start(one, loss)
        before.kill()

    def kill(self, one):
        self.running[one].kill()


class Air:
    """What the sink has captured: (time, SSRC)."""

    def __init__(self, world):
        self.process = world.start_program("timed_capture", "s0", *OUT, namespace="sink")

    def seen(self):
        lines = (line.split() for line in self.process.out().split("\n")[:-1])
        return [(float(time), int(payload[16:24], 16)) for time, payload in lines]

    def now(self):
        """Of the last datagram."""
        seen = self.seen()
        return seen[-1][1] if seen else None

    def runs(self):
        """SSRCs in the order in which they were on air."""
        order = []
        for _, ssrc in self.seen():
            if not order or order[-1] != ssrc:
                order.append(ssrc)
        return order

    def gaps(self):
        """The silence before each change of the SSRC, s."""
        seen = self.seen()
        return [b[0] - a[0] for a, b in zip(seen, seen[1:]) if a[1] != b[1]]


def program(daemon):
    return daemon.rule("program")


def on_air(daemon):
    return program(daemon)["failover"]["on_air"]


def takes_over(world, daemon, encoders):
    phase("the first one dies; it is back, and goes on air again after hold")
    air = Air(world)
    until(lambda: air.now() == 1, "the first one is on air")
    encoders.kill(0)
    until(lambda: air.now() == 2, "the second one is on air", 5)
    check(air.gaps()[0] <= AFTER + slack(), f"gap of {air.gaps()[0]:.3f} s")
    rule = program(daemon)
    equal(rule["state"], "active", "state")
    check("on backup: input 2" in rule["reason"], rule["reason"])
    check(not rule["inputs"][0]["healthy"] and "silent" in rule["inputs"][0]["why"],
          f"why the first one is not on air: {rule['inputs'][0]}")
    equal(rule["failover"]["last"]["reason"], "failed", "reason of the last switch")
    health = world.call("status", "--health", "--socket", daemon.socket)
    equal(health.returncode, 0, "exit code of mcr status --health")
    page = world.call("status", "program", "--socket", daemon.socket).stdout
    check("input 2 is on air" in page, page)
    encoders.start(0)
    until(lambda: air.now() == 1, "the first one is on air again", 10)
    equal(air.runs(), [1, 2, 1], "inputs on air, one after the other: nothing of the old one came later")
    print(f"gap: {1000 * air.gaps()[0]:.0f} ms, and {1000 * air.gaps()[1]:.0f} ms on the way back")
    until(lambda: not program(daemon)["reason"], "no reason is left")
    check(daemon.log().count("input switched") == 2, "the log has two lines of it")
    told = until(lambda: events if len(events := daemon.events("failover")) == 2 else None, "two events tell of it")
    equal([(e["rule"], e["state"], e["input"][-2:]) for e in told],
          [("program", "on_air", rule["inputs"][1]["interface"]), ("program", "on_air", rule["inputs"][0]["interface"])],
          "rule, state and input")
    check("silent" in told[0]["reason"] and "reverted" in told[1]["reason"], f"why: {told}")
    check(program(daemon)["drops"]["standby"] > 100, "standby is counted")
    air.process.kill()


def flaps(world, daemon, encoders):
    phase("the first one flaps")
    before = program(daemon)["failover"]["switches"]
    air = Air(world)
    for _ in range(4):
        encoders.running[0].signal(signal.SIGSTOP)
        until(lambda: not program(daemon)["inputs"][0]["healthy"], "it has failed")
        encoders.running[0].signal(signal.SIGCONT)
        until(lambda: program(daemon)["inputs"][0]["why"].startswith("back"), "it is back")
    equal(program(daemon)["failover"]["switches"] - before, 1, "switches")
    equal(on_air(daemon), 2, "on air")
    air.process.kill()


def all_dead(world, daemon, encoders):
    phase("both die; the first to return is on air at once")
    before = program(daemon)["failover"]["switches"]
    for one in (0, 1):
        encoders.kill(one)
    until(lambda: not any(entry["healthy"] for entry in program(daemon)["inputs"]), "both have failed")
    equal(on_air(daemon), 2, "on air: it stays")
    air = Air(world)
    encoders.start(0)
    until(lambda: air.now() == 1, "the first one to return is on air", 3)
    equal(program(daemon)["failover"]["switches"] - before, 1, "switches")
    encoders.start(1)
    air.process.kill()


def loses(world, daemon, encoders):
    phase("the first one loses 5 %: it is left, for the rule expects better")
    expect = 'inspect = "rtp"\nexpect = { max_loss = "1%", within = "2s" }'
    daemon.reload(relayed(more=expect))
    until(lambda: on_air(daemon) == 1, "the first one is on air", 15)
    air = Air(world)
    encoders.replace(0, loss=5)
    until(lambda: air.now() == 2, "the second one is on air", 15)
    rule = program(daemon)
    check("lost in" in rule["inputs"][0]["why"], f"why the first one is not on air: {rule['inputs'][0]}")
    equal(rule["state"], "active", "state: what is on air is as expected")
    equal(air.runs()[-1], 2, "on air")
    encoders.replace(0)
    until(lambda: air.now() == 1, "it is as expected again, and back on air", 45)
    daemon.reload(relayed())
    air.process.kill()


def joins_when_needed(world, daemon, encoders):
    phase("the second one is not warm: it is joined when the first one fails, and left when that one is well again")
    group = "239.1.1.1"
    joined = lambda: group in world.igmp("relay", "rb")
    second = lambda: program(daemon)["inputs"][1]
    until(joined, "joined, says /proc/net/igmp")
    daemon.reload(relayed(second=", warm = false",
                          more='expect = { silent_after = "1s" }'))
    until(lambda: not joined(), "left, says /proc/net/igmp")
    check(group in world.igmp("relay", "ra"), "the first one is joined")
    equal((second()["joined"], second()["why"]), (False, "not joined: warm = false"), "the second one's state")
    check("not joined: warm = false" in world.call("status", "program", "--socket", daemon.socket).stdout,
          "mcr status says so")
    equal(program(daemon)["state"], "active", "state")
    before = daemon.log()
    air = Air(world)
    until(lambda: air.now() == 1, "the first one is on air")
    encoders.kill(0)
    until(lambda: air.now() == 2, "the second one is on air", 5)
    check(joined(), "joined when the first one has failed")
    check(air.gaps()[0] <= AFTER + slack() + 0.05, f"gap of {air.gaps()[0]:.3f} s")  # it is joined, and heard, first
    lines = daemon.log()[len(before):]
    check(0 <= lines.find("input joined") < lines.rfind("input switched"), f"joined before the switch: {lines}")
    encoders.start(0)
    until(lambda: air.now() == 1, "the first one is on air again", 10)
    until(lambda: not joined(), "left when the first one is on air again")
    equal(world.call("switch", "program", 2, "--socket", daemon.socket).returncode, 0, "exit code of mcr switch")
    until(lambda: air.now() == 2, "the second one is on air by hand")
    check(joined(), "joined by hand")
    daemon.reload(relayed(second=", warm = false"))
    check(joined(), "joined after a reload")
    equal(world.call("switch", "program", "auto", "--socket", daemon.socket).returncode, 0, "exit code")
    until(lambda: air.now() == 1 and not joined(), "left after mcr switch auto")
    equal(air.runs(), [1, 2, 1, 2, 1], "inputs on air")
    daemon.stop()
    daemon.start()
    check(not joined(), "not joined after a start")
    until(lambda: on_air(daemon) == 1 and program(daemon)["rx_datagrams"] > 0, "the first one is on air")
    daemon.reload(relayed())
    until(joined, "joined, now that it is warm")
    air.process.kill()


def thousand(world):
    rules, first, period, after = scaled(1000, 50), 20000, 0.1, 1.0  # a swarm on a busy host stutters
    phase(f"{rules} rules at once: the first encoder of all dies, while the relay is asked for status without end")
    # In two orders: so from encoder to encoder any part of a period passes, of one rule or another.
    encoders = [world.start_program("port_swarm", f"g{one}", "239.1.1.1", first, rules, period, 1 - 2 * one, one,
                                    namespace="gen") for one in (0, 1)]
    daemon = Daemon(world, config(*(f"""[[rule]]
name = "r{port}"
inputs = [
  {{ interface = "ra", group = "239.1.1.1", port = {port} }},
  {{ interface = "rb", group = "239.1.1.1", port = {port} }},
]
failover = {{ after = "{1000 * after:.0f}ms" }}
outputs = [ {{ interface = "r1", group = "{OUT[0]}" }} ]
""" for port in range(first, first + rules)), workers=2)).start()
    gaps = world.start_program("switch_gaps", "s0", OUT[0], namespace="sink")
    on_air = lambda: [rule["failover"]["on_air"] for rule in daemon.status()["rules"]]
    heard = lambda: all(rule["drops"]["standby"] > 2 and rule["outputs"][0]["tx_datagrams"] > 2
                        for rule in daemon.status()["rules"])
    until(heard, "all inputs are heard")
    equal(set(on_air()), {1}, "on air")
    # So many keep the control thread from all else for longer than slack() is on a busy host.
    flood = world.start_program("status_flood", daemon.socket, 40, namespace="relay")
    encoders[0].kill()
    due = time.monotonic() + period + after + slack()
    until(lambda: time.monotonic() > due, "all are due")
    flood.signal(signal.SIGTERM)
    equal(flood.wait(20), 0, f"exit code of the flood: {flood.err()}")
    print(f"meanwhile the relay told its status {flood.out().strip()} times")
    until(lambda: set(on_air()) == {2}, "all have switched", 5)
    until(lambda: daemon.rule(f"r{first}")["last_seen_s"] < 0.1, "the second encoder goes on")
    sent = [rule["outputs"][0]["tx_datagrams"] for rule in daemon.status()["rules"]]
    until(lambda: all(rule["outputs"][0]["tx_datagrams"] > before + 1
                      for rule, before in zip(daemon.status()["rules"], sent)), "all send")
    encoders[1].kill()
    gaps.signal(signal.SIGTERM)
    equal(gaps.wait(20), 0, f"exit code of the capture: {gaps.err()}")
    seen = json.loads(gaps.out())
    equal(seen.pop("dropped"), 0, "datagrams that the capture missed")
    equal(len(seen), rules, "rules that sent")
    equal([texts for texts, _, _ in seen.values()], [["0", "1"]] * rules, "encoders on air, one after the other")
    gaps, held = ([one[at] for one in seen.values()] for at in (1, 2))
    print(f"gaps: {1000 * min(gaps):.0f} to {1000 * max(gaps):.0f} ms, where each input has a datagram in"
          f" {1000 * period:.0f} ms; until {1000 * max(held):.0f} ms the second encoder was not on air")
    check(min(gaps) > after - slack(), f"shortest gap: {min(gaps):.3f} s")
    # However many datagrams the second encoder had sent: those that came later than this would have been relayed.
    check(max(held) <= after + slack(), f"the second encoder was not on air until {max(held):.3f} s")
    daemon.stop()


def by_hand(world, daemon):
    phase("by hand, across a reload, and for a time")
    ask = lambda *args: world.call("switch", *args, "--socket", daemon.socket)
    air = Air(world)
    until(lambda: air.now() == 1, "the first one is on air")
    equal(ask("program", 2).returncode, 0, "exit code of mcr switch")
    until(lambda: air.now() == 2, "the second one is on air")
    daemon.reload(relayed(more='comment = "new"'))
    rule = program(daemon)
    equal((rule["failover"]["on_air"], rule["failover"]["by_hand"]), (2, True), "after the reload")
    check("by hand" in rule["reason"], rule["reason"])
    equal(ask("program", "auto").returncode, 0, "exit code of mcr switch auto")
    until(lambda: air.now() == 1, "the first one is on air", 40)
    equal(ask("program", 2, "--for", "1s").returncode, 0, "exit code of mcr switch --for")
    until(lambda: air.now() == 2, "the second one is on air")
    until(lambda: air.now() == 1, "the first one again, by itself", 5)
    equal(air.runs(), [1, 2, 1, 2, 1], "inputs on air")
    for args in (("program", 3), ("none", 1), ("program", "x"), ("program", 1, "--for", "soon")):
        equal(ask(*args).returncode, 64, f"exit code of mcr switch {args}")
    air.process.kill()


def story(world):
    world.namespace("gen", "relay", "sink")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "ra", "10.1.0.1/24")
    world.link("gen", "g1", "10.3.0.2/24", "relay", "rb", "10.3.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    switch(world, "relay", "r1", tx_udp_segmentation=False)  # the capture sees what the wire would
    daemon = Daemon(world, relayed()).start()
    encoders = Encoders(world)
    until(lambda: program(daemon)["rx_datagrams"] > RATE, "both encoders are heard")
    until(lambda: on_air(daemon) == 1, "the first one is on air")
    takes_over(world, daemon, encoders)
    loses(world, daemon, encoders)
    by_hand(world, daemon)
    joins_when_needed(world, daemon, encoders)
    flaps(world, daemon, encoders)
    all_dead(world, daemon, encoders)
    for one in (0, 1):
        encoders.kill(one)
    until(lambda: program(daemon)["last_seen_s"] > 0.5, "all is at rest")
    internal(daemon.status())
    daemon.stop()
    thousand(world)


play(story, 180)
