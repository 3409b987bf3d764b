#!/usr/bin/env python3
"""`standby`: a relay that holds its joins and sockets and sends nothing while a file exists.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        239.1.1.1:5000  ->  239.2.1.1:5000
"""

import os
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, check, equal, phase, until
from netlab.ledger import internal
from netlab.traffic import Gen
from netlab.world import play


def story(world):
    world.line()
    file = world.path("stand.by")
    text = config(rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")]), workers=2,
                  extra=f'standby = "{file}"')
    world.write("stand.by", "")
    daemon = Daemon(world, text).start()
    gen = Gen(world, "239.1.1.1", 5000, rate=1000, size=600, duration=120 * PATIENCE)
    sent = lambda: daemon.rule("one")["outputs"][0]["tx_datagrams"]
    dropped = lambda: daemon.rule("one")["drops"]["standby"]

    def quiet(what):
        """Nothing is sent, and everything counted."""
        until(lambda: daemon.status()["standby"] == "on", what)
        before, counted = sent(), dropped()
        until(lambda: dropped() > counted + 500, f"{what}: it is counted")
        equal(sent(), before, f"{what}: datagrams sent")

    phase("the file is there from the start: all is held, nothing is sent")
    quiet("from the start")
    equal(sent(), 0, "datagrams sent")
    equal(world.igmp("relay", "r0"), {"239.1.1.1"}, "groups joined")
    equal(daemon.rule("one")["state"], "active", "state of the rule")
    health = world.call("status", "--health", "--socket", daemon.socket)
    equal(health.returncode, 0, "exit code of mcr status --health")
    check("stands by" in world.call("status", "--socket", daemon.socket).stdout, "status tells")

    phase("the file goes, and comes again")
    os.remove(file)
    began = time.monotonic()
    until(lambda: sent() > 0, "it sends")
    print(f"it sends within {1000 * (time.monotonic() - began):.0f} ms, mcr status included")
    world.write("stand.by", "")
    quiet("again")

    phase("mcr standby off and on")
    for state in ("off", "on", "off"):
        done = world.call("standby", state, "--socket", daemon.socket)
        equal(done.returncode, 0, f"exit code of mcr standby {state}: {done.stderr}")
        equal(os.path.exists(file), state == "on", "the file is there")
        equal(daemon.status()["standby"], state, "standby")

    phase("a reload without the key ends it")
    world.call("standby", "on", "--socket", daemon.socket)
    daemon.reload(text.replace(f'standby = "{file}"', ""))
    equal(daemon.status()["standby"], "", "standby")
    before = sent()
    until(lambda: sent() > before, "it sends")
    done = world.call("standby", "on", "--socket", daemon.socket)
    check(done.returncode == 71 and "no file" in done.stderr, f"mcr standby without a file: {done}")
    gen.stop()
    until(lambda: sent() == sum(o["tx_datagrams"] for o in daemon.rule("one")["outputs"]), "at rest")
    internal(daemon.status())
    daemon.stop()


play(story, 60)
