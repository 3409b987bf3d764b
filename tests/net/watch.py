#!/usr/bin/env python3
"""`mcr status --watch`: a page on a terminal, frames on a pipe; `mcr status RULE`: what to do.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, check, equal, phase, until
from netlab.traffic import Gen
from netlab.world import play

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class Terminal:
    """`mcr ARGS` on a pseudo terminal, with more in its environment."""

    def __init__(self, world, *args, columns=80, **environment):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", "relay", world.mcr, *args], stdin=slave, stdout=slave,
            stderr=slave, env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **environment},
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
        self.text = ""

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.text += os.read(self.master, 65536).decode(errors="replace")
        return self.text

    def page(self):
        """The last one that is complete."""
        pages = self.read().split("\x1b[H")
        return pages[-1] if pages[-1].endswith("\x1b[J") else pages[-2] if len(pages) > 2 else ""

    def order(self):
        """Rules from top to bottom."""
        rows = self.page().replace("\x1b[K", "").split("\r\n")
        heads = [i for i, row in enumerate(rows) if row.startswith("RULE")]
        return [row.split()[0] for row in rows[heads[0] + 1:] if row.strip()][:3] if heads else []

    def key(self, key):
        os.write(self.master, key.encode())

    def ended(self):
        """Exit code; the terminal is as it was."""
        try:
            code = self.process.wait(10 * PATIENCE)
        finally:
            self.process.kill()
        check(self.read().endswith(LEAVE), f"the screen is given back: {self.text[-200:]!r}")
        equal(termios.tcgetattr(self.slave), self.before, "the terminal's settings")
        return code


def on_a_terminal(world, daemon):
    screen = Terminal(world, "status", "--watch", "0.2", "--socket", daemon.socket)
    until(lambda: screen.order() == ["lost", "beta", "alpha"], lambda: f"by rate: {screen.read()!r}")
    check(screen.text.startswith(ENTER), "the alternate screen")
    rows = screen.page().replace("\x1b[K", "").replace("\x1b[J", "").split("\r\n")
    plain = [re.sub(r"\x1b\[\d*m", "", row) for row in rows]
    check(all(len(row) <= 80 for row in plain) and len(plain) <= 24, f"80 by 24: {rows}")
    check("\x1b[33mwaiting\x1b[0m" in screen.page(), f"trouble is coloured: {rows}")
    check("nowhere0 does not exist" in screen.page(), f"the reason: {rows}")
    until(lambda: "output_down" in screen.page(), lambda: f"the drops: {screen.page()!r}")
    screen.key("n")
    until(lambda: screen.order() == ["lost", "alpha", "beta"], lambda: f"by name: {screen.page()!r}")
    screen.key("d")
    until(lambda: screen.order() == ["lost", "beta", "alpha"], lambda: f"by drops: {screen.page()!r}")
    check("order: drops" in screen.page(), f"the order is shown: {screen.page()!r}")
    screen.key("/")
    screen.key("nowh")
    until(lambda: "search: nowh_" in screen.page() and "lost" in screen.page()
          and "alpha" not in screen.page(), lambda: f"searched: {screen.page()!r}")
    screen.key("\x1b")
    until(lambda: screen.order() == ["lost", "beta", "alpha"],
          lambda: f"all again: {screen.page()!r}")
    screen.key("\x1b[B")  # down: all fit, so nothing moves
    screen.key("q")
    equal(screen.ended(), 0, "exit code after q")

    bare = Terminal(world, "status", "--watch", "0.2", "--socket", daemon.socket, columns=120,
                    NO_COLOR="1")
    until(lambda: "nowhere0 does not exist" in bare.page(), lambda: f"a page: {bare.read()!r}")
    check("\x1b[3" not in bare.page(), f"no colour with NO_COLOR: {bare.page()!r}")
    check("LAST MINUTE" in bare.page() and "\u2588" in bare.page(),
          f"the last minute: {bare.page()!r}")
    bare.key("q")
    equal(bare.ended(), 0, "exit code after q")

    small = Terminal(world, "status", "--watch", "0.2", "--socket", daemon.socket, columns=40)
    until(lambda: small.order() == ["lost", "beta", "alpha"], lambda: f"a small page: {small.read()!r}")
    rows = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", small.page()).split("\r\n")
    check(all(len(row) <= 40 for row in rows) and len(rows) <= 24, f"40 by 24: {rows}")
    check("waiting" in small.page() and "q quits" in small.page(), f"what matters: {rows}")
    small.key("q")
    equal(small.ended(), 0, "exit code after q")

    one = Terminal(world, "status", "beta", "--watch", "0.2", "--socket", daemon.socket)
    until(lambda: "beta: active" in one.page(), lambda: f"one rule: {one.read()!r}")
    check("last minute" in one.page() and "\u2588" in one.page(), f"its last minute: {one.page()!r}")
    one.key("\x03")
    equal(one.ended(), 0, "exit code after Ctrl-C")


def on_a_pipe(world, daemon):
    frames = world.start("watch", ["status", "--watch", "0.2", "--socket", daemon.socket], "relay")
    until(lambda: frames.out().count("RULE ") >= 3, "three frames")
    frames.signal(signal.SIGINT)
    frames.wait(5)
    check("\x1b" not in frames.out(), "no escapes on a pipe")
    check("\n\nmcr " in frames.out(), f"frames stand apart: {frames.out()!r}")


def some_rules(world, daemon):
    """By state, by pattern; "1 rule"."""
    waiting = world.call("status", "--state", "waiting", "--socket", daemon.socket).stdout
    check(waiting.startswith("1 rule: 1 waiting\n") and "alpha" not in waiting, waiting)
    found = world.call("status", "*a", "--socket", daemon.socket).stdout
    check(found.startswith("2 rules: 2 active\n") and "lost" not in found, found)
    none = world.call("status", "--state", "failed", "--socket", daemon.socket).stdout
    equal(none, "no rule matches\n", "what no rule matches")
    listed = json.loads(world.call("status", "b*", "--json", "--socket", daemon.socket).stdout)
    equal([each["name"] for each in listed], ["beta"], "rules as JSON")
    equal(world.call("status", "--state", "wating", "--socket", daemon.socket).returncode, 64,
          "exit code with a state that is none")


def what_to_do(world, daemon):
    text = " ".join(world.call("status", "lost", "--socket", daemon.socket).stdout.split())
    for words in ("lost: waiting", "interface nowhere0 does not exist", "what to do",
                  "create nowhere0, or correct its name"):
        check(words in text, f"{words!r}: {text}")
    text = " ".join(world.call("status", "alpha", "--socket", daemon.socket).stdout.split())
    check("tcpdump -c 5 -ni r0 udp port 5000 and host 239.1.1.1" in text, text)
    gone = world.call("status", "nosuch", "--socket", daemon.socket)
    equal(gone.returncode, 64, "exit code of `mcr status` of a rule that is not there")


def the_daemon_goes(world, daemon):
    screen = Terminal(world, "status", "--watch", "0.2", "--socket", daemon.socket)
    until(lambda: screen.order(), "a page")
    daemon.stop()
    until(lambda: "no daemon answers" in screen.page(), lambda: f"it is told: {screen.page()!r}")
    screen.process.send_signal(signal.SIGTERM)
    equal(screen.ended(), 0, "exit code after SIGTERM")
    absent = world.call("status", "--watch", "--socket", daemon.socket)
    equal(absent.returncode, 69, "exit code of --watch without a daemon")


def story(world):
    world.line()
    daemon = Daemon(world, config(
        rule("alpha", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
        rule("beta", "239.1.1.2", 5000, [("r1", "239.2.1.2"), ("nowhere0", "239.2.1.2")]),
        rule("lost", "239.1.1.3", 5000, [("r1", "239.2.1.3")], interface="nowhere0"),
    )).start(active=False)
    until(lambda: daemon.rule("beta")["state"] == "active", "the rules start")
    phase("what to do about a rule")
    what_to_do(world, daemon)
    phase("some of the rules")
    some_rules(world, daemon)
    gen = Gen(world, "239.1.1.2", 5000, rate=500, duration=60)
    until(lambda: daemon.rule("beta")["rate_pps"] > 100, "traffic")
    phase("on a terminal: order, keys, the terminal as it was")
    on_a_terminal(world, daemon)
    phase("on a pipe")
    on_a_pipe(world, daemon)
    gen.stop()
    phase("the daemon goes")
    the_daemon_goes(world, daemon)


play(story, 45)
