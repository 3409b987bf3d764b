#!/usr/bin/env python3
"""`source = "preserve"`: each sender's own address and port, read from the packets that arrive.

    gen (g0) ==== (r0) relay (r1) ==== (s0) sink
    senders of many addresses             captured
    and ports, injected

r1 leaves neither checksums nor, but for one phase, segmentation to the link: s0 sees what would be on
a wire.

A sender's first datagrams leave by a raw socket; within a second or two its port has sockets of its
own (bound to an address that nobody has), and superframes leave as superframes. Neither is to be
told from the other at the sink. An output with a fixed source port is beside it, undisturbed.
"""

import json
import sys

from netlab.capture import Capture
from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import EMULATED, check, equal, phase, scaled, until
from netlab.frames import udp, udp6
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger, internal
from netlab.offload import switch
from netlab.traffic import FLAWLESS, GSO, Gen, Sink, exact, faults
from netlab.world import play

PORT = 5000
SENDERS = [("10.1.0.2", 30001), ("203.0.113.7", 30002), ("203.0.113.7", 1), ("10.1.0.2", 65535)]
SENDERS6 = [("2001:db8:1::2", 30001), ("2001:db8:9::7", 30003)]
MOST = 128  # source ports with sockets of their own, of one interface and family


def to(group, **keys):
    """An output on r1 as TOML."""
    words = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "{ " + ", ".join(['interface = "r1"', f'group = "{group}"', *words]) + " }"


RULES = [
    rule("four", "239.1.1.1", PORT, [
        to("239.2.1.1", source="preserve"),
        to("239.2.1.2", source="preserve", ttl="preserve"),
        to("239.2.1.3", source_port=7000),
        to("239.2.1.4", source="preserve", source_port=7000),
    ]),
    rule("six", "ff15::1:1", PORT, [to("ff15::2:1", source="preserve")]),
    rule("plain", "239.1.1.8", PORT, [to("239.2.1.8")]),
]
MORE = rule("more", "239.1.1.9", PORT, [to("239.2.1.9", source="preserve")])


def own_ports(world, daemon):
    """The source ports that the relay has sockets for, besides its own and the fixed one."""
    ports = set()
    for row in world.sh("cat /proc/net/udp /proc/net/udp6", "relay").splitlines():
        address, _, port = row.split()[1].partition(":")
        words = [int(address[at:at + 8], 16) for at in range(0, len(address), 8) if port]
        name = b"".join(word.to_bytes(4, sys.byteorder) for word in words).hex()
        if name in ("c0000008", "0100" + 27 * "0" + "1"):
            ports.add(int(port, 16))
    return ports - {7000, daemon.rule("plain")["outputs"][0]["source_port"]}


def frames_of(senders, group, times=1, first=0):
    """Numbered, since the order of what a sender repeats is not kept while a ring is looked for."""
    make = udp6 if ":" in group else udp
    return [make(address, group, PORT, bytes([n, time % 256]) + bytes(98 + n), source_port=port)
            for time in range(first, first + times) for n, (address, port) in enumerate(senders)]


def came(capture, senders, group, count):
    """All of them, each with the port and the address of who sent it."""
    seen = capture.take(count, group, PORT, "senders")
    for p in seen:
        check(p.intact and p.header_intact, f"checksums of {group}")
        n = p.payload[0]
        equal((p.source, p.source_port), senders[n], f"who sent what came to {group}")
        equal(len(p.payload), 100 + n, "bytes of it")
    return seen


def first_and_later(world, daemon):
    capture = Capture(world, "sink", "s0")

    def send(first):
        world.inject("gen", "g0", frames_of(SENDERS, "239.1.1.1", 5, first)
                     + frames_of(SENDERS6, "ff15::1:1", 5, first))

    send(0)
    came(capture, SENDERS, "239.2.1.1", 5 * len(SENDERS))
    came(capture, SENDERS6, "ff15::2:1", 5 * len(SENDERS6))

    wanted = {port for _, port in SENDERS + SENDERS6}
    times = 1
    while own_ports(world, daemon) != wanted:
        send(5 * times)
        times += 1
        check(times < 100, f"sockets for {wanted}: {own_ports(world, daemon)}")
    send(5 * times)
    times += 1
    for group in ("239.2.1.1", "239.2.1.2"):
        seen = came(capture, SENDERS, group, times * 5 * len(SENDERS))
        for n in range(len(SENDERS)):
            equal([p.payload[1] for p in seen if p.payload[0] == n], [n % 256 for n in range(5 * times)],
                  f"the order of what {SENDERS[n]} has sent to {group}")
    came(capture, SENDERS6, "ff15::2:1", times * 5 * len(SENDERS6))
    fixed = {(p.source, p.source_port) for p in capture.packets("239.2.1.3", PORT)}
    equal(fixed, {("10.2.0.1", 7000)}, "what is not preserved")
    both = {(p.source, p.source_port) for p in capture.packets("239.2.1.4", PORT)}
    equal(both, {(address, 7000) for address, _ in SENDERS}, "an address preserved, with a port")
    capture.close()
    # What has no sender's port is not made up.
    equal(daemon.rule("four")["drops"]["own_source"], 0, "own_source")
    internal(daemon.status())


def streams(world, daemon):
    """A stream gets its sockets while it flows: nothing is lost or reordered by that."""
    for gso in GSO:
        ledger = Ledger(world, daemon, size=1000)
        exact(world, ledger, "239.1.1.1", PORT, scaled(9000), 3000, size=1000, gso=gso,
              out=("239.2.1.1", PORT))
        ledger.close()


def bulk(world):
    """Superframes go on as such, all with the port of their sender."""
    switch(world, "relay", "r1", tx=True, tx_udp_segmentation=True)
    capture = Capture(world, "sink", "s0")
    sender = world.start_program("superframe_stream", "239.1.1.1", PORT, 30010, namespace="gen")

    def seen():
        return capture.packets("239.2.1.1", PORT)
    until(lambda: seen() and len(seen()[-1].payload) == 20000,
          lambda: f"superframes leave: {[len(p.payload) for p in seen()[-5:]]} {sender.err()}")
    sender.kill()
    equal({(p.source, p.source_port) for p in seen()}, {("10.1.0.2", 30010)}, "the sender")
    equal([len(p.payload) for p in seen()[:20]], [1000] * 20, "bytes of the first, one by one")
    print(f"{sum(len(p.payload) for p in seen()) // 1000} datagrams in {len(seen())} frames")
    capture.close()
    switch(world, "relay", "r1", tx=False, tx_udp_segmentation=False)


def reloads(world, daemon, workers):
    sink = Sink(world, "239.2.1.1", PORT)
    count = scaled(8000, 4000)
    seconds = 40 if EMULATED else 4  # of six reloads
    sender = Gen(world, "239.1.1.1", PORT, rate=count // seconds, size=1000, count=count)
    for n in range(6):
        begun = daemon.rule("four")["rx_datagrams"]
        text = config(*RULES, *([MORE] if n % 2 == 0 else []), workers=workers)
        equal(daemon.reload(text), "+1 -0 ~0 =3" if n % 2 == 0 else "+0 -1 ~0 =3", "the reload")
        until(lambda b=begun: daemon.rule("four")["rx_datagrams"] > b + count // 16, "it flows on")
    sender.wait()
    until(lambda: not any(o["in_flight"] for o in daemon.rule("four")["outputs"]), "all is sent")
    seen = sink.stop()
    equal((seen["received"], faults(seen)), (count, FLAWLESS), "what the sink saw")


def foreign_port(world, daemon):
    """A program of this host has the port: it is left alone, and the sender's datagrams bear it."""
    listener = world.start_program("udp_listener", "0.0.0.0", 4300, namespace="relay")
    capture = Capture(world, "sink", "s0")
    sender = [("203.0.113.8", 4300)]
    frames = frames_of(sender, "239.1.1.1", 5)
    world.inject("gen", "g0", frames)
    until(lambda: "source port 4300 is not ours alone" in daemon.log(), "the log tells")
    world.inject("gen", "g0", frames)
    came(capture, sender, "239.2.1.1", 10)
    check(4300 not in own_ports(world, daemon), "no socket is bound to the program's port")
    world.run_program("udp_asker", "10.1.0.1", 4300, 1, namespace="gen")
    until(lambda: listener.out().split() == ["ask"], "the program hears what is sent to it")
    listener.kill()
    capture.close()


def input_port(world, daemon):
    """A unicast input comes to want the port of a sender, which it then has to itself."""
    capture = Capture(world, "sink", "s0")
    sender = [("203.0.113.8", 4400)]
    frames = frames_of(sender, "239.1.1.1")
    sent = 0
    while 4400 not in own_ports(world, daemon):
        world.inject("gen", "g0", frames)
        sent += 1
        check(sent < 200, "the sender's port has sockets")
    wanted = rule("in", "10.1.0.1", 4400, [to("239.2.1.7")]).replace("group = \"10", "address = \"10")
    equal(daemon.reload(config(*RULES, wanted)), "+1 -0 ~0 =3", "the reload")
    until(lambda: 4400 not in own_ports(world, daemon), "the sender's port has none any more")
    world.inject("gen", "g0", frames)
    came(capture, sender, "239.2.1.1", sent + 1)
    held = f"{int.from_bytes(bytes((10, 1, 0, 1)), sys.byteorder):08X}:{4400:04X}"
    until(lambda: held in world.sh("cat /proc/net/udp", "relay"), "the input holds its port")
    equal(daemon.reload(config(*RULES)), "+0 -1 ~0 =3", "the reload")
    capture.close()


def many(world, daemon):
    """More ports than there may be sockets."""
    capture = Capture(world, "sink", "s0")
    senders = [("203.0.113.9", 20000 + n) for n in range(MOST + 50)]
    frames = frames_of(senders, "239.1.1.1")

    def again():
        world.inject("gen", "g0", frames)
        return "more source ports than sockets" in daemon.log()
    until(again, lambda: f"the log tells: {len(own_ports(world, daemon))} ports", 30)
    until(lambda: len(own_ports(world, daemon)) >= MOST, "as many as may be have sockets")
    sent = len(capture.packets("239.2.1.1", PORT))
    step = scaled(len(frames), 15)  # what our capture can hold
    for end in range(step, len(frames) + step, step):
        world.inject("gen", "g0", frames[end - step:end])
        until(lambda n=sent + min(end, len(frames)): len(capture.packets("239.2.1.1", PORT)) >= n,
              f"{sent + end} datagrams are captured")
    came(capture, senders, "239.2.1.1", sent + len(frames))
    internal(daemon.status())
    capture.close()


def circle(world, daemon):
    there = rule("there", "239.5.0.1", PORT, [to("239.5.0.2", source="preserve")])
    again = rule("again", "239.5.0.2", PORT, [("r0", "239.5.0.1")], interface="r1")
    daemon.configure(config(*RULES, there, again, workers=2))
    equal(daemon.try_reload().returncode, 0, "exit code of a reload with a circle")


def story(world):
    by_the_worker("the sockets of senders")
    world.namespace("gen", "relay", "sink")
    world.dual_stack("gen", "relay", "sink")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "r0", "10.1.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    world.sh("ip -n relay addr add 2001:db8:2::1/64 dev r1")
    switch(world, "relay", "r1", tx=False, tx_udp_segmentation=False)
    for workers in (1, 2):
        daemon = Daemon(world, config(*RULES, workers=workers), f"relay-{workers}").start()
        phase(f"senders of different ports, {workers} workers")
        first_and_later(world, daemon)
        phase("streams")
        streams(world, daemon)
        phase("reloads under traffic")
        reloads(world, daemon, workers)
        if workers == 1:
            if superframes_are_described():
                phase("superframes")
                bulk(world)
            phase("a port of another program")
            foreign_port(world, daemon)
            phase("a port that an input wants")
            input_port(world, daemon)
        else:
            phase("very many senders")
            many(world, daemon)
            phase("a circle by way of preserved sources")
            circle(world, daemon)
        daemon.stop()
        equal(world.sh("cat /proc/net/udp /proc/net/raw", "relay").count("\n"), 2, "sockets left")


play(story, 90)
