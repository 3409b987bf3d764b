#!/usr/bin/env python3
"""`rules`: rules are added, changed and removed while the relay runs. Each verb may be repeated, what
is refused or killed has changed nothing, and a reload finds what the verbs have made.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import concurrent.futures
import fcntl
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


def odd_words_and_files(world, relay):
    """What cannot be said in JSON or be written is refused, and is not turned into something else."""
    said = relay.call("rule", "add", "caf\udce9", code=64)
    check("caf\\xe9 is no UTF-8" in said, said)
    said = relay.call("rule", "set", "temporary", "--runtime", "--set", "comment=\udcff", code=64)
    check("is no UTF-8" in said, said)
    latin = world.path("latin.toml")
    with open(latin, "wb") as file:
        file.write(b"[[rule]]\nname = \"caf\xe9\"\n")
    check(f"{latin}:2:12: the byte here is no UTF-8" in relay.call("apply", latin, code=78), "its place")
    said = world.call("apply", "--socket", relay.daemon.socket, "/dev/zero")
    equal((said.returncode, "has more than the 16 MiB" in said.stderr), (78, True), f"apply: {said.stderr}")
    said = world.call("apply", "--socket", relay.daemon.socket, world.path(""))
    equal((said.returncode, said.stderr), (71, f"mcr: read {world.path('')}: Is a directory\n"), "apply of a folder")
    for verb, words in (("add", ("--input=interface=r0,group=239.1.1.8,port=5000", "--output=interface=r1")),
                        ("remove", ())):
        done = world.call("rule", verb, *words, "--socket", relay.daemon.socket, "--", "-dash")
        equal(done.returncode, 0, f"exit code of {verb} -dash ({done.stderr})")
    with open(f"{os.path.dirname(relay.state)}/rules.d.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = relay.add("locked", "239.1.1.8", code=71)
        check("another program holds the lock" in said and "nothing has changed" in said, said)
    with open(f"{relay.state}/hand.toml", "w", encoding="utf-8") as file:
        file.write(rule("by hand", "239.1.1.8", 5000, [("r1", "239.2.1.8")]))
    said = relay.add("hand", "239.1.1.9", code=78)
    check("hand.toml: the file is there already" in said, said)
    os.unlink(f"{relay.state}/hand.toml")
    relay.nothing_to_reload(2)


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
    """Kills the daemon before the number-th time that it makes that system call: it may be one of its own accord."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
         "-e", f"inject={call}:signal=KILL:when={number}", "-p", str(daemon.process.pid)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    until(lambda: not daemon.process.running or held_by(daemon, tracer), "strace holds the daemon, or has killed it")
    return tracer


def let_go(tracer, relay):
    """Waits until the daemon, which has answered, has removed the old folder, or was killed at that."""
    gone = relay.state + ".gone"
    until(lambda: not (relay.daemon.process.running and os.path.exists(gone)), "the old folder is gone")
    tracer.terminate()
    try:
        tracer.wait(5)
    except subprocess.TimeoutExpired:  # its tracee died in that moment
        tracer.kill()
        tracer.wait(5)


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
    for call, single in (("mkdir", False), ("openat", False), ("flock", False), ("linkat", False), ("write", False),
                         ("rename", False),
                         ("fsync", False), ("renameat2", False), ("unlinkat", False), ("close", False),
                         ("fsync", True), ("renameat", True), ("unlinkat", True)):
        for number in range(1, 9):
            tracer = trace(daemon, call, number)
            if single:
                args = ("rule", "set", "k1", "--input", "interface=r0,group=239.1.4.9,port=5000") \
                    if call != "unlinkat" else ("rule", "remove", "k1")
            else:
                args = ("apply", batch)
            done = world.call(*args, "--socket", daemon.socket)
            if done.returncode == 0:
                let_go(tracer, relay)
            alive = daemon.process.running and done.returncode == 0
            if not alive:
                tracer.wait(10)
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


def on_the_disk(world):
    """What gets its name is on the disk before, and the name is on the disk when the client hears of it."""
    if not shutil.which("strace"):
        return
    relay = Relay(world, "disk", STAYS)
    trace_file = world.path("disk.trace")
    relay.add("d1", "239.1.5.1")
    batch = world.write("disk-batch.toml", "".join(
        rule(f"d{i}", f"239.1.5.{i}", 5001, [("r1", f"239.2.5.{i}")]) for i in range(1, 31)))
    for args, calls in (
            (("rule", "set", "d1", "--set", "comment=x"), ["fsync", "renameat", "fsync", "sendto"]),
            (("rule", "remove", "d1"), ["unlinkat", "fsync", "sendto"]),
            (("apply", batch), ["syncfs", "fsync", "renameat2", "fsync", "sendto"])):
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", trace_file, "-e", "trace=fsync,syncfs,rename,renameat,renameat2,unlinkat,sendto",
             "-p", str(relay.daemon.process.pid)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: held_by(relay.daemon, tracer), "strace holds the daemon")
        relay.call(*args)
        tracer.terminate()
        tracer.wait(10)
        with open(trace_file, encoding="utf-8") as file:
            seen = [line.split("(")[0].split()[-1] for line in file if "nlmsg" not in line and "resumed>" not in line]
        # A new folder is synced in its parent; and the old one goes at last, file by file.
        seen = seen[seen.index(calls[0]):seen.index("sendto") + 1]
        if calls[0] == "syncfs":
            seen = [call for call in seen if call not in ("unlinkat", "rename")]
        equal(seen, calls, f"system calls of mcr {args[0]}")
    relay.daemon.stop()


def held_by(daemon, tracer):
    with open(f"/proc/{daemon.process.pid}/status", encoding="utf-8") as file:
        return f"TracerPid:\t{tracer.pid}\n" in file.read()


def without_a_daemon(world):
    """The files are changed by the client then, after the same check; writers wait for each other."""
    relay = Relay(world, "later", STAYS)
    relay.add("before", "239.1.6.1")
    relay.daemon.stop()
    socket_only = world.call("rule", "add", "x", "--socket", relay.daemon.socket)
    equal(socket_only.returncode, 69, "exit code where nobody knows the configuration")
    place = ("-c", relay.daemon.file)
    done = world.call("rule", "add", "x", "--socket", relay.daemon.socket, *place, "--input",
                      "interface=r0,group=239.1.6.2,port=5000", "--output", "interface=r1")
    equal((done.returncode, done.stdout), (0, "+1 -0 ~0 =2\n"), f"add ({done.stderr})")
    check(f"no daemon runs at {relay.daemon.socket}" in done.stderr, done.stderr)
    said = relay.call("rule", "add", "y", *place, "--input", "interface=r0,group=239.1.1.1,port=5000",
                      "--output", "interface=r1", code=78)
    check('rule "stays" takes' in said and "nothing has changed" in said, said)
    equal(json.loads(relay.call("rule", "show", "before", "--json", *place))["name"], "before", "show")
    equal(relay.call("rule", "disable", "before", *place), "+0 -0 ~1 =2", "disable")
    batch = world.write("later-batch.toml", "".join(
        rule(f"l{i}", f"239.1.6.{i}", 5001, [("r1", f"239.2.6.{i}")]) for i in range(1, 41)))
    equal(relay.call("apply", batch, *place), "+40 -0 ~0 =3", "apply")

    def add(i):
        return relay.add(f"race{i % 10}", f"239.1.7.{i % 10 + 1}", *place)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = list(pool.map(add, range(20)))
    equal(sum(s.startswith("+1") for s in said), 10, "adds that added")
    world.write("later.toml", "nonsense = 1\n")
    said = relay.call("rule", "remove", "x", *place, code=78)
    check("later.toml:1:1: " in said, said)
    equal(world.call("rule", "remove", "x", "--socket", relay.daemon.socket, "-c", "/nowhere").returncode,
          71, "exit code of a configuration that is not there")
    relay.daemon.configure(config(STAYS, extra=FOLDERS.format(world.path("later"))))
    relay.daemon.start(active=False)
    equal(sorted(relay.names()), sorted(["stays", "before", "x"] + [f"l{i}" for i in range(1, 41)]
                                        + [f"race{i}" for i in range(10)]), "what the start has read")
    relay.daemon.stop()


class Effort:
    """How long something takes from here on, and how long the daemon runs for it: a busy machine does not matter."""

    def __init__(self, daemon):
        self.pid = daemon.process.pid
        self.began = time.monotonic()
        self.before = self.cpu()

    def cpu(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
            return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def seconds(self):
        return time.monotonic() - self.began

    def __str__(self):
        return f"{self.seconds():.2f} s, of which the daemon ran {self.cpu() - self.before:.2f} s"


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
    batch = Effort(relay.daemon)
    equal(relay.call("apply", file), f"+0 -0 ~{count} =0", "apply of all")
    print(f"{count} rules: {one_by_one:.1f} s one by one; as a batch {batch}")
    relay.call("rule", "disable", "m7")
    status = Effort(relay.daemon)
    told = relay.call("status")
    print(f"mcr status of {count} rules: {status}")
    check(status.seconds() < 2, f"mcr status took {status}")
    check(len(told.splitlines()) < 60 and told.index("nowhere0") < 2000, f"what matters stands first: {told[:2000]}")
    relay.nothing_to_reload(count)
    relay.daemon.stop()


def story(world):
    world.line()
    relay = Relay(world, "relay", STAYS)
    phase("the verbs")
    verbs(world, relay)
    phase("refusals")
    refusals(world, relay)
    phase("odd words and files")
    odd_words_and_files(world, relay)
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
    phase("on the disk, for a host that loses its power")
    on_the_disk(world)
    phase("without a daemon")
    without_a_daemon(world)
    phase("many rules")
    many(world)
    phase("no daemon")
    equal(world.call("rule", "add", "x", "--socket", "/nowhere/at.all").returncode, 69, "exit code")


play(story, 300)
