#!/usr/bin/env python3
"""`unit_filter`: the relay calls nothing that the packaged systemd unit forbids, and the unit adds no call
by name that the relay does not make.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

Without systemd: its sets of system calls are asked of systemd-analyze, and what is forbidden is refused by
this test, which so knows its name. A refusal that the relay does without counts, too: on a user's host
something is then not as it was configured. Root of the host also gets the kernel's way.
"""

import os
import re
import socket
import sys
import threading

# As root it is played outside of a user namespace, where the kernel's way works.
if os.geteuid() == 0:
    with open("/proc/self/uid_map", encoding="utf-8") as uid_map:
        if uid_map.read().split() == ["0", "0", "4294967295"]:
            os.environ.setdefault("MCR_FAST_PATH", "auto")

# pylint: disable=wrong-import-position
from netlab.daemon import Daemon, config, rule
from netlab.expect import Failure, Skip, check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.seccomp import UNSUPPORTED
from netlab.service_unit import Unit
from netlab.traffic import Gen, exact
from netlab.world import FAST_PATH, play

ONE, OTHER = (rule(name, f"239.1.1.{n}", 5000, [("r1", f"239.2.1.{n}")]) for n, name in ((1, "one"), (2, "other")))
SIX = rule("six", "ff3e::1", 5000, [("r1", "ff3e::2")])
PACED = rule("paced", "239.1.1.3", 5000, sources=["10.1.0.2"], outputs=[
    '{ interface = "r1", group = "239.2.1.3", max_pps = 1000, source_port = 700 }']) + 'inspect = "rtp"\ncapture_before = "1 MiB"\n\n'
NAMED = rule("named", "239.1.1.4", 5000, ['{ interface = "r1", host = "nowhere.test", port = 6000 }'])
NAMES = '[[reflector]]\nname = "names"\nkind = "mdns"\ninterfaces = ["r0", "r1"]\n\n'
TUNED = '[interface.r0]\ngro = "on"\nreceive_buffer = "8 MiB"\n[interface.r1]\ningress = "mmap"\n'
EXTRA = """state = "{0}/state"
runtime = "{0}/runtime"
standby = "{0}/stand.by"
metrics = "127.0.0.1:9464"
cpus = [{1}]
rejoin = "1s"
fast_path = "{2}"
"""
# What the unit forbids, each tried by itself; prints what was possible all the same.
FORBIDDEN = """
import ctypes, mmap, os, socket
libc = ctypes.CDLL(None)
def tries(what, do):
    try:
        if do() is not False: print(what)
    except OSError: pass
tries("write to /", lambda: open("/mcr-was-here", "w"))
tries("unshare", lambda: libc.unshare(0x20000) == 0)
tries("mount", lambda: libc.mount(b"none", b"/run", b"tmpfs", 0, None) == 0)
tries("chroot", lambda: os.chroot("/run"))
tries("socket", lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET))
tries("mmap", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
"""


def told(world, unit):
    phase("what the unit forbids is refused, and known by its name")
    done = world.sh(f"{' '.join(unit.prefix)} {sys.executable} -c '{FORBIDDEN}' 2>&1; echo $?", "relay")
    if done.strip().endswith(str(UNSUPPORTED)):
        raise Skip("no libseccomp.so.2")
    equal(done, "0\n", "what is possible in spite of the restrictions")
    names = {re.match(r"\w+", each)[0] for each in unit.recorder.refused}
    equal({"unshare", "mount", "chroot", "socket", "mmap"} - names, set(), "refused, but not told")
    unit.recorder.refused.clear()


class Service:
    """The relay, started and reloaded as the unit does it."""

    def __init__(self, world, unit, fast_path, *rules):
        self.world, self.unit, self.fast_path = world, unit, fast_path
        os.mkdir(world.path(fast_path))
        self.daemon = Daemon(world, self.text(*rules), f"relay-{fast_path}", prefix=unit.prefix)
        try:
            self.daemon.start(active=False)
            self.is_active("one")
        except Failure as failure:
            raise Failure(f"{failure}\ncalls that the unit forbids: {unit.recorder.refused}") from None

    def text(self, *rules):
        cpu = min(os.sched_getaffinity(0))
        extra = EXTRA.format(self.world.path(self.fast_path), cpu, self.fast_path) + TUNED
        return config(*rules, extra=extra)

    def is_active(self, name):
        until(lambda: self.daemon.rule(name)["state"] == "active", f"rule `{name}` is active")

    def reload(self, *rules):
        self.daemon.configure(self.text(*rules))
        self.call("reload", prefix=self.unit.prefix)

    def call(self, *words, prefix=()):
        """A command of somebody who is not confined, unless there is a prefix."""
        done = self.world.call(*words, "--socket", self.daemon.socket, prefix=prefix)
        equal(done.returncode, 0, f"exit code of mcr {' '.join(words)}: {done.stderr}")
        return done.stdout

    def relays(self):
        ledger = Ledger(self.world, self.daemon, size=700)
        exact(self.world, ledger, "239.1.1.1", 5000, scaled(500), 10000, size=700, out=("239.2.1.1", 5000))
        ledger.close()

    def blameless(self, what):
        equal(self.unit.recorder.refused, [], f"calls that the unit forbids, {what}")


def asked(service):
    """What people ask of it: each verb is another way through the daemon."""
    world, daemon = service.world, service.daemon
    for words in (["status"], ["inspect", "paced"], ["standby", "on"], ["standby", "off"],
                  ["rule", "add", "more", "--input", "interface=r0,group=239.1.1.9,port=5000",
                   "--output", "interface=r1,group=239.2.1.9"],
                  ["rule", "set", "more", "--set", "comment=kept"], ["rule", "remove", "more"]):
        service.call(*words)
    file = world.path("capture.pcapng")
    capture = world.start("capture", ["capture", "paced", "-w", file, "--count", "10", "--socket", daemon.socket],
                          "relay")
    until(lambda: "capture begins" in daemon.log(), "the capture begins")
    Gen(world, "239.1.1.3", 5000, rate=500, size=700, count=50).wait()
    equal(capture.wait(20), 0, f"exit code of mcr capture: {capture.err()}")
    metrics = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    check("mcr_" in world.sh(f'{sys.executable} -c "{metrics}"', "relay"), "the metrics are there")


def links(service):
    phase("links go and come")
    for interface in ("r0", "r1"):
        service.world.sh(f"ip -n relay link set {interface} down")
        until(lambda: service.daemon.rule("one")["state"] == "waiting", "rule `one` waits")
        service.world.sh(f"ip -n relay link set {interface} up")
        service.is_active("one")


def goes_the_same_way(service):
    """As without any restrictions: a host may have no kernel's way for anybody."""
    found = service.daemon.rule("one")
    if found["path"] != "kernel":
        free = Daemon(service.world, config(ONE, extra='fast_path = "auto"\n'), "free").start()
        equal((found["path"], found["path_reason"]), (free.rule("one")["path"], free.rule("one")["path_reason"]),
              "the path of rule `one`, with and without the unit")
        free.stop()


def works(world, unit, fast_path):
    phase(f"fast_path = {fast_path}: start, reload, questions, traffic")
    service = Service(world, unit, fast_path, ONE)
    service.blameless("start")
    service.reload(ONE, OTHER, SIX, PACED, NAMED, NAMES)
    until(lambda: "not known yet" not in service.daemon.rule("named")["reason"], "the name was looked up")
    service.blameless("reload")
    service.is_active("paced")
    asked(service)
    service.blameless("questions")
    service.reload(ONE, OTHER)
    service.relays()
    if fast_path == "auto" and FAST_PATH:
        goes_the_same_way(service)
    links(service)
    service.daemon.stop()
    service.blameless("links, stop")


def missing(world):
    phase("a unit without capset: the service does not start, and here is why")
    unit = Unit(world, "without", {"capset"})
    file = world.write("without.toml", config(ONE))
    done = world.call("run", "-c", file, "--socket", world.path("without.sock"), prefix=unit.prefix)
    check(done.returncode != 0, f"it starts: {done.stderr}")
    check(any(each.startswith("capset(") for each in unit.recorder.refused),
          f"capset is told: {unit.recorder.refused}")


def manager(world):
    """Hears what the relay says to systemd, and forgets it."""
    hearing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    hearing.bind(world.path("notify"))
    os.environ.update(NOTIFY_SOCKET=world.path("notify"), WATCHDOG_USEC="10000000")

    def hear():
        while hearing.recv(4096):
            pass

    threading.Thread(target=hear, daemon=True).start()


def story(world):
    world.line()
    manager(world)
    unit = Unit(world, "unit")
    told(world, unit)
    works(world, unit, "off")
    works(world, unit, "auto")
    # bpf(2) is not even tried where it cannot work.
    needless = unit.added - unit.recorder.used - (set() if FAST_PATH else {"bpf"})
    equal(needless, set(), "calls that the unit allows by name and the relay does not make")
    missing(world)


play(story, 60)
