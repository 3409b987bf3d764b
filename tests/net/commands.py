#!/usr/bin/env python3
"""The commands where something is wrong around them: output that is not written, descriptors that
are closed, a daemon that does not answer, clocks that differ, words that nobody knows.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import concurrent.futures
import json
import os
import signal
import struct
import subprocess
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, until
from netlab.world import play

SINK = ("sink", "--interface", "s0", "--port", 5000)
GEN = ("gen", "--interface", "g0", "--group", "239.3.1.1", "--port", 5000, "--rate", 100)
SILENT = ("switch", "standby")  # commands that print nothing


def spawn(world, args, namespace="relay", shell=None, **redirected):
    """Exit code and stderr of `mcr ARGS`; `shell` redirects further."""
    argv = ["ip", "netns", "exec", namespace]
    if shell:
        argv += ["sh", "-c", f'exec "$0" "$@" {shell}']
    done = subprocess.run(argv + [world.mcr, *map(str, args)], check=False, timeout=30,
                          stdin=subprocess.DEVNULL,
                          **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **redirected})
    return done.returncode, (done.stderr or b"").decode()


def all_kinds(world):
    """A relay that each command can be asked of, and the commands that change it or ask for more."""
    two = ('inputs = [ { interface = "r0", group = "239.1.1.8", port = 5008 },'
           ' { interface = "r0", group = "239.1.1.9", port = 5008 } ]')
    text = config(f'[[rule]]\nname = "legs"\n{two}\noutputs = [ {{ interface = "r1", group = "239.2.1.8" }} ]\n'
                  'inspect = "auto"\nfailover = {}\n',
                  extra=f'metrics = "127.0.0.1:9464"\nstate = "{world.path("state")}"\n'
                        f'runtime = "{world.path("runtime")}"\nstandby = "{world.path("held")}"')
    for folder in ("state", "runtime"):
        os.mkdir(world.path(folder))
    daemon = Daemon(world, text, name="told").start()
    at = ("--socket", daemon.socket)
    flow = ("--input", "interface=r0,group=239.1.1.7,port=5007", "--output", "interface=r1,group=239.2.1.7", *at)
    rules = world.write("apply.toml", rule("more", "239.1.1.6", 5006, [("r1", "239.2.1.6")]))
    routes = world.write("smcroute.conf", "phyint r0 enable\nmroute from r0 group 239.1.1.5 to r1\n")
    return daemon, {
        "rule add": ("rule", "add", "new", *flow), "rule set": ("rule", "set", "new", *flow),
        "rule show": ("rule", "show", "new", *at), "rule show --json": ("rule", "show", "new", "--json", *at),
        "rule disable": ("rule", "disable", "new", *at), "rule enable": ("rule", "enable", "new", *at),
        "rule remove": ("rule", "remove", "new", *at),
        "apply": ("apply", rules, *at), "inspect": ("inspect", "legs", *at),
        "inspect --json": ("inspect", "legs", "--json", *at),
        "events": ("events", "--since", 0, "--count", 1, *at),
        "events --json": ("events", "--json", "--since", 0, "--count", 1, *at),
        "import": ("import", routes, "--port", 5005),
        "capture": ("capture", "legs", "--seconds", 0.1, *at),
        "status --all": ("status", "--all", "127.0.0.1"),
        "status --all --json": ("status", "--json", "--all", "127.0.0.1"),
        "status --openapi": ("status", "--openapi"), "check --schema": ("check", "--schema"),
        "switch": ("switch", "legs", "auto", *at), "standby": ("standby", "off", *at),
    }


def unwritten_output(world, daemon):
    at = ("--socket", daemon.socket)
    told, more = all_kinds(world)
    commands = {
        "status": ("status", *at), "status --json": ("status", "--json", *at),
        "status RULE": ("status", "one", *at), "status --health": ("status", "--health", *at),
        "status --watch": ("status", "--watch", "0.1", *at), "reload": ("reload", *at),
        "check": ("check", "-c", daemon.file), "check --json": ("check", "--json", "-c", daemon.file),
        "doctor": ("doctor", "-c", daemon.file),
        "doctor --json": ("doctor", "--json", "-c", daemon.file),
        "--version": ("--version",), "--help": ("--help",), "status --help": ("status", "--help"),
        "gen": (*GEN, "--count", 1), "gen --json": (*GEN, "--count", 1, "--json"),
        "sink": (*SINK, "--group", "239.9.9.9", "--duration", 0.1),
        "sink --json": (*SINK, "--group", "239.9.9.9", "--duration", 0.1, "--json"),
        **more,
    }
    wrong = []
    for name, args in commands.items():
        place = {"gen": "gen", "sink": "sink"}.get(args[0], "relay")
        reader, writer = os.pipe()
        os.close(reader)
        with open("/dev/full", "wb") as full:
            for what, target, shell, words in (
                    ("a full disk", full, None, "No space left on device"),
                    ("a closed pipe", writer, None, "Broken pipe"),
                    ("nothing", subprocess.DEVNULL, ">&-", "Bad file descriptor")):
                code, said = spawn(world, args, place, shell, stdout=target)
                ended = name == "capture" and what == "a closed pipe"  # its reader has seen enough
                if args[0] in SILENT or ended:
                    right = code == 0
                else:
                    right = code == 71 and words in said and "write" in said
                if not right or "terminate" in said:
                    wrong.append(f"{name} to {what}: exit {code}: {said.strip()[-300:]}")
        os.close(writer)
    check(not wrong, "\n".join(wrong))
    told.stop()


def unwritten_errors(world):
    """Where no message can be written either, the exit code remains."""
    with open("/dev/full", "wb") as full:
        for args, expected in ((("status", "--socket", "/nowhere/at.all"), 69), (("statsu",), 64),
                               (("status", "--watch", "0"), 64), ((), 64),
                               (("run", "-c", "/nowhere/at.all"), 78)):
            equal(spawn(world, args, stderr=full)[0], expected, f"exit code of mcr {args}")


def closed_descriptors(world):
    daemon = Daemon(world, config(rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])),
                    name="closed",
                    prefix=("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-')).start()
    for number in (0, 1, 2):
        equal(os.readlink(f"/proc/{daemon.process.pid}/fd/{number}"), "/dev/null",
              f"descriptor {number}")
    daemon.reload()
    daemon.stop()


def took(action):
    began = time.monotonic()
    result = action()
    return time.monotonic() - began, result


def stopped_daemon(world, daemon):
    """Each command gives up in time, and advises --timeout only where it has that option."""
    calls = {("status",): 2, ("status", "--json"): 2, ("status", "--health"): 2, ("status", "--timeout", "0.3"): 0.3,
             ("reload", "--timeout", "0.3"): 0.3, ("inspect", "one"): 2, ("switch", "one", "auto"): 2,
             ("standby", "off"): 2, ("events",): 2, ("capture", "one", "-w", world.path("none.pcapng")): 2}
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            answers = list(pool.map(lambda args: took(lambda: world.call(*args, "--socket", daemon.socket)), calls))
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    for (args, at_least), (seconds, done) in zip(calls.items(), answers):
        equal(done.returncode, 69, f"exit code of mcr {args}")
        check("has not answered for" in done.stderr, done.stderr)
        equal("--timeout waits longer" in done.stderr, "--timeout" in world.call(args[0], "--help").stdout,
              f"the advice of mcr {args}: {done.stderr}")
        check(at_least <= seconds < at_least + 3, f"mcr {args} took {seconds} s")
    until(lambda: world.call("status", "--socket", daemon.socket).returncode == 0, "it is back")


def files_without_end(world):
    done = world.call("import", "/dev/zero")
    equal((done.returncode, "/dev/zero: has more than the 16 MiB" in done.stderr), (78, True),
          f"import of /dev/zero: {done.stderr}")
    done = world.call("import", world.path(""))
    equal((done.returncode, done.stderr), (71, f"mcr: read {world.path('')}: Is a directory\n"), "import of a folder")
    done = world.call("status", "--all", "--timeout", "1", "127.0.0.1")
    equal((done.returncode, done.stderr), (64, 'mcr: "--timeout" is no HOST or HOST:PORT\n'), "--all without a host")


def health(world, daemon, text):
    def asked():
        done = world.call("status", "--health", "--socket", daemon.socket)
        return done.returncode, done.stdout

    equal(asked(), (0, "healthy: 1 rule active\n"), "health of one active rule")
    lost = rule("lost", "239.1.1.3", 5000, [("r1", "239.2.1.3")], interface="nowhere0")
    daemon.reload(text + lost)
    code, said = asked()
    equal(code, 69, "exit code with a rule that waits")
    check(said.startswith("waiting lost: "), said)
    daemon.reload(text + lost.replace('name = "lost"', 'name = "lost"\nenabled = false'))
    equal(asked()[0], 0, "exit code with a rule that is disabled")


def words(world, daemon):
    for args, expected in (
            (("statsu",), "there is no command statsu; did you mean mcr status?"),
            (("hlep",), "there is no command hlep; did you mean mcr --help?"),
            (("gen", "--interfce", "r0"), "mcr gen has no option --interfce; did you mean --interface?"),
            (("check", "a.toml"), "mcr check takes no argument a.toml; did you mean -c a.toml?"),
            (("help",), "there is no command help; mcr --help lists them")):
        done = world.call(*args)
        equal((done.returncode, done.stderr.strip()), (64, "mcr: " + expected), f"mcr {args}")
    for args in (("events", "--since", -1), ("events", "--since", -(2**64 - 1)), ("events", "--count", -1),
                 ("capture", "one", "--count", -1), (*GEN, "--count", -1, "--duration", 0.1),
                 (*SINK, "--group", "239.2.1.1", "--count", -1, "--duration", 0.1)):
        done = world.call(*args)
        equal((done.returncode, "not in range" in done.stderr), (64, True), f"mcr {args}: {done.stderr}")


def strict_sink(world, *args, group="239.2.1.1", send=None):
    """Its exit code and JSON; `send` are options of `mcr gen`, through the relay."""
    sink = world.start("sink", [*SINK, "--group", group, "--strict", "--json", *args], "sink")
    until(lambda: "ready" in sink.err(), "the sink is ready")
    if send:
        world.call("gen", "--interface", "g0", "--group", "239.1.1.1", "--port", 5000, *send,
                   namespace="gen")
    code = sink.wait(10)
    return code, json.loads(sink.out()), sink.err()


def dead_paths(world):
    code, seen, said = strict_sink(world, "--duration", 0.5)
    equal((code, seen["received"]), (65, 0), "nothing came")
    check("nothing came for 1 of 1 stream" in said, said)
    equal(strict_sink(world, "--duration", 1, send=("--count", 10))[0], 0, "something came")
    code, seen, _ = strict_sink(world, "--streams", 2, "--duration", 1, send=("--count", 10))
    equal((code, seen["silent_streams"]), (65, 1), "nothing came for one of two streams")

    phase("--count and --duration: whichever comes first")
    seconds, (code, seen, _) = took(
        lambda: strict_sink(world, "--count", 10, "--duration", 8, send=("--count", 10)))
    check(code == 0 and seconds < 6, f"the count came first: {code} after {seconds} s")
    code, seen, _ = strict_sink(world, "--count", 11, "--duration", 1, send=("--count", 10))
    equal((code, seen["received"]), (65, 10), "one is missing when the time is over")


def test_datagram(sent_ns):
    """The first of stream 0, 32 bytes, as mcr/traffic/test_datagram.hpp describes it."""
    most = (1 << 64) - 1

    def step(state, word):
        state = (state ^ word) * 0x9E3779B97F4A7C15 & most
        return (state << 29 | state >> 35) & most

    state = step(step(step(step(1, 0), 2), 3), 4)  # of no filler
    header = struct.pack("<IIQQ", 0x3170434D, 0, 0, sent_ns)
    for word in (32, *struct.unpack("<QQQ", header)):
        state = step(state, word)
    return header + struct.pack("<Q", state ^ state >> 32)


def clocks(world):
    """A sender whose clock is an hour ahead, made by its stamp."""
    sink = world.start("sink", [*SINK, "--group", "239.2.1.1", "--count", 1, "--json"], "sink")
    until(lambda: "ready" in sink.err(), "the sink is ready")
    ahead = test_datagram(int((time.time() + 3600) * 1e9))
    world.sh(f"python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
             f" s.setsockopt(0, 32, socket.inet_aton(\"10.1.0.2\"));"
             f" s.sendto(bytes.fromhex(\"{ahead.hex()}\"), (\"239.1.1.1\", 5000))'", "gen")
    equal(sink.wait(10), 0, "exit code")
    seen = json.loads(sink.out())
    equal(seen["corrupt"], 0, "corrupt datagrams")
    equal(seen["latency_us"], None, "the latency, of clocks that differ")
    check(3590e6 < seen["clock_behind_us"] <= 3600e6, f"how far it is behind: {seen}")


def story(world):
    world.line()
    text = config(rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")]))
    daemon = Daemon(world, text).start()
    phase("output that is not written is an error of every command")
    unwritten_output(world, daemon)
    unwritten_errors(world)
    phase("descriptors 0 to 2 are closed")
    closed_descriptors(world)
    phase("a daemon that is stopped")
    stopped_daemon(world, daemon)
    phase("health")
    health(world, daemon, text)
    phase("files that have no end, or are none")
    files_without_end(world)
    phase("unknown words")
    words(world, daemon)
    phase("a strict sink on a dead path")
    dead_paths(world)
    phase("a sender whose clock is ahead")
    clocks(world)
    daemon.stop()


play(story, 90)
