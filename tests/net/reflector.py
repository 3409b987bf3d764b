#!/usr/bin/env python3
"""Reflectors: discovery in all directions between three segments.

    lan (l0 10.1.0.2) ---- (r0 10.1.0.1) relay (r1 10.2.0.1) ---- (i0 10.2.0.2) iot
                                         relay (r2 10.3.0.1) ---- (g0 10.3.0.2) guest

What comes from one segment goes to all others, or as `allow` says; over IPv6, too; by group or by
broadcast, limited or to the subnet. mDNS leaves from port 5353 with TTL 255. By default 1000 a second
go one way. One way may answer and not ask, or name some services only. Searches of SSDP and WS-Discovery are answered. The status
shows it as one thing; nftables at the segments count the same.
"""

import signal
import struct
import time

from netlab.counters import Counters
from netlab.daemon import Daemon, config
from netlab.expect import check, equal, phase, until
from netlab.frames import udp, udp6
from netlab.ledger import internal
from netlab.world import play

PLACES = {"lan": ("l0", "10.1.0"), "iot": ("i0", "10.2.0"), "guest": ("g0", "10.3.0")}
MDNS = "224.0.0.251"
_number = [0]


def names(*names):
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def reflector(kind, more="", interfaces=("r0", "r1", "r2"), name="all"):
    return (f'[[reflector]]\nname = "{name}"\nkind = "{kind}"\n'
            f"interfaces = {names(*interfaces)}\n{more}\n")


def message(name, response=False):
    """A DNS message that asks for a name, or answers with one."""
    encoded = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    _number[0] += 1
    if response:
        return struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + encoded + struct.pack(
            "!HHIH", 1, 1, _number[0], 4) + b"abcd"
    return struct.pack("!HHHHHH", _number[0], 0, 1, 0, 0, 0) + encoded + struct.pack("!HH", 12, 1)


class Segments:
    """What comes to each segment."""

    def __init__(self, world):
        self.world = world
        self.counters = {place: Counters(world, place, PLACES[place][0]) for place in PLACES}

    def count(self, address, port):
        found = {}
        for place, counters in self.counters.items():
            seen = counters.read()
            found[place] = sum(c.frames for (a, p), c in seen.items()
                               if p == port and (address is None or a == address))
        return found

    def send(self, place, payload, group=MDNS, port=5353, source_port=5353, host=2):
        interface, net = PLACES[place]
        frame = udp(f"{net}.{host}", group, port, payload, ttl=255, source_port=source_port)
        if group.endswith("255"):
            frame = b"\xff" * 6 + frame[6:]
        self.world.inject(place, interface, [frame])

    def reach(self, place, payload, expected, group=MDNS, port=5353, to=None, **more):
        """Sends one datagram; it comes to these segments and to no other."""
        before = self.count(to or group, port)
        self.send(place, payload, group, port, **more)
        wanted = {p: n + (1 if p in expected else 0) for p, n in before.items()}
        until(lambda: self.count(to or group, port) == wanted,
              lambda: f"from {place} to {expected}: {before} -> {self.count(to or group, port)}")


def everywhere(world, daemon, segments):
    phase("from each segment to all others")
    for place in PLACES:
        segments.reach(place, message(f"x{_number[0]}.local"), [p for p in PLACES if p != place])
    status = daemon.status()
    ways = {(w["from"], w["to"]): w["datagrams"] for w in status["reflectors"][0]["ways"]}
    equal(ways, {(a, b): 1 for a in ("r0", "r1", "r2") for b in ("r0", "r1", "r2") if a != b},
          "the matrix")
    equal([r["reflector"] for r in status["rules"]], ["all"] * 3, "the rules bear its name")
    text = world.call("status", "--socket", daemon.socket).stdout
    check("reflector all (mdns): active" in text, f"the page shows it: {text}")
    check("all/r0" not in text, f"and not its rules: {text}")
    metrics = world.call("status", "all/r0", "--socket", daemon.socket).stdout
    check("224.0.0.251" in metrics, f"but one in full: {metrics}")
    internal(status)


def headers(world, segments):
    phase("mDNS leaves from port 5353 with TTL 255")
    script = """
table netdev judge {
  chain ingress {
    type filter hook ingress device i0 priority -400;
    ip daddr 224.0.0.251 udp sport 5353 udp dport 5353 ip ttl 255 counter
  }
}
"""
    world.sh(f"nft -f {world.write('judge.nft', script)}", "iot")
    segments.reach("lan", message("headers.local"), ["iot", "guest"])
    check("packets 1 " in world.sh("nft list table netdev judge", "iot"), "port 5353 and TTL 255")


def limited(world, daemon, segments):
    phase("by default 1000 a second go one way")
    count = 1500

    def outputs():
        return {o["interface"]: (o["tx_datagrams"], o["drops"]["rate_limited"])
                for o in daemon.rule("all/r0")["outputs"]}

    def arrived(place):
        return segments.counters[place].read()[MDNS, 5353].payload

    before, came = outputs(), {place: arrived(place) for place in ("iot", "guest")}
    messages = [message("flood.local", response=True) for _ in range(count)]
    began = time.monotonic()
    world.inject("lan", "l0", [udp("10.1.0.2", MDNS, 5353, each, ttl=255, source_port=5353)
                               for each in messages])
    until(lambda: all(sum(now) - sum(before[i]) == count for i, now in outputs().items()),
          lambda: f"all {count} are sent or limited: {before} -> {outputs()}")
    most = 64 + 1000 * (time.monotonic() - began)
    for interface, place in (("r1", "iot"), ("r2", "guest")):
        passed, left = (now - then for now, then in zip(outputs()[interface], before[interface]))
        check(64 <= passed <= most and left > 0, f"to {place}: {passed} of {count}, at most {most}")
        until(lambda p=place, n=passed: arrived(p) - came[p] == n * len(messages[0]),
              lambda p=place, n=passed: f"{n} came to {p}: {arrived(p) - came[p]} bytes")


def allowed(daemon, segments):
    phase("allow: lan asks, iot answers; guest hears of one service")
    daemon.reload(config(reflector("mdns", """allow = [
  { from = "r0", to = "r1" }, { from = "r1", to = "r0", questions = false },
  { from = "r0", to = "r2", services = ["_ipp._tcp"] },
]""")))
    segments.reach("lan", message("_ipp._tcp.local"), ["iot", "guest"])
    segments.reach("lan", message("_ssh._tcp.local"), ["iot"])
    segments.reach("iot", message("_ssh._tcp.local", response=True), ["lan"])
    segments.reach("iot", message("_ssh._tcp.local"), [])
    until(lambda: daemon.rule("all/r1")["outputs"][0]["drops"]["filtered"] == 1, "it is counted")
    segments.reach("guest", message("_ipp._tcp.local", response=True), [])

    phase("sources: a sender is left out")
    daemon.reload(config(reflector("mdns", 'sources = ["!10.1.0.66"]')))
    segments.reach("lan", message("a.local"), [], host=66)
    segments.reach("lan", message("a.local"), ["iot", "guest"])


def six(world, daemon, segments):
    phase("IPv6 beside IPv4")
    daemon.reload(config(reflector("mdns", f'group = ["{MDNS}", "ff02::fb"]')))
    daemon.wait_active()
    before = segments.count("ff02::fb", 5353)
    source = world.link_local("lan", "l0")
    world.inject("lan", "l0", [udp6(source, "ff02::fb", 5353, message("six.local"), hops=255,
                                    source_port=5353)])
    until(lambda: segments.count("ff02::fb", 5353) == {
        p: n + (p != "lan") for p, n in before.items()}, "it comes to the others")
    segments.reach("lan", message("four.local"), ["iot", "guest"])


def broadcasts(daemon, segments):
    phase("broadcast, limited and to the subnet")
    daemon.reload(config(reflector("udp", 'address = "broadcast"\nport = 6000\n')))
    daemon.wait_active()
    for number, group in enumerate(("255.255.255.255", "10.1.0.255")):
        segments.reach("lan", f"game {number}".encode(), ["iot", "guest"], group=group, port=6000,
                       to="255.255.255.255", source_port=6000)
    phase("a plain rule sends to a subnet's broadcast address")
    daemon.reload(config('[[rule]]\nname = "wake"\ninput = { interface = "r0", address = "broadcast",'
                         ' port = 9 }\noutputs = [ { interface = "r1", address = "10.2.0.255" } ]\n'))
    daemon.wait_active()
    segments.reach("lan", b"magic", ["iot"], group="255.255.255.255", port=9, to="10.2.0.255",
                   source_port=9)


def searches(world, daemon):
    for kind in ("ssdp", "ws-discovery"):
        phase(f"{kind}: a search, and its answers")
        daemon.reload(config(reflector(kind, name=kind)))
        daemon.wait_active()
        devices = [world.start_program("ssdp_device", kind, PLACES[p][0], PLACES[p][1] + ".2",
                                       namespace=p) for p in ("iot", "guest")]
        for times in (1, 3):
            answers = world.run_program("ssdp_searcher", kind, "10.1.0.2", 1.5, times,
                                        namespace="lan").split("\n")[:-1]
            equal(sorted(set(answers)), ["10.1.0.1 10.2.0.2", "10.1.0.1 10.3.0.2"],
                  "both devices answer, by way of the relay")
            equal(len(answers), 2 * times, "answers")
        other = world.run_program("ssdp_searcher", kind, "10.2.0.2", 1.5, namespace="iot")
        check("10.2.0.1 10.3.0.2" in other, f"from another segment: {other}")
        status = daemon.status()["reflectors"][0]
        equal((status["searches"], status["answers"]), (10, 9), "searches and answers")
        for device in devices:
            device.signal(signal.SIGKILL)


def story(world):
    world.namespace("relay", *PLACES)
    world.dual_stack("relay", *PLACES)
    for number, (place, (interface, net)) in enumerate(PLACES.items()):
        world.link(place, interface, f"{net}.2/24", "relay", f"r{number}", f"{net}.1/24")
    daemon = Daemon(world, config(reflector("mdns"))).start()
    segments = Segments(world)
    everywhere(world, daemon, segments)
    headers(world, segments)
    limited(world, daemon, segments)
    allowed(daemon, segments)
    six(world, daemon, segments)
    broadcasts(daemon, segments)
    searches(world, daemon)
    internal(daemon.status())


play(story, 200)
