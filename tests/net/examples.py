#!/usr/bin/env python3
"""`examples`: each file of tools/examples, word for word, on the network it is written for.

    studio (c0) -- VLAN 100 -- (eth0.100) relay (eth0.200) -- VLAN 200 -- (s0) control
    exchange (x0) ---- (feed) relay (customers) ---- (s1) market
    encoder (e0) ---- (red) relay (studio) ---- (s3) viewer
    encoder (e1) ---- (blue)  '
    bourse (b0) ---- (feed-a) relay (customers) ---- (s1) market
    bourse (b1) ---- (feed-b)  '
    office (n0) ---- (eth0) near (wg0) ==== (wg0) far (eth0) ---- (f0) branch
    gen (g0) ---- (r0) east (r1) ---- (s2) sink
    house (h0) ---- (lan) relay (iot) ---- (t0) things

VLANs and WireGuard are real where the kernel has them (the guest), else veth of the same names.
(How east.toml becomes a service is shown by tests/package.)
"""

import json
import os

from netlab.counters import Counters
from netlab.daemon import Daemon
from netlab.expect import Skip, check, equal, phase, scaled, until
from netlab.frames import udp
from netlab.kernel import needs_module
from netlab.ledger import internal
from netlab.traffic import FLAWLESS, Gen, Sink, faults
from netlab.wireguard import is_there as wireguard_there, tunnel as make_tunnel
from netlab.world import play

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "examples")
SIZE = 1316
tested = set()


def example(world, name, namespace):
    """The relay of an example, active, for the first time on this network."""
    tested.add(name)
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return Daemon(world, file.read(), name.removesuffix(".toml"), namespace).start()


def have(*modules):
    try:
        needs_module(*modules)
        return True
    except Skip:
        return False


def whole(world, daemons, source, target, copies=1, limited=False):
    """Every datagram of source (namespace, interface, group, port), once and intact, at target.

    A limited output lets 64 at once pass; more may be too many where the machine stutters.
    """
    namespace, interface, group, port = target
    sink = Sink(world, group, port, namespace=namespace, interface=interface)
    namespace, interface, group, port = source
    count = 60 if limited else scaled(500)
    before = [daemon.status()["totals"]["tx_datagrams"] for daemon in daemons]
    Gen(world, group, port, rate=scaled(1500), size=SIZE, count=count, namespace=namespace,
        interface=interface).wait()
    for daemon, sent in zip(daemons, before):
        until(lambda d=daemon, s=sent: d.status()["totals"]["tx_datagrams"] >= s + count * copies,
              f"{daemon.name} sends them")
        internal(daemon.status())
    judged = sink.stop()
    equal({"received": judged["received"], **faults(judged)}, {"received": count, **FLAWLESS},
          f"from {source} at {target}")


def vlan(world, number, namespace, interface, address):
    """eth0.NUMBER of the relay, and its other end."""
    name = f"eth0.{number}"
    relay = f"10.{number}.0.1/24"
    if not have("8021q"):
        world.link(namespace, interface, address, "relay", name, relay)
        return
    if "eth0" not in world.sh("ip -n relay -br link"):
        world.link("plant", "trunk", None, "relay", "eth0", None)
    world.sh(f"ip -n relay link add link eth0 name {name} type vlan id {number}")
    world.sh(f"ip -n plant link add link trunk name {interface} type vlan id {number}"
             f" && ip -n plant link set {interface} netns {namespace}")
    for where, device, own in (("relay", name, relay), (namespace, interface, address)):
        world.sh(f"ip -n {where} addr add {own} dev {device} && ip -n {where} link set {device} up")


def media(world):
    world.namespace("studio", "control", "plant")
    vlan(world, 100, "studio", "c0", "10.100.0.11/24")
    vlan(world, 200, "control", "s0", "10.200.0.2/24")
    daemon = example(world, "media-vlans.toml", "relay")
    for kind in (1, 2):
        whole(world, [daemon], ("studio", "c0", f"239.100.1.{kind}", 5004),
              ("control", "s0", f"239.200.1.{kind}", 5004))
    whole(world, [daemon], ("control", "s0", "239.200.9.1", 5006),
          ("studio", "c0", "239.100.9.1", 5006), limited=True)
    until(lambda: daemon.rule("camera-1")["state"] == "silent", "camera-1 stands still: silent")
    equal(daemon.rule("intercom")["state"], "active", "a rule that expects nothing")
    daemon.stop()


def market(world):
    world.namespace("exchange", "market")
    world.link("exchange", "x0", "10.1.0.2/24", "relay", "feed", "10.1.0.1/24")
    world.link("relay", "customers", "10.60.0.1/16", "market", "s1", "10.60.0.2/16")
    counters = Counters(world, "market", "s1")
    daemon = example(world, "market-data.toml", "relay")
    whole(world, [daemon], ("exchange", "x0", "233.54.12.1", 26400),
          ("market", "s1", "239.60.0.50", 26400), copies=50)
    came = counters.read()
    groups = {f"239.60.0.{i}" for i in range(1, 51)}
    equal({group for group, port in came if port == 26400}, groups, "customers that were served")
    equal({came[group, 26400].payload for group in groups}, {scaled(500) * SIZE}, "bytes for each")
    daemon.stop()


def sent_twice(world, namespace, *legs, seed, program="leg_sender"):
    """Sends a stream by two legs, each with losses; returns what the sender says of it."""
    sender = world.start_program(program, seed, 1500, 1500, 0, seed, *legs, namespace=namespace)
    equal(sender.wait(60), 0, f"exit code of the sender: {sender.err()}")
    return json.loads(sender.out())


def two_paths(world):
    world.namespace("encoder", "viewer")
    for n, path in enumerate(("red", "blue")):
        world.link("encoder", f"e{n}", f"10.7{n}.0.2/24", "relay", path, f"10.7{n}.0.1/24")
    world.link("relay", "studio", "10.72.0.1/24", "viewer", "s3", "10.72.0.2/24")
    daemon = example(world, "media-two-paths.toml", "relay")
    sent = sent_twice(world, "encoder", "239.10.1.1,5004,e0,3,0", "239.20.1.1,5004,e1,3,10", seed=3)
    rule = lambda name: daemon.rule(name)
    until(lambda: rule("camera")["outputs"][0]["tx_datagrams"] == sent["distinct"],
          lambda: f"each of {sent['distinct']} leaves once: {rule('camera')}")
    equal(rule("camera")["merge"]["lost"], sent["lost"], "merge.lost")
    check(rule("camera")["merge"]["recovered"] > 10, "merge.recovered")
    sent = sent_twice(world, "encoder", "239.10.3.1,5004,e0,3,0", "239.20.3.1,5004,e1,3,10", seed=4)
    until(lambda: rule("decoder")["outputs"][0]["tx_datagrams"] == sent["distinct"],
          lambda: f"each of {sent['distinct']} leaves once: {rule('decoder')}", 20)
    equal(rule("decoder")["merge"]["lost"], sent["lost"], "merge.lost, in sequence")
    # The spare encoder alone: it takes over.
    sent_twice(world, "encoder", "239.20.2.1,5004,e1,0,0", seed=4)
    equal(rule("return")["failover"]["on_air"], 2, "on air")
    check(rule("return")["outputs"][0]["tx_datagrams"] > 1000, "the spare is relayed")
    daemon.stop()


def a_and_b(world):
    world.namespace("bourse")
    for n, path in enumerate(("feed-a", "feed-b")):
        world.link("bourse", f"b{n}", f"10.8{n}.0.2/24", "relay", path, f"10.8{n}.0.1/24")
    daemon = example(world, "market-a-and-b.toml", "relay")
    sent = sent_twice(world, "bourse", "233.54.12.1,26400,b0,3,0", "233.54.12.129,26401,b1,3,0",
                      seed=5, program="feed_sender")
    for place in (0, 1):
        until(lambda p=place: daemon.rule("incremental")["outputs"][p]["tx_datagrams"] == sent["distinct"],
              lambda: f"each of {sent['distinct']} leaves once: {daemon.rule('incremental')}")
    equal(daemon.rule("incremental")["merge"]["lost"], sent["lost"], "merge.lost")
    daemon.stop()


def tunnel(world):
    """wg0 of near (10.100.0.1) and far (10.100.0.2)."""
    if not wireguard_there():
        world.link("near", "wg0", "10.100.0.1/24", "far", "wg0", "10.100.0.2/24", 1420)
        return
    world.link("near", "u0", "192.0.2.1/24", "far", "u0", "192.0.2.2/24")
    make_tunnel(world, [("near", "wg0", "10.100.0.1/24", "192.0.2.2"), ("far", "wg0", "10.100.0.2/24", "192.0.2.1")],
                ("10.100.0.2/32", "10.100.0.1/32"))


def wireguard(world):
    world.namespace("near", "far", "branch", "office")
    world.link("office", "n0", "10.7.0.2/24", "near", "eth0", "10.7.0.1/24")
    world.link("far", "eth0", "10.8.0.1/24", "branch", "f0", "10.8.0.2/24")
    tunnel(world)
    far = example(world, "wireguard-far.toml", "far")
    near = example(world, "wireguard-near.toml", "near")
    for kind in (1, 2):
        whole(world, [near, far], ("office", "n0", f"239.1.1.{kind}", 5000),
              ("branch", "f0", f"239.1.1.{kind}", 5000))
    for daemon in (near, far):
        daemon.stop()


def instance(world):
    world.namespace("gen", "east", "sink")
    world.link("gen", "g0", "10.1.0.2/24", "east", "r0", "10.1.0.1/24")
    world.link("east", "r1", "10.2.0.1/24", "sink", "s2", "10.2.0.2/24")
    daemon = example(world, "east.toml", "east")
    whole(world, [daemon], ("gen", "g0", "239.1.1.1", 5000), ("sink", "s2", "239.2.1.1", 6000))
    daemon.stop()


def discovery(world):
    world.namespace("house", "things")
    world.link("house", "h0", "10.11.0.2/24", "relay", "lan", "10.11.0.1/24")
    world.link("relay", "iot", "10.12.0.1/24", "things", "t0", "10.12.0.2/24")
    daemon = example(world, "mdns.toml", "relay")
    counters = {name: Counters(world, name, f"{name[0]}0") for name in ("house", "things")}
    question, answer = bytes(12), b"\0\0\x84\0" + bytes(8)
    other = b"\0\1" + bytes(10)  # the same bytes from elsewhere would be an echo
    for sender, message, reaches in (("house", question, "things"), ("things", other, None),
                                     ("things", answer, "house")):
        before = {name: each.read() for name, each in counters.items()}
        net = {"house": "10.11.0.2", "things": "10.12.0.2"}[sender]
        world.inject(sender, f"{sender[0]}0", [udp(net, "224.0.0.251", 5353, message, ttl=255,
                                                   source_port=5353)])
        if reaches:
            until(lambda n=reaches, b=before: counters[n].read() != b[n], f"{sender} reaches {reaches}")
    until(lambda: daemon.rule("mdns/iot")["outputs"][0]["drops"]["filtered"] == 1, "a question of iot is left out")
    daemon.stop()


def sample(world):
    """tools/mcr.toml, too: idle as it is, valid with everything switched on that it comments out."""
    path = os.path.join(FOLDER, "..", "mcr.toml")
    equal(world.call("check", "-c", path).stdout.strip().split(": ")[-1], "ok, 0 rules", "mcr check")
    with open(path, encoding="utf-8") as file:
        lines = [line[1:] if line[:1] == "#" and line[1:2] not in ("", " ", "\n", ":") or
                 line.startswith("#  {") else line for line in file]
    done = world.call("check", "-c", world.write("all.toml", "".join(lines)))
    equal((done.returncode, done.stderr), (0, ""), "mcr check of all that is commented out")


def story(world):
    world.namespace("relay")
    phase("mcr.toml")
    sample(world)
    for part in (media, market, two_paths, a_and_b, wireguard, instance, discovery):
        phase(part.__name__)
        part(world)
    missed = {name for name in os.listdir(FOLDER) if name.endswith(".toml")} - tested
    check(not missed, f"examples that no test runs: {missed}")


play(story, 110)
