#!/usr/bin/env python3
"""Joins at, beyond and without the kernel's limits.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

1,000 groups with igmp_max_memberships at its default of 20; a join that fails (limit 0) leaves
its rule inactive and says so, is tried again, and hurts no other.
"""

import errno
import os

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger, internal
from netlab.traffic import exact
from netlab.world import play

LIMIT = "net.ipv4.igmp_max_memberships"


def many(count):
    return [
        rule(f"s{n}", f"239.1.{n // 256}.{n % 256}", 5000, [("r1", f"239.2.{n // 256}.{n % 256}")])
        for n in range(1, count + 1)
    ]


def thousand(world):
    world.sysctl("relay", LIMIT, 20)
    daemon = Daemon(world, config(*many(1000)), name="thousand").start()
    joined = world.igmp("relay", "r0")
    equal(len(joined), 1000, "groups in /proc/net/igmp")
    equal(daemon.groups(), joined, "groups joined, says the daemon")
    status = daemon.status()
    internal(status)
    equal(status["membership"]["joins_succeeded"], 1000, "joins_succeeded")
    print(f"{status['membership']['helper_sockets']} helper sockets,"
          f" {status['membership']['joins_failed']} joins failed on the way")
    daemon.reload(config(*many(3)))
    until(lambda: len(world.igmp("relay", "r0")) == 3, "997 groups are left by a reload")
    equal(daemon.status()["membership"]["leaves"], 997, "leaves")
    daemon.stop()
    equal(world.igmp("relay", "r0"), set(), "groups left at the end")


def refused(world):
    kept = rule("kept", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
    late = rule("late", "239.1.1.2", 5000, [("r1", "239.2.1.2")])
    daemon = Daemon(world, config(kept), name="refused").start()
    ledger = Ledger(world, daemon, size=600)

    phase("no join is allowed any more: a new rule fails")
    world.sysctl("relay", LIMIT, 0)
    daemon.reload(config(kept, late))
    until(lambda: daemon.rule("late")["state"] == "failed", "the new rule is failed")
    reason = daemon.rule("late")["reason"]
    words = ("239.1.1.2", "r0", os.strerror(errno.ENOBUFS))
    check(all(w in reason for w in words), f"the reason has {words}: {reason!r}")
    check(any(all(w in line for w in words) for line in daemon.log().splitlines()),
          f"a line of the log has {words}: {daemon.log()[-2000:]}")
    [group] = [g for g in daemon.status()["membership"]["groups"] if g["group"] == "239.1.1.2"]
    equal(group["state"], "failed", "state of the group")
    check(os.strerror(errno.ENOBUFS) in group["error"], f"its error: {group['error']!r}")

    phase("the other rule is as it was")
    equal(daemon.rule("kept")["state"], "active", "state of the other rule")
    exact(world, ledger, "239.1.1.1", 5000, scaled(3000), 4000, size=600, out=("239.2.1.1", 5000))

    phase("it is tried again")
    def failures():
        return daemon.status()["membership"]["joins_failed"]

    failed = failures()
    until(lambda: failures() > failed, "another try fails")
    internal(daemon.status())

    phase("at once, when something changes that may have been the cause")
    until(lambda: failures() >= failed + 3, "the pause is 8 s or more", 30)
    failed = failures()
    world.sh("ip -n relay address add 10.1.0.9/24 dev r0")
    until(lambda: failures() > failed, "an address: tried at once, in vain", 2)
    until(lambda: failures() >= failed + 3, "the pause is 4 s or more", 30)
    world.sysctl("relay", LIMIT, 20)
    until(lambda: daemon.rule("late")["state"] == "active", "a sysctl: the rule recovers", 3)
    equal(daemon.rule("late")["reason"], "", "its reason")
    equal(world.igmp("relay", "r0"), {"239.1.1.1", "239.1.1.2"}, "groups joined")
    exact(world, ledger, "239.1.1.2", 5000, scaled(3000), 4000, size=600, out=("239.2.1.2", 5000))

    phase("two rules share a group: the last one leaves it")
    twin = rule("twin", "239.1.1.2", 5001, [("r1", "239.2.1.3")])
    daemon.reload(config(kept, late, twin))
    daemon.wait_active()
    daemon.reload(config(kept, twin))
    equal(world.igmp("relay", "r0"), {"239.1.1.1", "239.1.1.2"}, "groups while one rule remains")
    daemon.reload(config(kept))
    until(lambda: world.igmp("relay", "r0") == {"239.1.1.1"}, "its last rule leaves the group")


def story(world):
    world.line()
    phase("1,000 groups, 20 a socket")
    thousand(world)
    refused(world)


play(story, 120)
