#!/usr/bin/env python3
"""What goes wrong at start: a clear message, the right exit code (sysexits.h).

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import os
import re
import socket

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase
from netlab.process import program
from netlab.world import play

NO_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
GOOD = config(rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")]))


class Trial:
    """Runs mcr and judges its exit code and its words; `verdict` fails for all that was wrong."""

    def __init__(self, world):
        self.world = world
        self.good = world.write("good.toml", GOOD)
        self.socket = world.path("trial.sock")
        self._wrong = []

    def __call__(self, what, code, words, *args, prefix=()):
        done = self.world.call(*args, prefix=prefix, seconds=10)
        said = (done.stderr + done.stdout).strip()
        print(f"{what}: exit {done.returncode}, says: {said.splitlines()[0] if said else ''}")
        if done.returncode != code:
            self._wrong.append(f"{what}: exit code {done.returncode}, not {code}: {said[-1500:]}")
        for word in words:
            if not re.search(word, said, re.I):
                self._wrong.append(f"{what}: no /{word}/ in {said[-1500:]!r}")
        if "terminate called" in said or "Sanitizer" in said:
            self._wrong.append(f"{what}: {said[-6000:]}")

    def verdict(self):
        check(not self._wrong, "\n".join(self._wrong))

    def run(self, what, code, words, file=None, prefix=(), path=None):
        self(what, code, words, "run", "-c", file or self.good, "--socket", path or self.socket,
             prefix=prefix)


def usage(trial):
    trial("no command", 64, ())
    trial("an unknown command", 64, ("frobnicate",), "frobnicate")
    trial("an unknown option", 64, ("--frobnicate",), "run", "--frobnicate")
    trial("gen without a group", 64, ("group",), "gen", "--interface", "r0", "--port", "5000")
    trial("--help", 0, ("run", "check", "reload", "status", "gen", "sink"), "--help")
    trial("--version", 0, (r"\d+\.\d+",), "--version")
    for command in ("run", "check", "reload", "status", "gen", "sink"):
        trial(f"{command} --help", 0, ("--help",), command, "--help")


def configs(world, trial):
    position = r":\d+:\d+: "
    malformed = world.write("malformed.toml", "[daemon\nworkers = 1\n")
    garbage = world.write("garbage.toml", bytes(range(256)) * 64)
    refused = world.write(
        "refused.toml",
        GOOD + rule("one", "10.0.0.1", 0, [("r1", "239.2.1.1")]) + '[deamon]\ncolour = "red"\n',
    )
    os.makedirs(world.path("directory.toml"))
    os.mkfifo(world.path("fifo.toml"))
    for command in ("run", "check"):
        arguments = ["--socket", trial.socket] if command == "run" else []

        def judge(what, words, file, command=command, arguments=arguments):
            trial(f"{command}: {what}", 78, words, command, "-c", file, *arguments)

        judge("missing config", ("absent.toml", "no such file"), world.path("absent.toml"))
        judge("malformed config", ("malformed.toml" + position,), malformed)
        judge("binary garbage", ("garbage.toml",), garbage)
        judge("refused config", ("refused.toml" + position, "daemon"), refused)
        judge("a directory", ("directory.toml",), world.path("directory.toml"))
        judge("a FIFO", ("fifo.toml",), world.path("fifo.toml"))
    unreadable = world.write("unreadable.toml", GOOD)
    os.chmod(unreadable, 0)
    trial("check: unreadable config", 78, ("unreadable.toml", "permission denied"), "check", "-c",
          unreadable, prefix=NO_CAPABILITIES)
    trial("check: a good config, without privileges", 0, (), "check", "-c", trial.good,
          prefix=NO_CAPABILITIES)


def sockets(world, trial):
    trial("no daemon, status", 69, ("trial.sock",), "status", "--socket", trial.socket)
    trial("no daemon, reload", 69, ("trial.sock",), "reload", "--socket", trial.socket)
    plain = world.write("plain.sock", "not a socket\n")
    trial.run("a socket path that is a file", 71, ("plain.sock",), path=plain)
    with open(plain, encoding="utf-8") as file:
        equal(file.read(), "not a socket\n", "the file at the socket's path")
    trial.run("a socket path below a file", 71, ("plain.sock",), path=world.path("plain.sock/x"))

    phase("a stale socket is replaced; a live one is not")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(world.path("first.sock"))
    stale.close()
    first = Daemon(world, GOOD, name="first").start()
    trial.run("another daemon running", 69, ("first.sock",), path=first.socket)
    equal(first.rule("one")["state"], "active", "the first daemon's rule afterwards")
    unknown = world.call("status", "nothing", "--socket", first.socket)
    check(unknown.returncode != 0 and "nothing" in unknown.stderr,
          f"status of an unknown rule fails and names it: {unknown}")
    first.stop()


def story(world):
    world.line()
    trial = Trial(world)
    phase("usage")
    usage(trial)
    phase("configs")
    configs(world, trial)
    phase("sockets")
    sockets(world, trial)
    phase("no permission")
    trial.run("no CAP_NET_RAW", 77, ("CAP_NET_RAW",), prefix=NO_CAPABILITIES)
    absent = world.write("absent-if.toml", GOOD.replace('"r0"', '"nowhere0"'))
    trial.run("no CAP_NET_RAW, interface missing", 77, ("CAP_NET_RAW",), absent, NO_CAPABILITIES)
    phase("no io_uring")
    trial.run("io_uring forbidden", 69, ("io_uring", "seccomp"),
              prefix=program("without_io_uring"))
    phase("zero rules are valid")
    Daemon(world, "", name="idle").start().stop()
    trial.verdict()
    check(not os.path.exists(trial.socket), "a daemon that did not start left its socket behind")


play(story, 45)
