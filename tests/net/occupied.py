#!/usr/bin/env python3
"""An occupied source port at the start: the output waits, everything else runs.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

Another program of the relay's host has port 7000 and does not share it. The relay starts, says who
waits and why, and relays to the other output without loss. When the port is free the output starts
by itself. A reload meanwhile is not refused for what waits already.
"""

import subprocess

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play

HOLD = ("import socket, sys, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        " s.bind(('', 7000)); print('held', flush=True); time.sleep(80)")


def story(world):
    world.line()
    holder = subprocess.Popen(["ip", "netns", "exec", "relay", "python3", "-c", HOLD],
                              stdout=subprocess.PIPE, text=True)
    equal(holder.stdout.readline().strip(), "held", "the other program")
    both = rule("both", "239.1.1.1", 5000, [
        ("r1", "239.2.1.1"), '{ interface = "r1", group = "239.2.1.2", source_port = 7000 }'])
    alone = rule("alone", "239.1.1.2", 5000,
                 ['{ interface = "r1", group = "239.2.1.3", source_port = 7000 }'])

    phase("the relay starts, and says what waits")
    daemon = Daemon(world, config(both, alone)).start(active=False)
    found = daemon.rule("both")
    equal([o["state"] for o in found["outputs"]], ["up", "waiting"], "outputs")
    reason = "bind source port 7000 for r1: Address already in use"
    equal((found["state"], found["reason"]), ("active", "in part: " + reason), "rule both")
    found = daemon.rule("alone")
    equal((found["state"], found["reason"]), ("waiting", "no output can be used: " + reason),
          "rule alone")
    text = world.call("status", "alone", "--socket", daemon.socket).stdout
    check("another program has the source port" in " ".join(text.split()), f"the remedy: {text}")

    told = world.call("doctor", "-c", daemon.file, namespace="relay").stdout
    check(reason in " ".join(told.split()), f"doctor says it, too: {told}")

    phase("the rest runs")
    ledger = Ledger(world, daemon, size=400)
    exact(world, ledger, "239.1.1.1", 5000, scaled(500), 2000, size=400, out=("239.2.1.1", 5000))
    equal(daemon.rule("both")["outputs"][1]["drops"]["output_down"] >= scaled(500), True,
          "what the waiting output missed is counted")

    phase("a reload is not refused for what waits already")
    daemon.reload(config(both, alone, rule("c", "239.1.1.4", 5000, [("r1", "239.2.1.4")])))
    equal(daemon.rule("alone")["state"], "waiting", "rule alone")

    phase("the port is free")
    holder.kill()
    holder.wait()
    daemon.wait_active(40)
    until(lambda: daemon.rule("both")["outputs"][1]["state"] == "up", "the output is up")
    exact(world, ledger, "239.1.1.2", 5000, scaled(500), 2000, size=400, out=("239.2.1.3", 5000))
    told = world.call("doctor", "-c", daemon.file, namespace="relay").stdout
    check("source port" not in told, f"doctor says nothing of a port that the relay has: {told}")
    ledger.close()


play(story, 90)
