#!/usr/bin/env python3
"""`gro_wait`: datagrams that come one by one are merged, and the host's setting is put back.

    gen (g0) ---- (r0: GRO) relay (r1) ---- (s0) sink
        single frames, 50,000/s

Root of the host alone may set it (gro_flush_timeout); to anybody else the log says so.
"""

import os
import subprocess
import sys

from netlab.expect import SKIP

if os.geteuid() != 0:
    print("skipped: gro_flush_timeout belongs to root")
    sys.exit(SKIP)
os.environ["MCR_FAST_PATH"] = "off"  # not in a user namespace

# pylint: disable=wrong-import-position
from netlab.daemon import Daemon, config, rule
from netlab.expect import SANITIZED, check, equal, phase, scaled
from netlab.kernel import needs_superframes
from netlab.ledger import Ledger
from netlab.offload import switch
from netlab.traffic import exact
from netlab.world import play

RULE = rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
BEFORE, WAIT = 7000, 200_000  # ns


def wish(wait):
    return config(RULE, extra='[interface.r0]\ngro = "on"\n' + (f'gro_wait = "{wait}"\n' if wait else ""))


class Host:
    """gro_flush_timeout of r0 in ns, as sysfs has it."""

    def __init__(self, world):
        self.world = world

    def get(self):
        return int(self.world.sh("cat /sys/class/net/r0/gro_flush_timeout", "relay"))

    def set(self, wait):
        self.world.sh(f"echo {wait} >/sys/class/net/r0/gro_flush_timeout", "relay")


def shown(daemon):
    return {i["name"]: i for i in daemon.status()["interfaces"]}["r0"]


def merged(world, wait):
    """The frames a datagram that a paced stream costs."""
    daemon = Daemon(world, wish(wait)).start()
    ledger = Ledger(world, daemon, size=1400)
    exact(world, ledger, "239.1.1.1", 5000, scaled(50_000), scaled(50_000), out=("239.2.1.1", 5000))
    ledger.close()
    frames, datagrams = shown(daemon)["rx_frames"], shown(daemon)["rx_datagrams"]
    daemon.stop()
    print(f"gro_wait = {wait}: {datagrams} datagrams in {frames} frames")
    return frames / datagrams


def life(world, host):
    host.set(BEFORE)
    daemon = Daemon(world, wish(None)).start()
    equal((host.get(), shown(daemon)["gro_wait_ns"]), (BEFORE, BEFORE), "without the key")
    daemon.reload(wish("200us"))
    equal((host.get(), shown(daemon)["gro_wait_ns"]), (WAIT, WAIT), "with the key")
    daemon.reload(wish(None))
    equal(host.get(), BEFORE, "after a reload without the key")
    daemon.reload(wish("200us"))
    daemon.stop()
    equal(host.get(), BEFORE, "after the stop")

    daemon = Daemon(world, wish("200us")).start()
    daemon.process.kill()
    equal(host.get(), WAIT, "after SIGKILL: nobody could put it back")
    daemon = Daemon(world, wish(None)).start()
    equal(host.get(), BEFORE, "after the next start")
    host.set(0)
    daemon.stop()
    equal(host.get(), 0, "what the host sets meanwhile stays, without the key")


def not_permitted(world):
    """In a user namespace the kernel refuses it. The relay runs, and says what root can do."""
    inside = ("mount -t sysfs sysfs /sys && ip link add r0 type veth peer name x && ip link set r0 up &&"
              " ip link set x up && exec \"$0\" run -c \"$1\" --socket \"$2\"")
    path = world.path("wait.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(wish("200us"))
    with subprocess.Popen(
        ["timeout", "--preserve-status", "3", "unshare", "-Urnm", "sh", "-c", inside, world.mcr, path,
         world.path("wait.sock")], stderr=subprocess.PIPE, text=True) as process:
        log = process.stderr.read()
    check("GRO waits as the host has it: interface=r0" in log
          and "echo NANOSECONDS >/sys/class/net/r0/gro_flush_timeout" in log, f"the log: {log}")
    equal(process.returncode, 0, "exit code")


def story(world):
    needs_superframes()
    world.line()
    host = Host(world)
    switch(world, "gen", "g0", tx_udp_segmentation=False)
    phase("reloads, stops and SIGKILL")
    life(world, host)
    phase("a paced stream")
    single, waited = merged(world, None), merged(world, "200us")
    check(waited < single / 2 or SANITIZED, "no fewer frames")
    phase("not permitted")
    not_permitted(world)


play(story, 60)
