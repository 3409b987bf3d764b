#!/usr/bin/env python3
"""The log: priorities for the journal, details as key=value, repeats counted, loss pointed at.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import os
import re
import signal
import subprocess

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


def story(world):
    world.line()
    phase("priorities where, and only where, stderr is the journal")
    in_the_journal(world)

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
