#!/usr/bin/env python3
"""`expect`: a stream that comes, and is not as it should be, makes its rule `degraded`.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

Each reason appears with the fault that it names, and goes when the fault is gone: loss, continuity
errors, a missing PID, too few and too many bits, what MCR itself has dropped. Silence comes first.
One line in the log when it begins, one when it ends.
"""

import re
import signal

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import check, equal, phase, until
from netlab.ledger import Ledger
from netlab.world import play

GROUP, PORT, SIZE = "239.1.1.1", 5000, 1328
EXPECT = ('inspect = "auto"\nexpect = { max_loss = "0.1%", max_cc_errors = 2, min_bps = "4 Mbit",'
          ' max_bps = "14 Mbit", pids = [256, 257], within = "3s" }\n')


class Sender:
    """One stream after the other; each is RTP, 10.6 Mbit/s at a thousand a second."""

    def __init__(self, world):
        self.world, self.process = world, None

    def send(self, *args, rate=1000):
        self.stop()
        self.process = self.world.start(
            "gen", ["gen", "--interface", "g0", "--group", GROUP, "--port", PORT, "--rtp",
                    "--duration", 120, "--rate", rate, "--json", *args], "gen")

    def stop(self):
        if self.process:
            self.process.signal(signal.SIGTERM)
            self.process.wait(10)
        self.process = None


def lines(daemon):
    """What the log says of begins and ends."""
    return [line for line in daemon.log().splitlines() if "rule degraded" in line]


def degraded(daemon, pattern):
    def told():
        entry = daemon.rule("stream")
        return entry["state"] == "degraded" and re.search(pattern, entry["reason"])
    until(told, lambda: f"a reason like {pattern!r}: {daemon.rule('stream')}"[:600], 20)
    check("rule degraded:" in lines(daemon)[-1], f"the log says that it begins: {lines(daemon)}")


def well(daemon):
    until(lambda: daemon.rule("stream")["state"] == "active",
          lambda: f"the rule is well: {daemon.rule('stream')}"[:600], 20)
    equal(daemon.rule("stream")["reason"], "", "reason of a rule that is well")
    check("degraded no more" in lines(daemon)[-1], f"the log says that it ends: {lines(daemon)}")


def clean(daemon, sender):
    sender.send("--ts")
    received = daemon.rule("stream")["rx_datagrams"]
    until(lambda: daemon.rule("stream")["rx_datagrams"] > received + 5000, "a window passes", 20)
    equal(daemon.rule("stream")["state"], "active", "state with a clean stream")
    equal(lines(daemon), [], "lines of the log")


def faults(world, daemon, sender):
    for what, pattern, rate, *args in (
        ("loss", r"^\d+ of \d+ datagrams lost in [34] s \(.*%, at most 0\.1% expected\); last \d s ago",
         1000, "--ts", "--defect", "loss:every=100"),
        ("continuity errors", r"^\d+ TS continuity errors on PID 257 in [1-4] s, at most 2 expected; last",
         1000, "--ts", "--defect", "cc:257:every=100"),
        ("no PIDs", r"^PIDs 256, 257 missing for [34] s$", 1000, "--size", SIZE),
        ("too few bits", r"^\S+ Mbit/s over [34] s, expected at least 4 Mbit/s$", 200, "--ts"),
        ("too many bits", r"^\S+ Mbit/s over [34] s, expected at most 14 Mbit/s$", 2000, "--ts"),
    ):
        phase(f"a stream with {what}, and one without")
        sender.send(*args, rate=rate)
        degraded(daemon, pattern)
        if what == "loss":
            shown(world, daemon)
        sender.send("--ts")
        well(daemon)


def shown(world, daemon):
    def text(*args):
        return world.call("status", *args, "--socket", daemon.socket)
    check("ATTENTION" in text().stdout and "datagrams lost" in text().stdout, text().stdout)
    check("degraded" in text("--state", "degraded").stdout, text("--state", "degraded").stdout)
    check("mcr inspect stream" in text("stream").stdout, text("stream").stdout)
    equal(text("--health").returncode, 69, "exit code of mcr status --health")
    equal(daemon.rule("stream")["expect"]["max_loss_percent"], 0.1, "expect in JSON")
    metrics = world.run_program("http_client", 9464, "GET", "/metrics", namespace="relay")
    state = 'mcr_rule_state{rule="stream",state="degraded"} 1'
    check(state in metrics, "metrics know the state")
    lost = re.search(r"^mcr_stream_lost_total\{.*\} (\d+)$", metrics, re.MULTILINE)
    check(lost and int(lost[1]) > 0, f"metrics count the loss: {lost}")


def own_loss(world, daemon):
    phase("MCR stands still: its own socket overflows, and the path is not blamed")
    def socket_drops():
        text = world.sh("ss -0 -m", "relay")
        return sum(int(n) for n in re.findall(r"skmem:\(.*?,d(\d+)\)", text))
    daemon.process.signal(signal.SIGSTOP)
    try:
        until(lambda: socket_drops() > 200, "the receive socket overflows", 15)
    finally:
        daemon.process.signal(signal.SIGCONT)
    degraded(daemon, r"datagrams lost in .*; MCR itself dropped \d+ frames at its receive socket meanwhile")
    well(daemon)


def silence(daemon, sender):
    phase("a stream that is lossy falls silent: silence comes first")
    sender.send("--ts", "--defect", "loss:every=100")
    degraded(daemon, "datagrams lost")
    sender.stop()
    until(lambda: daemon.rule("stream")["state"] == "silent", "the rule is silent")
    check("no datagram for" in daemon.rule("stream")["reason"], daemon.rule("stream")["reason"])
    until(lambda: "state=silent" in lines(daemon)[-1], "the log says what came after")
    sender.send("--ts")
    until(lambda: daemon.rule("stream")["state"] == "active", "the rule is heard again")
    received = daemon.rule("stream")["rx_datagrams"]
    until(lambda: daemon.rule("stream")["rx_datagrams"] > received + 4000, "a window passes", 20)
    equal(daemon.rule("stream")["state"], "active", "the old loss is forgotten")


def story(world):
    by_the_worker("what is inspected does not take the kernel's way")
    world.line()
    world.sh("ip -n relay link set lo up")
    text = config(rule("stream", GROUP, PORT, [("r1", "239.2.1.1")]) + EXPECT, buffers="208 KiB",
                  extra='metrics = "127.0.0.1:9464"')
    daemon = Daemon(world, text).start(active=False)
    ledger = Ledger(world, daemon, size=SIZE)
    sender = Sender(world)

    phase("a stream that is as it should be")
    clean(daemon, sender)
    faults(world, daemon, sender)
    own_loss(world, daemon)
    silence(daemon, sender)

    phase("as many ends as begins")
    sender.stop()
    begins = [line for line in lines(daemon) if "rule degraded:" in line]
    equal(len(lines(daemon)), 2 * len(begins), f"begins and ends: {lines(daemon)}")
    ledger.settle()


play(story, 150)
