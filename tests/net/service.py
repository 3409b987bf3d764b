#!/usr/bin/env python3
"""`service`: what the daemon tells systemd (sd_notify(3)), and a worker that is stuck.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                        |
                 a socket as systemd's

A worker is stuck while a tracer has stopped its thread, and no other.
"""

import ctypes
import os
import socket
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, Skip, check, equal, phase, until
from netlab.world import play

RULES = [
    rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
    rule("later", "239.1.1.2", 5000, [("r1", "239.2.1.2")], interface="absent0"),
]


class Manager:
    """The receiving end of sd_notify(3)."""

    def __init__(self, world):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(world.path("notify"))
        os.environ["NOTIFY_SOCKET"] = world.path("notify")
        self.heard = []

    def listen(self, seconds):
        """True if something was said; it is in `heard`."""
        self._socket.settimeout(seconds)
        try:
            self.heard += self._socket.recv(4096).decode().splitlines()
            return True
        except TimeoutError:
            return False

    def hears(self, line, seconds=10):
        """Waits for a line that begins so, and returns it; forgets those before."""
        def heard():
            while not any(each.startswith(line) for each in self.heard):
                if not self.listen(0.1):
                    return None
            at = next(i for i, each in enumerate(self.heard) if each.startswith(line))
            found, self.heard = self.heard[at], self.heard[at + 1:]
            return found
        return until(heard, lambda: f"the daemon says {line}: {self.heard}", seconds)

    def nothing_but(self, allowed, seconds):
        """What is said in so many seconds."""
        while self.listen(0.001):
            pass
        self.heard.clear()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.listen(0.1)
        wrong = [each for each in self.heard if not each.startswith(tuple(allowed))]
        equal(wrong, [], "what the daemon said meanwhile")


class Tracer:
    """Stops one thread of a process (ptrace(2))."""

    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, process, name):
        self._libc = ctypes.CDLL(None, use_errno=True)
        tasks = f"/proc/{process.pid}/task"
        self._thread = next(
            int(task) for task in os.listdir(tasks)
            if open(f"{tasks}/{task}/comm", encoding="utf-8").read().strip() == name
        )
        if self._ask(self.SEIZE) != 0:
            raise Skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
        self._ask(self.INTERRUPT)
        os.waitpid(self._thread, self.WALL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ask(self.DETACH)

    def _ask(self, request):
        return self._libc.ptrace(ctypes.c_long(request), ctypes.c_long(self._thread), None, None)


def states(daemon):
    return [worker["state"] for worker in daemon.status()["workers"]]


def story(world):
    world.line()
    manager = Manager(world)

    phase("start")
    daemon = Daemon(world, config(*RULES, workers=2)).start(active=False)
    equal(manager.hears("STATUS"), "STATUS=1 rule active, 1 waiting", "status line")
    manager.hears("READY=1")
    equal(daemon.rule("one")["state"], "active", "the rule, once ready")
    manager.hears("WATCHDOG=1")

    phase("reloads, good and bad")
    daemon.reload(config(*RULES[:1], workers=2))
    manager.hears("RELOADING=1")
    manager.hears("MONOTONIC_USEC=")
    equal(manager.hears("STATUS"), "STATUS=1 rule active", "status line")
    manager.hears("READY=1")
    daemon.configure("[daemon\n")
    check(daemon.try_reload().returncode != 0, "a broken config fails the reload")
    manager.hears("RELOADING=1")
    manager.hears("READY=1")

    phase("a worker is stuck: status, log, watchdog")
    with Tracer(daemon.process, "mcr-worker-1"):
        until(lambda: states(daemon) == ["running", "stuck"], "worker 1, and no other, is stuck")
        manager.nothing_but((), 2.5)
        text = world.call("status", "--socket", daemon.socket).stdout
        check("1 worker stuck" in text, f"mcr status says so:\n{text}")

    phase("it goes on")
    until(lambda: states(daemon) == ["running", "running"], "both workers run")
    manager.hears("WATCHDOG=1")
    manager.nothing_but(("WATCHDOG=1",), 1.5 * PATIENCE)
    equal(daemon.log().count("worker 1 is stuck"), 1, "log lines about it")
    equal(daemon.log().count("worker 1 goes on"), 1, "log lines about its return")

    phase("stop")
    daemon.stop()
    manager.hears("STOPPING=1")


play(story, 60)
