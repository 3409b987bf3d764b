#!/usr/bin/env python3
"""`rejoin`: memberships that a switch forgets where nobody asks for them.

    gen (g0) ---- (p0) bridge with IGMP snooping (p1) ---- (r0) relay (r1) ---- (s0) sink

The bridge forgets a membership 2 s after the last report of it, and does not ask again. With
`rejoin` it is told in time: the stream goes on without a gap, and no membership of the kernel's is
touched. The reports are read off the wire: IGMPv3 with all groups, or IGMPv2 where the kernel
speaks that. They come from the input's own address or, if it has none, from 0.0.0.0.
"""

import re

from netlab.daemon import Daemon, config, rule
from netlab.expect import Failure, Skip, check, equal, phase, scaled, until
from netlab.traffic import FLAWLESS, Gen, Sink, faults
from netlab.world import play

GROUPS = {f"239.1.1.{n}" for n in range(1, 4)}
BRIDGE = ("mcast_snooping 1 mcast_igmp_version 3 mcast_querier 1 mcast_query_interval 30000 mcast_startup_query_count 1"
          " mcast_query_response_interval 10 mcast_membership_interval 200")


def topology(world):
    world.namespace("gen", "bridge", "relay", "sink")
    try:
        world.sh(f"ip link add br0 type bridge {BRIDGE} && ip link set br0 up", "bridge")
    except Failure as failure:
        raise Skip(f"no bridge with IGMP snooping here: {failure}") from None
    world.link("gen", "g0", "10.1.0.2/24", "bridge", "p0", None)
    world.link("relay", "r0", "10.1.0.1/24", "bridge", "p1", None)
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    world.sh("ip link set p0 master br0 && ip link set p1 master br0", "bridge")
    until(lambda: world.sh("bridge link show", "bridge").count("state forwarding") == 2,
          "the bridge forwards")


def known(world):
    """Groups that the bridge sends to the relay."""
    return set(re.findall(r"port p1 grp (239\S+)", world.sh("bridge mdb show dev br0", "bridge")))


def capture(world, kind):
    """The next packet of that IGMP type: (IP header, IGMP message)."""
    return split(world.run_program("igmp_capture", "p1", kind, namespace="bridge"))


def split(text):
    packet = bytes.fromhex(text)
    length = 4 * (packet[0] & 15)
    return packet[:length], packet[length:]


def source(packet):
    return ".".join(map(str, packet[0][12:16]))


def story(world):
    topology(world)
    rules = [rule(f"s{n}", f"239.1.1.{n}", 5000, [("r1", f"239.2.1.{n}")]) for n in range(1, 4)]
    daemon = Daemon(world, config(*rules)).start()

    phase("without: the bridge forgets")
    until(lambda: known(world) == GROUPS, lambda: f"it knows of the groups: {known(world)}")
    until(lambda: not known(world), "it has forgotten them")
    joins = daemon.status()["membership"]

    phase("with: it is told again, and the stream goes on")
    daemon.reload(config(*rules, extra='rejoin = "1s"'))
    until(lambda: known(world) == GROUPS, lambda: f"it knows of the groups: {known(world)}")
    sink = Sink(world, "239.2.1.1", 5000)
    count = 3 * scaled(300)
    Gen(world, "239.1.1.1", 5000, rate=scaled(300), size=200, count=count).wait()
    until(lambda: daemon.rule("s1")["outputs"][0]["tx_datagrams"] >= count, "all is relayed")
    got = sink.stop()
    equal({"received": got["received"], **faults(got)}, {"received": count, **FLAWLESS}, "seen")
    now = daemon.status()["membership"]
    for key in ("joins_attempted", "leaves"):
        equal(now[key], joins[key], key)
    equal(world.igmp("relay", "r0"), GROUPS, "groups joined, says /proc/net/igmp")

    phase("an IGMPv3 report on the wire")
    header, report = capture(world, 0x22)
    equal(header[20:24].hex(), "94040000", "the Router Alert option")
    equal((header[1], header[8]), (0xC0, 1), "type of service and TTL")
    equal(".".join(map(str, header[16:20])), "224.0.0.22", "where it is sent to")
    count = int.from_bytes(report[6:8], "big")
    records = [report[8 + 8 * i:16 + 8 * i] for i in range(count)]
    equal({".".join(map(str, r[4:8])) for r in records}, GROUPS, "its groups")
    equal({r[:4].hex() for r in records}, {"02000000"}, "records: MODE_IS_EXCLUDE, no sources")

    phase("IGMPv2 where the kernel speaks it")
    world.sysctl("relay", "net.ipv4.conf.r0.force_igmp_version", 2)
    header, report = capture(world, 0x16)
    equal(header[16:20], report[4:8], "it is sent to its group")
    check(".".join(map(str, report[4:8])) in GROUPS, f"its group: {report.hex()}")

    phase("an input without an IPv4 address reports from nobody, as the kernel does")
    world.sysctl("relay", "net.ipv4.conf.r0.force_igmp_version", 3)
    world.sh("ip -n relay addr del 10.1.0.1/24 dev r0")
    until(lambda: source(capture(world, 0x22)) == "0.0.0.0", "a report from 0.0.0.0")
    header, report = capture(world, 0x22)
    equal(header[20:24].hex(), "94040000", "the Router Alert option")
    equal((header[1], header[8], source((header, report))), (0xC0, 1, "0.0.0.0"),
          "type of service, TTL and source")
    equal(int.from_bytes(report[6:8], "big"), len(GROUPS), "groups in the report")
    until(lambda: known(world) == GROUPS, "the bridge takes it")

    phase("an address that comes late is reported from, also without `rejoin`")
    daemon.reload(config(*rules))
    listening = world.start_program("igmp_capture", "p1", 0x22, namespace="bridge")
    world.sh("ip -n relay addr add 10.1.0.1/24 dev r0")
    equal(listening.wait(10), 0, "exit code of igmp_capture")
    equal(source(split(listening.out())), "10.1.0.1", "where the next report comes from")


play(story, 60)
