#!/usr/bin/env python3
"""`events`: `mcr events` tells what happens, as it happens, and a reader that is slow is told what it
has missed, and costs the relay nothing.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import json
import os
import signal
import socket

from netlab.daemon import Daemon, config, rule
from netlab.expect import SANITIZED, check, equal, phase, until
from netlab.world import play

ONE = rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
TWO = rule("two", "239.1.1.2", 5000, [("r1", "239.2.1.2")])


class Reader:
    """`mcr events` in the background."""

    def __init__(self, world, daemon, *options):
        self.process = world.start("events", ["events", "--socket", daemon.socket, *options], "relay")
        self.old = 0  # events told before this phase

    def events(self):
        return [json.loads(line) for line in self.process.out().splitlines() if line.endswith("}")]

    def wait_for(self, **wanted):
        """The first event of this phase with these values."""
        def found():
            return [e for e in self.events()[self.old:]
                    if all(e.get(key) == value for key, value in wanted.items())]
        until(found, lambda: f"event {wanted}: {self.events()} {self.process.err()}")
        return found()[0]

    def begin(self, what):
        phase(what)
        self.old = len(self.events())


def rules_and_reloads(world, daemon, reader):
    daemon.reload(config(ONE, TWO))
    equal(reader.wait_for(event="reload")["state"], "done", "the reload")
    equal(reader.wait_for(event="reload")["reason"], "+1 -0 ~0 =1", "its difference")
    equal(reader.wait_for(event="rule", rule="two")["state"], "active", "the new rule")
    world.sh("ip link set r1 down", "relay")
    down = reader.wait_for(rule="one", state="waiting")
    equal(down["before"], "active", "what it was before")
    check("r1" in down["reason"], f"it says why: {down}")
    world.sh("ip link set r1 up", "relay")
    up = reader.wait_for(rule="one", state="active", before="waiting")
    check(up["id"] > down["id"], "ids grow")
    daemon.configure(config(ONE) + "nonsense = 1\n")
    check(daemon.try_reload().returncode == 78, "a wrong configuration is refused")
    refused = reader.wait_for(event="reload", state="refused")
    check("nonsense" in refused["reason"], f"it says what is wrong: {refused}")
    daemon.reload(config(ONE))
    equal(reader.wait_for(rule="two", state="removed")["before"], "active", "the rule that is gone")


def joins(world, daemon, reader):
    world.sysctl("relay", "net.ipv4.igmp_max_memberships", 0)
    daemon.reload(config(ONE, TWO))
    failed = reader.wait_for(event="join", state="failed")
    equal((failed["group"], failed["interface"], failed["errno"]), ("239.1.1.2", "r0", "ENOBUFS"),
          "the join")
    equal(reader.wait_for(rule="two", state="failed")["errno"], "ENOBUFS", "the rule's errno")
    world.sysctl("relay", "net.ipv4.igmp_max_memberships", 20)
    reader.wait_for(event="join", state="joined", group="239.1.1.2")
    reader.wait_for(rule="two", state="active", before="failed")


def losses(world, daemon, reader):
    world.sh("tc qdisc replace dev r1 root tbf rate 1mbit burst 2kb limit 3kb", "relay")
    world.call("gen", "--interface", "g0", "--group", "239.1.1.1", "--port", 5000, "--size", 1000,
               "--count", 2000, "--rate", 10000, namespace="gen")
    begun = reader.wait_for(event="loss", state="begun")
    check(begun["count"] > 0 and begun["where"], f"it says where: {begun}")
    world.sh("tc qdisc del dev r1 root", "relay")
    until(lambda: any(e.get("state") == "ended" for e in reader.events()), "the loss is over", 30)


def readers(world, daemon, reader):
    at = ("--socket", daemon.socket)
    everything = reader.events()
    done = world.call("events", "--json", "--since", 0, "--count", len(everything), *at)
    again = [json.loads(line) for line in done.stdout.splitlines()]
    equal(again[0]["event"], "start", "the first of all events")
    third = everything[2]
    done = world.call("events", "--json", "--since", third["id"], "--count", 2, *at)
    equal([json.loads(line) for line in done.stdout.splitlines()], everything[3:5],
          "events after an id")
    done = world.call("events", "--since", third["id"], "--count", 1, *at)
    check(done.stdout.startswith(everything[3]["time"]), f"a line for people: {done.stdout}")
    done = world.call("events", "--json", "--since", 5, "--count", 2, *at)
    kinds = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    equal(kinds, ["gap", "start"], "what follows an id of an earlier run")
    for wrong in ("x", -1):
        equal(world.call("events", "--since", wrong, *at).returncode, 64, f"exit code of the id {wrong}")
    for wrong in ("x", -1, 1.5, None):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(daemon.socket)
            client.sendall(json.dumps({"command": "events", "since": wrong}).encode() + b"\n")
            equal(json.loads(client.makefile().readline()), {"ok": False, "exit": 64, "error": "`since` is no id"},
                  f"the answer to the id {wrong}")


def slow_readers(world, daemon):
    """They ask, and read nothing, while more happens than the ring holds."""
    slow = []
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX)
        client.connect(daemon.socket)
        client.sendall(b'{"command":"events"}\n')
        slow.append(client)
    many = [rule(f"r{i}", f"239.3.{i // 250}.{i % 250 + 1}", 5000, [("r1", f"239.4.{i // 250}.{i % 250 + 1}")],
                 interface="nowhere0") for i in range(1500)]
    before = daemon.resident_kib()
    for _ in range(6):
        daemon.reload(config(ONE, *many))
        daemon.reload(config(ONE))
    grown = daemon.resident_kib() - before
    check(SANITIZED or grown < 40_000, f"the relay grew by {grown} KiB")  # a sanitizer keeps what is freed
    equal(daemon.ask_status().returncode, 0, "exit code of status")
    client = slow[-1]
    client.settimeout(10)
    lines = client.makefile()
    check(json.loads(next(lines))["ok"], "the stream begins")
    gaps = 0
    last = 0
    for line in lines:
        event = json.loads(line)
        if event["event"] == "gap":
            gaps += 1
            equal(event["id"] - last, event["missed"], "a gap is as wide as it says")
        elif last:
            equal(event["id"], last + 1, "ids without a gap")
        last = event["id"]
        if event.get("reason", "").startswith("+0 -1500") and gaps:
            break
    equal(gaps, 1, "gaps of a reader that read nothing for a while")
    for client in slow:
        client.close()


def pager_that_hangs(world, daemon):
    """It goes on until the file is there."""
    script = world.write("hangs", f"#!/bin/sh\nwhile [ ! -e {world.path('enough')} ]; do sleep 0.1; done\n")
    os.chmod(script, 0o755)
    return world.start("hangs", ["events", "--socket", daemon.socket, "--since", 0, "--count", 2, "--exec", script],
                       "relay")


def pager(world, daemon):
    """--exec: one process an event, one at a time, no shell."""
    log = world.path("paged")
    script = world.write("pager; true", "#!/bin/sh\necho \"$MCR_EVENT_EVENT $MCR_EVENT_RULE"
                         f" $MCR_EVENT_STATE $(cat)\" >> {log}\nexit 3\n")
    os.chmod(script, 0o755)
    process = world.start("pager", ["events", "--socket", daemon.socket, "--exec", script], "relay")

    def paged():
        if not os.path.exists(log):
            return []
        with open(log, encoding="utf-8") as file:
            return file.read().splitlines()

    def once():
        daemon.reload(config(ONE, TWO))
        daemon.reload(config(ONE))
        return any(line.startswith("rule two removed {") for line in paged())
    until(once, lambda: f"the program is run: {paged()} {process.err()}")
    check(any(json.loads(line.split(" ", 3)[3])["rule"] == "two" for line in paged()
              if line.startswith("rule two")), "the event is on its standard input")
    check("exited 3: event=" in process.err(), process.err())
    process.signal(signal.SIGTERM)
    process.wait(5)
    done = world.call("events", "--since", 0, "--exec", "/nowhere/at.all", "--socket", daemon.socket)
    equal((done.returncode, done.stderr), (71, "mcr: run /nowhere/at.all: No such file or directory\n"),
          "a program that is not there")


def story(world):
    world.line()
    daemon = Daemon(world, config(ONE)).start()
    reader = Reader(world, daemon, "--json")
    until(lambda: daemon.reload() and reader.events(), "the reader is there")
    reader.begin("rules and reloads")
    rules_and_reloads(world, daemon, reader)
    hangs = pager_that_hangs(world, daemon)
    reader.begin("joins")
    joins(world, daemon, reader)
    reader.begin("losses")
    losses(world, daemon, reader)
    phase("readers that come later")
    readers(world, daemon, reader)
    phase("readers that are slow")
    slow_readers(world, daemon)
    phase("a program for each event")
    pager(world, daemon)
    until(lambda: "has run for 5 s, and later events wait for its end: event=" in hangs.err(),
          lambda: f"a program that hangs is told of: {hangs.err()}")
    world.write("enough", "")
    equal(hangs.wait(10), 0, "exit code after it went on")
    phase("the daemon goes")
    other = Reader(world, daemon, "--json")
    until(lambda: daemon.reload() and other.events(), "the other reader is there")
    daemon.stop()
    equal(other.process.wait(5), 69, "exit code of a reader whose daemon has gone")
    check("has gone" in other.process.err(), other.process.err())


play(story, 120)
