#!/usr/bin/env python3
"""Several inputs of one rule, and rules that are switched off.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
    gen (g2) ---- (r2) relay

What arrives at any of the inputs leaves at every output. A rule with enabled = false joins nothing
and relays nothing, but keeps its counters, and another rule may take its input meanwhile.
"""

from netlab.daemon import Daemon, config
from netlab.expect import check, equal, phase, until
from netlab.frames import udp
from netlab.ledger import Ledger, internal
from netlab.world import play

INPUTS = """[
  { interface = "r0", group = "239.1.1.1", port = 5000 },
  { interface = "r0", group = "239.1.1.2", port = 5002 },
  { interface = "r2", group = "239.1.1.1", port = 5000, sources = ["10.5.0.2"] },
]"""


def rule(name, inputs, group, more=""):
    key = "inputs" if inputs.startswith("[") else "input"
    return (f'[[rule]]\nname = "{name}"\n{key} = {inputs}\n'
            f'outputs = [{{ interface = "r1", group = "{group}", port = 6000 }}]\n{more}\n')


def send(world, *destinations, interface="g0", source="10.1.0.2"):
    world.inject("gen", interface, [udp(source, group, port, bytes(100))
                                    for group, port in destinations for _ in range(5)])


def counts(daemon, name):
    entry = daemon.rule(name)
    return entry["rx_datagrams"], entry["outputs"][0]["tx_datagrams"]


def story(world):
    world.line()
    world.link("gen", "g2", "10.5.0.2/24", "relay", "r2", "10.5.0.1/24")
    both = rule("both", INPUTS, "239.2.1.1", 'comment = "camera 3"')
    daemon = Daemon(world, config(both)).start()
    ledger = Ledger(world, daemon, size=100)

    phase("three inputs on two interfaces")
    send(world, ("239.1.1.1", 5000), ("239.1.1.2", 5002), ("239.1.1.2", 5000))
    send(world, ("239.1.1.1", 5000), interface="g2", source="10.5.0.2")
    send(world, ("239.1.1.1", 5000), interface="g2", source="10.5.0.3")
    until(lambda: counts(daemon, "both") == (15, 15), lambda: f"15 came: {daemon.rule('both')}")
    equal(daemon.rule("both")["drops"]["source_denied"], 5, "source_denied")
    arrived = ledger.rest()["out"]["r1"]
    equal({key: count.payload for key, count in arrived.items()}, {("239.2.1.1", 6000): 1500},
          "what came out")
    internal(daemon.status())
    shown = daemon.rule("both")
    equal(shown["input"], shown["inputs"][0], "input, and the first of inputs")
    equal([(i["interface"], i["group"], i["port"]) for i in shown["inputs"]],
          [("r0", "239.1.1.1", 5000), ("r0", "239.1.1.2", 5002), ("r2", "239.1.1.1", 5000)],
          "inputs")
    equal(shown["comment"], "camera 3", "comment")
    text = world.call("status", "both", "--socket", daemon.socket).stdout
    check("camera 3" in text, f"status shows the comment:\n{text}")

    phase("one interface goes down: the rule runs by the other")
    world.sh("ip -n relay link set r2 down")
    until(lambda: "in part" in daemon.rule("both")["reason"], "the rule says that a part is missing")
    equal(daemon.rule("both")["state"], "active", "its state")
    send(world, ("239.1.1.1", 5000))
    until(lambda: counts(daemon, "both") == (20, 20), "it relays")
    world.sh("ip -n relay link set r2 up")

    phase("switched off: no joins, nothing relayed, the counters stay")
    off = rule("both", INPUTS, "239.2.1.1", "enabled = false")
    other = rule("other", '{ interface = "r0", group = "239.1.1.1", port = 5000 }', "239.2.1.9")
    daemon.reload(config(off))
    until(lambda: not world.igmp("relay", "r0") | world.igmp("relay", "r2"), "all groups are left")
    equal((daemon.rule("both")["state"], daemon.rule("both")["reason"]), ("disabled", ""), "state")
    equal(counts(daemon, "both"), (20, 20), "its counters")
    text = world.call("status", "--socket", daemon.socket).stdout
    check("1 rule: 1 disabled" in text, f"status counts it:\n{text}")

    phase("another rule takes its input")
    daemon.reload(config(off, other))
    until(lambda: daemon.rule("other")["state"] == "active", "the other rule runs")
    send(world, ("239.1.1.1", 5000), ("239.1.1.2", 5002))
    until(lambda: counts(daemon, "other") == (5, 5), "it relays")
    equal(counts(daemon, "both"), (20, 20), "counters of the one that is off")

    phase("switched on again")
    daemon.reload(config(both))
    until(lambda: daemon.rule("both")["state"] == "active", "it runs")
    send(world, ("239.1.1.1", 5000))
    until(lambda: counts(daemon, "both") == (25, 25), "it goes on counting")
    internal(daemon.status())


play(story, 60)
