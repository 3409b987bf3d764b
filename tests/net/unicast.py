#!/usr/bin/env python3
"""Unicast in, and unicast out.

    gen (g0 10.1.0.2) ---- (r0 10.1.0.1) relay (r1 10.2.0.1) ---- (s0 10.2.0.2) sink

An input may be an address of the relay: the host does not answer its senders with ICMP refusals.
Refusals of a unicast output's destination disturb no other output.
"""


from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger, internal
from netlab.traffic import FLAWLESS, GSO, Gen, Sink, exact, faults
from netlab.world import play

UNICAST = (
    '[[rule]]\nname = "in"\n'
    'input = { interface = "r0", address = "10.1.0.1", port = 5000 }\n'
    'outputs = [ { interface = "r1", group = "239.2.1.1", port = 5000 } ]\n\n'
)


def refusals(world, direction):
    """ICMP "unreachable" that the relay's host got ("In") or sent ("Out")."""
    names, values = (
        line.split() for line in world.sh("grep ^Icmp: /proc/net/snmp", "relay").splitlines()
    )
    return int(dict(zip(names[1:], values[1:]))[direction + "DestUnreachs"])


def answer(world, port=5000, address="10.1.0.1", namespace="gen"):
    """How the host answers three datagrams to that port: "silent" or "refused"."""
    return world.run_program("udp_asker", address, port, namespace=namespace).strip()


def unicast_in(world, workers):
    daemon = Daemon(world, config(UNICAST, workers=workers), name=f"relay-{workers}").start()
    shown = daemon.rule("in")["input"]
    equal((shown.get("address"), shown.get("group")), ("10.1.0.1", None), "the input in the status")
    equal(daemon.status()["membership"]["groups"], [], "memberships")
    equal(answer(world), "silent", "the host's answer to a datagram for the rule")
    equal(answer(world, 5001), "refused", "the host's answer to one for another port")
    ledger = Ledger(world, daemon, size=1200)
    for gso in GSO:
        exact(world, ledger, "10.1.0.1", 5000, scaled(2000), 4000, size=1200, gso=gso,
              out=("239.2.1.1", 5000))
    ledger.close()
    return daemon


def another_program(world):
    listener = world.start_program("udp_listener", "10.1.0.1", 5000, namespace="relay")
    daemon = Daemon(world, config(UNICAST), name="beside").start()
    check("another program has the port" in daemon.log(), f"the log: {daemon.log()}")
    equal(answer(world), "silent", "the host's answer")
    until(lambda: daemon.rule("in")["rx_datagrams"] == 3, "the rule takes them")
    until(lambda: listener.out().split() == ["ask"] * 3,
          lambda: f"so does the program: {listener.out()}")
    listener.kill()
    # Once a second the relay looks whether the port is free.
    until(lambda: answer(world) == "silent", "the relay takes the port over")
    return daemon


def address_goes(world, daemon):
    world.sh("ip -n relay addr del 10.1.0.1/24 dev r0")
    until(lambda: daemon.rule("in")["state"] == "waiting", "the rule waits for its address")
    equal(daemon.rule("in")["reason"], "10.1.0.1 is no address of this host", "the reason")
    world.sh("ip -n relay addr add 10.1.0.1/24 dev r0")
    daemon.wait_active()
    equal(answer(world), "silent", "the host's answer with the address back")
    daemon.stop()
    equal(answer(world), "refused", "the host's answer when the relay has ended")


def one_address_twice(world):
    """Link-local addresses mean nothing beyond their link: two interfaces may have the same."""
    sides = (("r0", "r1", "gen", "g0"), ("r1", "r0", "sink", "s0"))
    for interface, *_ in sides:
        world.sh(f"ip -n relay addr add fe80::77/64 dev {interface} nodad")
    rules = [
        f'[[rule]]\nname = "on-{interface}"\n'
        f'input = {{ interface = "{interface}", address = "fe80::77", port = 5000 }}\n'
        f'outputs = [ {{ interface = "{other}", group = "239.2.1.3", port = 5000 }} ]\n\n'
        for interface, other, *_ in sides
    ]
    for _, _, namespace, near in sides:
        equal(answer(world, 5000, f"fe80::77%{near}", namespace), "refused", "without the relay")
    daemon = Daemon(world, config(*rules), name="scoped").start()
    for interface, _, namespace, near in sides:
        equal(answer(world, 5000, f"fe80::77%{near}", namespace), "silent", f"with it, at {interface}")
        until(lambda i=interface: daemon.rule(f"on-{i}")["rx_datagrams"] == 3, "its rule takes them")
    daemon.stop()


def refused_outputs(world):
    outputs = [
        '{ interface = "r1", address = "10.2.0.2", port = 7000 }',  # nobody listens there
        '{ interface = "r1", address = "10.2.0.2", port = 6000 }',
        '{ interface = "r1", group = "239.2.1.2" }',
    ]
    daemon = Daemon(
        world, config(rule("out", "239.1.1.2", 5000, outputs), workers=2), name="out"
    ).start()
    # One at a time: each datagram's refusal is there before the next.
    heard = Sink(world, "10.2.0.2", 6000)
    group = Sink(world, "239.2.1.2", 5000)
    count = scaled(500, 200)
    before = refusals(world, "In")
    Gen(world, "239.1.1.2", 5000, rate=scaled(500), size=300, count=count).wait()

    def rested():
        status = daemon.status()
        outs = status["rules"][0]["outputs"]
        return status if all(o["matched"] == count and not o["in_flight"] for o in outs) else None

    status = until(rested, "all is sent")
    internal(status)
    for sink in (heard, group):
        seen = sink.stop()
        equal((seen["received"], faults(seen)), (count, FLAWLESS), "what a sink saw")
    check(refusals(world, "In") > before, "the sink's host refused at all")
    for output in status["rules"][0]["outputs"][1:]:
        equal(output["tx_datagrams"], count, f"datagrams sent to port {output['port']}")
    daemon.stop()


def story(world):
    world.line()
    phase("without the relay the host refuses")
    equal(answer(world), "refused", "the host's answer")
    for workers in (1, 2):
        phase(f"unicast in, {workers} workers")
        before = refusals(world, "Out")
        daemon = unicast_in(world, workers)
        equal(refusals(world, "Out") - before, 1, "refusals by the host: of the other port only")
        daemon.stop()
    phase("another program has the port")
    daemon = another_program(world)
    phase("the address goes and comes back")
    address_goes(world, daemon)
    phase("one link-local address at two interfaces")
    one_address_twice(world)
    phase("an output that is refused disturbs no other")
    refused_outputs(world)


play(story, 60)
