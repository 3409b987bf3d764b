#!/usr/bin/env python3
"""`privileges`: what each capability is for, and what the relay keeps of those it is given.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

Started with everything, it keeps three; with CAP_NET_RAW alone it relays all the same, and says
what it lacks. (Without that it does not start: test `errors`. SO_RCVBUFFORCE knows only the
host's CAP_NET_ADMIN, so that buffers cannot be shown here.)
"""

import os

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import check, equal, phase, scaled
from netlab.ledger import Ledger
from netlab.offload import is_on, switch
from netlab.traffic import exact
from netlab.world import play

NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 1 << 10, 1 << 12, 1 << 13  # linux/capability.h
RULE = rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
OTHER = rule("two", "239.1.1.2", 5000, [("r0", "239.2.1.2")], interface="r1")
MERGE = '[interface.r0]\ngro = "on"\n'


def only(*names):
    """A command that starts another with these capabilities at most."""
    kept = "".join(f",+{name}" for name in names)
    return ("setpriv", f"--bounding-set=-all{kept}", "--inh-caps=-all")


def credentials(process):
    """Of each of its threads, as in proc(5)."""
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{thread}/status", encoding="utf-8") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        yield {key: int(fields[key], 16)
               for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")}


def keeps(daemon, mask):
    expected = {"CapInh": 0, "CapPrm": mask, "CapEff": mask, "CapBnd": mask, "CapAmb": 0,
                "NoNewPrivs": 1}
    found = list(credentials(daemon.process))
    check(len(found) > 1, "the workers' threads are seen")
    for each in found:
        equal(each, expected, "capabilities of a thread")


def everything(world):
    phase("started with everything: it keeps three, and a reload can do what the start could")
    switch(world, "relay", "r0", gro=False, rx_udp_gro_forwarding=False)
    daemon = Daemon(world, config(RULE, extra=MERGE), "everything").start()
    keeps(daemon, NET_BIND_SERVICE | NET_ADMIN | NET_RAW)
    equal(daemon.reload(config(RULE, OTHER, extra=MERGE)), "+1 -0 ~0 =1", "the reload")
    daemon.wait_active()
    daemon.stop()


def raw_alone(world):
    phase("CAP_NET_RAW alone: relays, and says what it cannot")
    switch(world, "relay", "r0", gro=False, rx_udp_gro_forwarding=False)
    daemon = Daemon(world, config(RULE, extra=MERGE), "raw", prefix=only("net_raw")).start()
    keeps(daemon, NET_RAW)
    check(not is_on(world, "relay", "r0", "rx-udp-gro-forwarding"), "GRO of r0 was switched")
    log = daemon.log()
    if "this kernel cannot tell" not in log:
        check("UDP GRO stays as it is: interface=r0" in log and "give CAP_NET_ADMIN" in log,
              f"the log says what CAP_NET_ADMIN would have done: {log}")
    ledger = Ledger(world, daemon, size=1400)
    exact(world, ledger, "239.1.1.1", 5000, scaled(2000), 20000, out=("239.2.1.1", 5000))
    ledger.close()
    daemon.reload(config(RULE, OTHER))
    daemon.wait_active()
    daemon.stop()


def none(world):
    phase("none at all: everything but run")
    nothing = only()
    good = world.write("good.toml", config(RULE))
    for words in (("check", "-c", good), ("--version",),
                  ("gen", "--interface", "g0", "--group", "239.1.1.1", "--port", 5000,
                   "--count", 1)):
        done = world.call(*words, namespace="gen", prefix=nothing)
        equal(done.returncode, 0, f"exit code of mcr {words[0]} without privileges: {done.stderr}")


def story(world):
    by_the_worker("capabilities that it needs")
    world.line()
    everything(world)
    raw_alone(world)
    none(world)


play(story, 40)
