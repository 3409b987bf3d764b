#!/usr/bin/env python3
"""`rules`: rules are added, changed and removed while the relay runs. Each verb may be repeated, what
is refused or killed has changed nothing, and a reload finds what the verbs have made.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import concurrent.futures
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play

STAYS = rule("stays", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
FOLDERS = 'state = "{0}/state"\nruntime = "{0}/run"'


class Relay:
    """A relay and its verbs."""

    def __init__(self, world, name="relay", *rules):
        self.world = world
        text = config(*rules, extra=FOLDERS.format(world.path(name)))
        os.mkdir(world.path(name))
        self.daemon = Daemon(world, text, name).start()
        self.state = world.path(f"{name}/state/rules.d")
        self.runtime = world.path(f"{name}/run/rules.d")

    def call(self, *args, code=0):
        done = self.world.call(*args, "--socket", self.daemon.socket)
        equal(done.returncode, code, f"exit code of mcr {' '.join(map(str, args))} ({done.stderr})")
        return (done.stdout if code == 0 else done.stderr).strip()

    def add(self, name, group, *more, code=0, verb="add"):
        return self.call("rule", verb, name, "--input", f"interface=r0,group={group},port=5000",
                         "--output", f"interface=r1,group={group.replace('239.1.', '239.2.')}", *more,
                         code=code)

    def files(self):
        return sorted(f for folder in (self.state, self.runtime) if os.path.isdir(folder)
                      for f in os.listdir(folder))

    def names(self):
        return [r["name"] for r in self.daemon.status()["rules"]]

    def nothing_to_reload(self, rules):
        equal(self.daemon.reload(), f"+0 -0 ~0 ={rules}", "what a reload finds")


def verbs(world, relay):
    equal(relay.add("new", "239.1.1.2"), "+1 -0 ~0 =1", "add")
    equal(relay.add("new", "239.1.1.2"), "+0 -0 ~0 =2", "add, again")
    equal(relay.names(), ["stays", "new"], "rules")
    equal(relay.files(), ["new.toml"], "files")
    said = relay.add("new", "239.1.1.3", code=78)
    check("is another one; mcr rule set changes it" in said, said)
    equal(relay.add("new", "239.1.1.3", verb="set"), "+0 -0 ~1 =1", "set")
    equal(relay.call("rule", "set", "new", "--set", "comment=five, or 5", "--set",
                     "expect.min_pps=10"), "+0 -0 ~1 =1", "set of other keys")
    shown = json.loads(relay.call("rule", "show", "new", "--json"))
    equal((shown["comment"], shown["expect"], shown["input"]["group"]),
          ("five, or 5", {"min_pps": 10}, "239.1.1.3"), "the rule")
    check(relay.call("rule", "show", "new").startswith(f"# {relay.state}/new.toml"), "show")
    check('group = "239.1.1.1"' in relay.call("rule", "show", "stays"), "show of a rule elsewhere")
    equal(relay.call("rule", "set", "new", "--unset", "expect", "--unset", "comment"),
          "+0 -0 ~1 =1", "set takes keys away")
    equal(relay.call("rule", "disable", "new"), "+0 -0 ~1 =1", "disable")
    equal(relay.call("rule", "disable", "new"), "+0 -0 ~0 =2", "disable, again")
    equal(relay.daemon.rule("new")["state"], "disabled", "state")
    equal(relay.call("rule", "enable", "new"), "+0 -0 ~1 =1", "enable")
    relay.daemon.wait_active()
    relay.nothing_to_reload(2)
    equal(relay.call("rule", "remove", "new"), "+0 -1 ~0 =1", "remove")
    equal(relay.call("rule", "remove", "new"), "+0 -0 ~0 =1", "remove, again")
    equal(relay.add("temporary", "239.1.1.4", "--runtime"), "+1 -0 ~0 =1", "a rule until the next boot")
    equal(os.listdir(relay.runtime), ["temporary.toml"], "its file")
    relay.nothing_to_reload(2)


def refusals(world, relay):
    before = relay.files()
    for args, words in (
            (("rule", "remove", "stays"), "is already at"),
            (("rule", "enable", "nobody"), "there is no rule nobody"),
            (("rule", "set", "nobody", "--set", "comment=x"), "a rule needs an `input`"),
            (("rule", "add", "x", "--input", "interface=r0,group=239.1.1.1,port=5000", "--output",
              "interface=r1"), 'rule "stays" takes 239.1.1.1:5000 on r0 too'),
            (("rule", "add", "x", "--input", "interface=r0,group=239.1.1.9,prot=5000", "--output",
              "interface=r1"), 'did you mean "port"?'),
            (("rule", "set", "temporary", "--set", "comment=x"), "is already at"),
            (("rule", "add", "stays", "--input", "interface=r0,group=239.1.1.9,port=5000",
              "--output", "interface=r1"), relay.daemon.file)):
        said = relay.call(*args, code=78)
        check(words in said and "nothing has changed" in said, f"{args}: {said}")
    for args in (("rule", "add", "x", "--input", "r0"), ("rule", "show", "nobody"), ("rule",),
                 ("rule", "ad", "x"), ("rule", "add", "x", "--inptu", "a=b")):
        equal(world.call(*args, *(("--socket", relay.daemon.socket) if len(args) > 2 else ())).returncode,
              64, f"exit code of {args}")
    equal(relay.files(), before, "files")
    relay.nothing_to_reload(2)


def batches(world, relay):
    text = "".join(rule(f"b{i}", f"239.1.2.{i}", 5000, [("r1", f"239.2.2.{i}")]) for i in range(1, 51))
    file = world.write("batch.toml", text)
    equal(relay.call("apply", file), "+50 -0 ~0 =2", "apply")
    equal(relay.call("apply", file), "+0 -0 ~0 =52", "apply, again")
    world.write("batch.toml", text + rule("bad", "239.1.1.1", 5000, [("r1", "239.2.1.9")]))
    said = relay.call("apply", file, code=78)
    check('rule "stays" takes' in said, said)
    world.write("batch.toml", text + "[[rule]]\nname = \"worse\"\n")
    lines = text.count("\n") + 1
    check(f"batch.toml:{lines}:1: a rule needs" in relay.call("apply", file, code=78),
          "the place of a mistake")
    world.write("batch.toml", rule("b1", "239.1.2.1", 5001, [("r1", "239.2.2.1")]))
    equal(relay.call("apply", file), "+0 -0 ~1 =51", "apply changes, and leaves the others")
    equal(relay.call("apply", file, "--prune"), "+0 -49 ~0 =3", "apply --prune")
    relay.nothing_to_reload(3)
    relay.call("rule", "remove", "b1")


def racing_writers(world, relay):
    def add(i):
        return relay.add(f"race{i % 20}", f"239.1.3.{i % 20 + 1}")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(add, range(60)))
    equal(sum(s.startswith("+1") for s in said), 20, "adds that added")
    relay.nothing_to_reload(22)
    for i in range(20):
        relay.call("rule", "remove", f"race{i}")


def trace(daemon, call, number):
    """Kills the daemon before the number-th time that it makes that system call."""
    tracer = subprocess.Popen(
        ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
         "-e", f"inject={call}:signal=KILL:when={number}", "-p", str(daemon.process.pid)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def holds():
        with open(f"/proc/{daemon.process.pid}/status", encoding="utf-8") as file:
            return f"TracerPid:\t{tracer.pid}\n" in file.read()
    until(holds, "strace holds the daemon")
    return tracer


def killed(world):
    """The daemon is killed before each of its system calls that change a folder."""
    if not shutil.which("strace"):
        print("no strace here: no kill at each step")
        return
    batch = world.write("three.toml", rule("k2", "239.1.4.2", 5000, [("r1", "239.2.4.2")])
                        + rule("k3", "239.1.4.3", 5000, [("r1", "239.2.4.3")])
                        + rule("k1", "239.1.4.9", 5000, [("r1", "239.2.4.9")]))
    relay = Relay(world, "killed", STAYS)
    daemon = relay.daemon
    relay.add("k1", "239.1.4.1")
    seen, kills = set(), 0
    for call in ("mkdir", "chmod", "openat", "flock", "link", "fchmod", "write", "renameat2",
                 "unlinkat", "close", "rename", "unlink"):
        for number in range(1, 9):
            single = call in ("rename", "unlink")
            tracer = trace(daemon, call, number)
            if single:
                args = ("rule", "set", "k1", "--input", "interface=r0,group=239.1.4.9,port=5000") \
                    if call == "rename" else ("rule", "remove", "k1")
            else:
                args = ("apply", batch)
            done = world.call(*args, "--socket", daemon.socket)
            alive = daemon.process.running and done.returncode == 0
            if alive:
                tracer.terminate()
            tracer.wait(10)
            if not alive:
                kills += 1
                equal(daemon.process.wait(5), -signal.SIGKILL, "how the daemon ended")
            equal(world.call("check", "-c", daemon.file).returncode, 0,
                  f"exit code of mcr check after a kill before {call} {number}")
            names = sorted(f for f in os.listdir(relay.state) if not f.startswith("."))
            text = ""
            if "k1.toml" in names:
                with open(f"{relay.state}/k1.toml", encoding="utf-8") as file:
                    text = file.read()
            state = (len(names), "239.1.4.9" in text)
            check(state in ((1, False), (1, True), (0, False)) if single
                  else state in ((1, False), (3, True)), f"before {call} {number}: {names}: {text}")
            if not single:
                seen.add(state)
            if not alive:
                daemon.start()
            for name in ("k2", "k3"):
                relay.call("rule", "remove", name)
            relay.add("k1", "239.1.4.1", verb="set")
            equal(sorted(os.listdir(relay.state)), ["k1.toml"], "nothing unfinished is left")
            if alive:
                break
    print(f"killed {kills} times")
    check(kills > 10, f"only {kills} kills")
    equal(seen, {(1, False), (3, True)}, "kills came before and after the commit point")
    daemon.stop()


def many(world):
    """As many rules as there can be, one by one by a client that keeps no connection, and as one."""
    count = scaled(10_000)
    relay = Relay(world, "many")

    def ask(request):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(relay.daemon.socket)
            client.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(b"".join(iter(lambda: client.recv(65536), b"")))

    began = time.monotonic()
    for i in range(count):
        answer = ask({"command": "rule", "verb": "add", "name": f"m{i}", "rule": {
            "input": {"interface": "nowhere0", "group": f"239.1.{i // 250}.{i % 250 + 1}", "port": 5000},
            "outputs": [{"interface": "r1"}]}})
        check(answer["ok"], f"rule {i}: {answer}")
    one_by_one = time.monotonic() - began
    equal(len(relay.files()), count, "files")
    text = "".join(rule(f"m{i}", f"239.1.{i // 250}.{i % 250 + 1}", 5001, [("r1", "239.9.9.9")],
                        interface="nowhere0") for i in range(count))
    file = world.write("all.toml", text)
    began = time.monotonic()
    equal(relay.call("apply", file), f"+0 -0 ~{count} =0", "apply of all")
    print(f"{count} rules: {one_by_one:.1f} s one by one, {time.monotonic() - began:.2f} s as a batch")
    relay.nothing_to_reload(count)
    relay.daemon.stop()


def story(world):
    world.line()
    relay = Relay(world, "relay", STAYS)
    phase("the verbs")
    verbs(world, relay)
    phase("refusals")
    refusals(world, relay)
    phase("batches")
    batches(world, relay)
    phase("writers that race")
    racing_writers(world, relay)
    phase("a rule that stays loses nothing, and a new one relays")
    ledger = Ledger(world, relay.daemon, size=500)
    relay.add("flows", "239.1.1.7")
    exact(world, ledger, "239.1.1.7", 5000, scaled(2000), 4000, size=500, out=("239.2.1.7", 5000))
    ledger.close()
    relay.daemon.stop()
    phase("kills at each step")
    killed(world)
    phase("many rules")
    many(world)
    phase("no daemon")
    equal(world.call("rule", "add", "x", "--socket", "/nowhere/at.all").returncode, 69, "exit code")


play(story, 200)
