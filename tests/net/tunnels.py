#!/usr/bin/env python3
"""Tunnels of each kind, in and out: GRE, ipip, WireGuard.

    gen (t0 10.8.0.2) ==== (t0 10.8.0.1) relay (t1 10.9.0.1) ==== (t1 10.9.0.2) sink
           over g0-r0                              over r1-s0

Multicast and unicast come in by a tunnel without link headers and leave by another. A reflector of
mDNS between the tunnels passes questions and answers, in both directions.
"""

from netlab.capture import Capture
from netlab.daemon import Daemon, config, rule
from netlab.expect import equal, phase, scaled, until
from netlab.kernel import needs_module
from netlab.ledger import internal
from netlab.traffic import FLAWLESS, GSO, Gen, Sink, faults
from netlab.world import play

MDNS = "224.0.0.251"
UNICAST = (
    '[[rule]]\nname = "unicast"\ninput = { interface = "t0", address = "10.8.0.1", port = 5001 }\n'
    'outputs = [ { interface = "t1", address = "10.9.0.2", port = 5001 } ]\n\n'
)
# (namespace, device, its address, the peer's, underlay address, the peer's, the peer's namespace)
ENDS = (
    ("gen", "t0", "10.8.0.2", "10.8.0.1", "10.1.0.2", "10.1.0.1", "relay"),
    ("relay", "t0", "10.8.0.1", "10.8.0.2", "10.1.0.1", "10.1.0.2", "gen"),
    ("relay", "t1", "10.9.0.1", "10.9.0.2", "10.2.0.1", "10.2.0.2", "sink"),
    ("sink", "t1", "10.9.0.2", "10.9.0.1", "10.2.0.2", "10.2.0.1", "relay"),
)


def ip_tunnel(world, kind):
    for namespace, device, _, _, local, remote, _ in ENDS:
        world.sh(f"ip link add {device} type {kind} local {local} remote {remote}", namespace)


def wireguard(world, _):
    keys = {}
    for namespace, device, *_ in ENDS:
        path = world.path(f"{namespace}-{device}.key")
        keys[namespace, device] = path, world.sh(f"umask 77; wg genkey | tee {path} | wg pubkey")
    for namespace, device, _, _, _, remote, peer in ENDS:
        port = 51820 if device == "t0" else 51821
        private, _ = keys[namespace, device]
        _, public = keys[peer, device]
        world.sh(
            f"ip link add {device} type wireguard && wg set {device} listen-port {port}"
            f" private-key {private} peer {public.strip()} endpoint {remote}:{port}"
            " allowed-ips 0.0.0.0/0",
            namespace,
        )


def relayed(world, name):
    for namespace, device, address, peer, *_ in ENDS:
        world.sh(f"ip addr add {address} peer {peer} dev {device} && ip link set {device} up",
                 namespace)
    daemon = Daemon(
        world,
        config(rule("group", "239.1.1.1", 5000, [("t1", "239.2.1.1")], interface="t0"), UNICAST),
        name=name,
    ).start()
    count = scaled(2000, 200)
    for gso in GSO:
        before = {r["name"]: r["rx_datagrams"] for r in daemon.status()["rules"]}
        for rule_name, address, out, port in (("group", "239.1.1.1", "239.2.1.1", 5000),
                                              ("unicast", "10.8.0.1", "10.9.0.2", 5001)):
            sink = Sink(world, out, port, interface="t1")
            Gen(world, address, port, rate=scaled(2000), size=1200, count=count, interface="t0",
                gso=gso).wait()
            until(lambda r=rule_name: daemon.rule(r)["rx_datagrams"] == before[r] + count,
                  lambda r=rule_name: f"rule {r} takes all: {daemon.rule(r)}")
            until(lambda r=rule_name: not daemon.rule(r)["outputs"][0]["in_flight"], "all is sent")
            seen = sink.stop()
            # Tunnels have a queue on each CPU: a sender that is moved overtakes itself before us.
            seen["reordered"] = 0
            equal((seen["received"], faults(seen)), (count, FLAWLESS), f"sink of {rule_name}")
    status = daemon.status()
    internal(status)
    equal({k: n for k, n in status["totals"]["drops"].items() if n}, {}, "drops")
    daemon.stop()


def reflected(world, name):
    """Each end sends a datagram to the mDNS group, and it comes to the other end once."""
    text = '[[reflector]]\nname = "mdns"\nkind = "mdns"\ninterfaces = ["t0", "t1"]\n'
    daemon = Daemon(world, config(text), name=f"mdns-{name}").start()
    for here, device, address, there, other in (("gen", "t0", "10.8.0.2", "sink", "t1"),
                                                ("sink", "t1", "10.9.0.2", "gen", "t0")):
        capture = Capture(world, there, other)
        payload = f"discovery from {here} by {name}".encode()
        world.run_program("group_sender", device, address, MDNS, 5353, payload.decode(),
                          namespace=here)
        packet = capture.take(1, MDNS, 5353, f"{name} to {there}")[0]
        equal((packet.payload, packet.ttl, packet.source_port), (payload, 255, 5353), "what comes")
        capture.close()
    internal(daemon.status())
    daemon.stop()


def story(world):
    needs_module("ip_gre", "ipip", "wireguard")
    world.line()
    for kind, make in (("gre", ip_tunnel), ("ipip", ip_tunnel), ("wireguard", wireguard)):
        phase(kind)
        make(world, kind)
        relayed(world, kind)
        reflected(world, kind)
        for namespace, device, *_ in ENDS:
            world.sh(f"ip link del {device}", namespace)

    phase("GRE without a remote end is no input, and status says so")
    world.sh("ip link add t0 type gre local 10.1.0.1 key 5 && ip addr add 10.8.0.1/24 dev t0"
             " && ip link set t0 up", "relay")
    daemon = Daemon(
        world, config(rule("group", "239.1.1.1", 5000, [("r1", "239.2.1.1")], interface="t0"))
    ).start(active=False)
    equal(daemon.rule("group")["reason"],
          "interface t0 is of a type that cannot be an input (ARPHRD 778)", "the reason")


play(story, 90)
