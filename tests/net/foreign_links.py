#!/usr/bin/env python3
"""A host of containers: links that no rule names come, go and flap, and the relay stays idle.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                  (c0)-(c1)      the foreign link, both ends in relay

1,000 flaps in 20 s are far more than a busy host has. None may compile or publish a rule table,
and to look at them may cost the control thread less than 5 % of a CPU.
"""

import os
import subprocess
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.world import play

FLAPS, SECONDS = 1000, 20
ANEW = 25  # so many flaps, and the link is deleted and made again, as with a container
MOST_CPU = 0.05
PUBLISHED = "compiled and published"


def control_seconds(daemon):
    """CPU time of the control thread, which is the first one (proc_pid_stat(5))."""
    pid = daemon.process.pid
    with open(f"/proc/{pid}/task/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publications(daemon):
    return sum(PUBLISHED in line for line in daemon.log().splitlines())


def flap(world):
    """At an even pace, by one `ip` that is told line by line."""
    make = "link add c0 type veth peer name c1\nlink set c1 up\naddress add 172.17.0.1/16 dev c0\n"
    world.sh("ip -n relay link add c0 type veth peer name c1 && ip -n relay link set c1 up")
    ip = subprocess.Popen(["ip", "-n", "relay", "-batch", "-"], stdin=subprocess.PIPE, text=True)
    began = time.monotonic()
    for n in range(FLAPS):
        lines = "link set c0 up\nlink set c0 down\n"
        if n % ANEW == ANEW - 1:
            lines += "link del c0\n" + make
        ip.stdin.write(lines)
        ip.stdin.flush()
        ahead = began + (n + 1) * SECONDS / FLAPS - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    ip.stdin.close()
    equal(ip.wait(60), 0, "exit code of ip -batch")


def story(world):
    world.line()
    for interface in ("r0", "r1"):  # a rule sees addresses come
        world.link_local("relay", interface)
    daemon = Daemon(world, config(rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")]))).start()
    equal(publications(daemon), 1, "rule tables published at the start")

    phase(f"{FLAPS} flaps of a link that no rule names")
    cpu, began = control_seconds(daemon), time.monotonic()
    flap(world)
    took = time.monotonic() - began
    used = (control_seconds(daemon) - cpu) / took
    print(f"{FLAPS} flaps in {took:.1f} s: control thread {100 * used:.1f} % of a CPU")
    equal(publications(daemon), 1, "rule tables published")
    check(" more)" not in daemon.log(), f"no line was held back: {daemon.log()[-2000:]}")
    check(used < MOST_CPU, f"the control thread used {100 * used:.1f} % of a CPU")

    phase("what a rule can see is still followed")
    world.sh("ip -n relay link set r0 down")
    until(lambda: daemon.rule("one")["state"] == "waiting", "the rule waits for its link")
    world.sh("ip -n relay link set r0 up")
    daemon.wait_active()
    check(publications(daemon) > 1, "a table is published for it")


play(story, 60)
