#!/usr/bin/env python3
"""`mcr doctor`: what is wrong with this host for this configuration, and the command to mend it.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                       bridge br0
"""

import json
import os

from netlab.daemon import config, rule
from netlab.expect import Skip, check, equal, phase
from netlab.offload import is_on
from netlab.world import play


def findings(world, file, code=0):
    done = world.call("doctor", "-c", file, "--json")
    equal(done.returncode, code, f"exit code of mcr doctor ({done.stdout}{done.stderr})")
    report = json.loads(done.stdout)
    equal(report["ok"], code == 0, "ok")
    return report["findings"]


def has(found, subject, words, remedy, severity="warning"):
    check(any(f["severity"] == severity and f["subject"] == subject and words in f["text"]
              and remedy in f["remedy"] for f in found),
          f"{severity}: {subject}: ...{words}... -> ...{remedy}... in {json.dumps(found, indent=1)}")


def has_not(found, subject, words):
    check(not any(f["subject"] == subject and words in f["text"] for f in found),
          f"no {subject}: {words} in {json.dumps(found, indent=1)}")


def story(world):
    world.line()
    file = world.write("doctor.toml", config(
        rule("a", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
        rule("b", "239.1.1.1", 5000, [("r1", "239.2.1.2")], interface="nowhere0"),
    ))

    phase("a host that is fit")
    done = world.call("doctor", "-c", file)
    if "io_uring: forbidden" in done.stdout:
        raise Skip("io_uring is forbidden here")
    equal(done.returncode, 0, f"exit code ({done.stdout}{done.stderr})")
    for words in ("io_uring: works", "kernel: Linux 6", "interface nowhere0: does not exist"):
        check(words in done.stdout, done.stdout)
    has(findings(world, file), "interface nowhere0", "rule b waits", "create nowhere0")

    phase("each fault is found, and its remedy mends it")
    faults = [
        ("ip -n relay link set r1 down", "interface r1", "is down", "ip link set r1 up"),
        ("ip -n relay link set r1 mtu 1400", "MTU r0 to r1", "above 1372", "ip link set r1 mtu 1500"),
        ("ip -n relay link set r0 multicast off", "interface r0", "no multicast flag",
         "ip link set r0 multicast on"),
    ]
    for fault, subject, words, remedy in faults:
        has_not(findings(world, file), subject, words)
        world.sh(fault)
        has(findings(world, file), subject, words, remedy)
        world.sh(remedy, "relay")
        has_not(findings(world, file), subject, words)
    for key in ("all", "r0"):
        world.sysctl("relay", f"net.ipv4.conf.{key}.rp_filter", 1)
    has(findings(world, file), "interface r0", "strict reverse-path", "net.ipv4.conf.r0.rp_filter=2")
    for key in ("all", "r0"):
        world.sysctl("relay", f"net.ipv4.conf.{key}.rp_filter", 0)
    world.sh("ip -n relay address flush dev r1")
    has(findings(world, file), "interface r1", "has no IPv4 address", "ip address add")
    world.sh("ip -n relay address add 10.2.0.1/24 dev r1")
    world.sysctl("relay", "net.ipv4.igmp_max_memberships", 0)
    has(findings(world, file, 69), "net.ipv4.igmp_max_memberships", "every join fails",
        "sysctl -w net.ipv4.igmp_max_memberships=20", "error")
    world.sysctl("relay", "net.ipv4.igmp_max_memberships", 20)

    phase("superframes behind a veth")
    if is_on(world, "relay", "r1", "tx-udp-segmentation"):
        subject, words = "interface r1", "sees superframes of many datagrams"
        remedy = "ethtool -K r1 tx-udp-segmentation off"
        has(findings(world, file), subject, words, remedy, "note")
        single = world.write("single.toml", config(rule("a", "239.1.1.1", 5000, [("r1", "239.2.1.1")]))
                             + '[interface.r1]\nsegmentation = "off"\n')
        has_not(findings(world, single), subject, words)
        world.sh(remedy, "relay")
        has_not(findings(world, file), subject, words)
        world.sh(remedy.replace("off", "on"), "relay")
    else:
        print("   left out: a veth of this kernel does not segment UDP")

    phase("a bridge that snoops and asks nobody")
    world.sh("ip -n relay link add br0 type bridge && ip -n relay link set br0 up"
             " && ip -n relay link set r0 master br0", ok=False)
    if "br0" in world.sh("ip -n relay link"):
        has(findings(world, file), "interface r0", "br0 snoops IGMP", "mcast_querier 1")
        world.sh("ip -n relay link set br0 type bridge mcast_querier 1")
        has_not(findings(world, file), "interface r0", "snoops IGMP")
    else:
        print("   left out: this kernel has no bridges")

    phase("a worker on the CPU that receives for its input")
    cpus = sorted(os.sched_getaffinity(0))
    steering = "/sys/class/net/r0/queues/rx-0/rps_cpus"
    pinned = world.write("pinned.toml", config(
        rule("a", "239.1.1.1", 5000, [("r1", "239.2.1.1")]), extra=f"cpus = [{cpus[0]}]"))
    has_not(findings(world, pinned), "interface r0", "receives its frames")
    world.sh(f"echo {1 << cpus[0]:x} > {steering}", "relay", ok=False)
    if len(cpus) > 1 and int(world.sh(f"cat {steering}", "relay").replace(",", ""), 16):
        has(findings(world, pinned), "interface r0", f"receives its frames on CPU {cpus[0]},",
            f"cpus = [{cpus[1]}] in [daemon]; or another CPU in {steering}")
        world.sh(f"echo 0 > {steering}", "relay")
        has_not(findings(world, pinned), "interface r0", "receives its frames")
    else:
        print("   left out: one CPU only, or steering may not be changed here")

    phase("who asks matters; a configuration that is refused is told")
    bare = world.call("doctor", "-c", file, prefix=("setpriv", "--bounding-set=-all"))
    check("no CAP_NET_RAW" in " ".join(bare.stdout.split()), bare.stdout)
    broken = world.write("broken.toml", "[[rule]]\nname = 3\n")
    refused = world.call("doctor", "-c", broken)
    equal(refused.returncode, 78, "exit code with a configuration that is refused")
    check("broken.toml:2:8:" in refused.stderr and "kernel: Linux" in refused.stdout, refused.stderr)


play(story, 45)
