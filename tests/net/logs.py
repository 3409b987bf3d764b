#!/usr/bin/env python3
"""The log: priorities for the journal, details as key=value, repeats counted, loss pointed at, and
a reader that does not read.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import os
import re
import signal
import subprocess
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.traffic import Gen
from netlab.world import play


def rules(count, interface="r0"):
    return [rule(f"rule-{i}", f"239.1.{i // 200}.{i % 200 + 1}", 5000, [("r1", "239.2.1.1")],
                 interface=interface) for i in range(count)]


def in_the_journal(world):
    """stderr as the journal's stream: a socket whose inode JOURNAL_STREAM names."""
    file = world.write("bad.toml", config(*rules(1), extra='log_level = "debug"'))
    out = os.open(world.path("journal"), os.O_CREAT | os.O_RDWR)
    stat = os.fstat(out)
    for stream, prefixed in ((f"{stat.st_dev}:{stat.st_ino}", True), ("1:2", False)):
        os.ftruncate(out, 0)
        process = subprocess.Popen(
            ["ip", "netns", "exec", "relay", world.mcr, "run", "-c", file, "--socket",
             world.path("journal.sock")],
            stderr=os.open(world.path("journal"), os.O_WRONLY | os.O_APPEND),
            env={**os.environ, "JOURNAL_STREAM": stream})
        until(lambda: os.path.getsize(world.path("journal")) > 0 and "runs" in text(world),
              "it runs")
        process.send_signal(signal.SIGTERM)
        equal(process.wait(10), 0, "exit code")
        lines = text(world).splitlines()
        if prefixed:
            check(all(re.match(r"<[3-7]>[^<]", line) for line in lines), f"priorities: {lines}")
            check(any(line.startswith("<5>mcr 0") for line in lines), f"a notice: {lines}")
        else:
            check(all(line.startswith("mcr: ") for line in lines), f"no priorities: {lines}")


def text(world):
    with open(world.path("journal"), encoding="utf-8") as file:
        return file.read()


class FullPipe:
    """A pipe that nobody reads, full from the start."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.fill()

    def fill(self):
        os.set_blocking(self.writer, False)
        for size in (4096, 1):
            try:
                while True:
                    os.write(self.writer, b"." * size)
            except BlockingIOError:
                pass
        os.set_blocking(self.writer, True)

    def read(self):
        text = b""
        try:
            while True:
                text += os.read(self.reader, 65536)
        except BlockingIOError:
            return text.decode().replace(".....", "")

    def run(self, world, file, socket):
        return subprocess.Popen(
            ["ip", "netns", "exec", "relay", world.mcr, "run", "-c", file, "--socket", socket],
            stderr=self.writer)


def unread(world):
    """stderr is a full pipe: the daemon starts, answers, reloads and stops all the same."""
    file = world.write("unread.toml", config(*rules(1), extra='log_level = "debug"'))
    socket = world.path("unread.sock")
    pipe = FullPipe()
    process = pipe.run(world, file, socket)

    def asked(*command):
        return world.call(*command, "--socket", socket)

    until(lambda: asked("status", "--json").returncode == 0, "status answers")
    for _ in range(3):
        equal(asked("reload").returncode, 0, "exit code of reload")
        process.send_signal(signal.SIGHUP)
    equal(asked("status", "--json").returncode, 0, "exit code of status")
    seen = []
    until(lambda: seen.append(pipe.read()) or "reloaded" in "".join(seen),
          lambda: f"the log comes when it is read: {''.join(seen)}")
    pipe.fill()

    phase("a start that fails, its message unread, is ended by SIGTERM")
    second = pipe.run(world, file, socket)
    time.sleep(0.5)
    second.send_signal(signal.SIGTERM)
    check(second.wait(5) in (-signal.SIGTERM, 69), f"exit code {second.returncode}")

    phase("SIGTERM ends a daemon whose log nobody reads")
    process.send_signal(signal.SIGTERM)
    equal(process.wait(5), 0, "exit code")


def story(world):
    world.line()
    phase("priorities where, and only where, stderr is the journal")
    in_the_journal(world)

    phase("stderr is a full pipe")
    unread(world)

    phase("thousands of lines of a kind are held back and counted")
    world.sysctl("relay", "net.ipv4.igmp_max_memberships", 0)
    count = 400
    daemon = Daemon(world, config(*rules(count))).start(active=False)
    until(lambda: "failed" in daemon.log(), "joins fail")
    check("group=239.1.0.1 interface=r0 error=" in daemon.log(), daemon.log()[-3000:])
    check(daemon.log().count("error: join") <= 21, f"few lines: {daemon.log()[-3000:]}")
    until(lambda: re.search(r"error: join .*\(\d+ more\)", daemon.log()), "they are counted", 15)
    world.sysctl("relay", "net.ipv4.igmp_max_memberships", 20)

    phase("log_level changes on reload, and nothing is logged per packet")
    daemon.stop()
    daemon = Daemon(world, config(*rules(1), extra='log_level = "warning"')).start()
    check("runs" not in daemon.log(), f"no notices at warning: {daemon.log()}")
    daemon.reload(config(*rules(1), extra='log_level = "debug"'))
    until(lambda: "reloaded" in daemon.log(), lambda: f"debug shows more: {daemon.log()}")
    before = len(daemon.log().splitlines())
    Gen(world, "239.1.0.1", 5000, rate=scaled(2000), count=scaled(2000)).wait()
    Gen(world, "239.1.0.1", 5001, rate=scaled(2000), count=scaled(2000)).wait()
    check(len(daemon.log().splitlines()) - before < 3, f"traffic is silent: {daemon.log()[-3000:]}")

    phase("loss outside us is pointed at")
    world.sh("tc -n relay qdisc replace dev r1 root tbf rate 1mbit burst 2kb limit 3000", ok=False)
    if "tbf" in world.sh("tc -n relay qdisc show dev r1"):
        Gen(world, "239.1.0.1", 5000, rate=scaled(2000), count=scaled(2000)).wait()
        until(lambda: "the queueing discipline dropped" in daemon.log(),
              lambda: f"the loss is told: {daemon.log()[-2000:]}", 25)
        line = [x for x in daemon.log().splitlines() if "queueing discipline" in x][0]
        check(re.search(r"frames=\d+ interface=r1 do=\"tc -s qdisc show dev r1\"", line), line)
    else:
        print("   left out: this kernel has no tbf")
    equal(sorted(daemon.status()["host"]), ["softnet_dropped", "softnet_squeezed"], "host")

    phase("totals that are asked for are told whatever the level")
    daemon.reload(config(*rules(1), extra='log_level = "error"'))
    daemon.process.signal(signal.SIGUSR1)
    until(lambda: "notice: totals: received" in daemon.log(), lambda: daemon.log()[-1000:])
    daemon.stop()
    check("stopped after" in daemon.log(), daemon.log()[-1000:])


play(story, 60)
