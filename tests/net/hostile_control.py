#!/usr/bin/env python3
"""Hostile configuration files and control clients: the packets and other clients do not notice.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        239.1.1.1:5000 -> 239.2.1.1:5000, all the while: every datagram arrives, once, in order

The daemon has so many rules that its status does not fit into a socket's buffer: a client that
does not read then holds an unfinished answer.
"""

import contextlib
import json
import os
import random
import re
import resource
import socket
import stat
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, SANITIZED, check, equal, phase, until
from netlab.traffic import Steady
from netlab.world import play

RULES = 300
PROMPT = 2  # seconds for an answer; a client may stay for 10
SEED = 6
NO_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
HUGE = 100 << 20
ASK = b'{"command":"status"}\n'

GOOD = config(
    rule("s1", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
    *(rule(f"idle-{n}", "239.3.1.1", 5000 + n, [("r1", "239.4.1.1")]) for n in range(1, RULES)),
)
NUL = "\\u0000"  # the escape: the parser lets it pass


# -- configuration files

def texts():
    """(name, content, words of the refusal); all are refused at a line and column."""
    noise = random.Random(SEED).randbytes(1 << 16)
    deep, end = 100_000, "\n[daemon]\nworkers = 1\n"
    yield "brackets", "a = " + "[" * deep + "]" * deep + end, "nested too deeply"
    yield "unclosed", "[" * deep, "nested too deeply"
    yield "tables", "a = " + "{ a = " * deep + "1" + "}" * deep + end, "nested too deeply"
    yield "dotted-key", ".".join("a" * deep) + " = 1" + end, "nested too deeply"
    yield "dotted-header", "[" + ".".join("a" * deep) + "]" + end, "nested too deeply"
    yield "nul-only", bytes(4096), ""
    yield "nul-key", GOOD.encode() + b"[interface.r\x000]\ngro = 'on'\n", ""
    yield "nul-string", GOOD.encode().replace(b'"s1"', b'"s\x001"'), ""
    yield "nul-comment", b"# \x00\n" + GOOD.encode(), ""
    yield "nul-escaped", GOOD.replace('interface = "r0"', f'interface = "r0{NUL}"', 1), "interface"
    yield "nul-group", GOOD.replace('"239.1.1.1"', f'"239.1.1.1{NUL}"', 1), "group"
    yield "noise", noise, ""
    yield "cut-off", GOOD[:len(GOOD) // 2 - 7], ""


def no_files(world):
    """(name, path, words): what is no file to be read, or too large a one."""
    huge = world.write("huge.toml", GOOD)
    os.truncate(huge, HUGE)
    os.mkdir(world.path("directory.toml"))
    os.mkfifo(world.path("fifo.toml"))
    os.symlink("/dev/zero", world.path("device.toml"))
    os.symlink("loop.toml", world.path("loop.toml"))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(world.path("socket.toml"))
    yield "huge", huge, f"has {HUGE} bytes, more than the 16 MiB"
    yield "directory", world.path("directory.toml"), "is a directory"
    yield "fifo", world.path("fifo.toml"), "is a FIFO"
    yield "device", world.path("device.toml"), "is a device"
    yield "loop", world.path("loop.toml"), "cannot read"
    yield "socket", world.path("socket.toml"), "cannot read"


def bytes_read(daemon):
    with open(f"/proc/{daemon.process.pid}/io", encoding="utf-8") as file:
        return int(re.search(r"rchar: (\d+)", file.read()).group(1))


def refused(said, words, what):
    """The first line is FILE[:LINE:COL]: MESSAGE, short and clean."""
    check(words in said, f"{what}: no {words!r} in {said[:500]!r}")
    check(len(said) < 4000, f"{what}: the refusal has {len(said)} characters")
    check("Sanitizer" not in said and "terminate" not in said, f"{what}: {said[:4000]}")


def bad_configs(world, daemon):
    cases = [(n, world.write(n + ".toml", c), w, True) for n, c, w in texts()]
    cases += [(n, p, w, False) for n, p, w in no_files(world)]
    before = daemon.status()["generation"]
    for name, path, words, placed in cases:
        done = world.call("check", "-c", path, seconds=5)
        equal(done.returncode, 78, f"exit code of mcr check of {name} ({done.stderr[:500]!r})")
        refused(done.stderr, words, f"check of {name}")
        position = r":\d+:\d+: " if placed else ": "
        check(re.match(re.escape(path) + position, done.stderr),
              f"check of {name} says FILE{position}: {done.stderr[:300]!r}")

        os.remove(daemon.file)
        os.symlink(path, daemon.file)
        read = bytes_read(daemon)
        done = daemon.try_reload()
        read = bytes_read(daemon) - read
        equal(done.returncode, 78, f"exit code of mcr reload of {name} ({done.stderr[:500]!r})")
        refused(done.stdout + done.stderr, words, f"reload of {name}")
        check(read > 1000 if placed else read < 1000,
              f"reload of {name}: {read} bytes were read before it was refused")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{len(cases)} bad configs, check and reload; the largest process had {peak} KiB")
    if not SANITIZED:
        check(peak < 64 << 10, f"mcr check had {peak} KiB resident")
    os.remove(daemon.file)
    daemon.configure(GOOD)

    os.mkdir(world.path("conf.d"))
    for name, make in (("fifo", os.mkfifo), ("huge", lambda p: os.symlink("../huge.toml", p))):
        path = world.path(f"conf.d/{name}.toml")
        make(path)
        done = daemon.try_reload()
        equal(done.returncode, 78, f"exit code of mcr reload with {name} in conf.d")
        check(path in done.stderr, f"it names the file: {done.stderr!r}")
        os.remove(path)
    equal(daemon.status()["generation"], before, "the generation after refused reloads")
    difference = daemon.reload()
    check(f"={RULES}" in difference, f"the running rules stayed: {difference}")


# -- control clients

def connect(daemon):
    client = socket.socket(socket.AF_UNIX)
    client.connect(daemon.socket)  # waits while the queue of newcomers is full
    client.settimeout(PROMPT * PATIENCE)
    return client


def hear(client):
    """All that it is told until the daemon closes."""
    said = b""
    while part := client.recv(65536):
        said += part
    return said


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def prompt(daemon, what):
    began = time.monotonic()
    equal(len(daemon.status()["rules"]), RULES, f"rules in the status {what}")
    took = time.monotonic() - began
    check(took < PROMPT * PATIENCE, f"the status {what} took {took:.1f} s")
    return took


def garbage(daemon):
    noise = random.Random(SEED)
    requests = [
        b"\n", b"{}\n", b"[]\n", b"null\n", b'"status"\n', b"status\n", b"\0\n", b"\xff\xfe\n",
        b'{"command":5}\n', b'{"command":null}\n', b'{"command":["status"]}\n',
        b'{"command":"\xff"}\n', b'{"command":"' + b"x" * 3000 + b'"}\n',
        b"[" * 4000 + b"\n", b'{"a":' * 800 + b"\n", b"GETX / HTTP/1.1\r\n\r\n",
        *(noise.randbytes(noise.randrange(1, 3000)).replace(b"\n", b"") + b"\n" for _ in range(50)),
    ]
    for request in requests:
        with connect(daemon) as client:
            client.sendall(request)
            said = json.loads(hear(client))
        check(said["ok"] is False and said["error"], f"the answer to {request[:40]!r}: {said}")
    for request in (b"GET / HTTP/1.1\r\n\r\n", b"PUT /v1/status HTTP/9\r\n\r\n", b"GET \0\r\n\r\n"):
        with connect(daemon) as client:
            client.sendall(request)
            said = hear(client)
        check(re.match(rb"HTTP/1.1 (400|505) ", said), f"the answer to {request!r}: {said[:200]!r}")
    with connect(daemon) as client:  # never a whole line
        client.sendall(b"x" * 8192)
        with contextlib.suppress(ConnectionResetError):
            equal(hear(client), b"", "the answer to 8 KiB without an end of line")
    print(f"{len(requests) + 1} requests of garbage")
    prompt(daemon, "after garbage")


def slow(daemon):
    with connect(daemon) as client:
        for byte in ASK:
            client.send(bytes((byte,)))
        first = client.recv(1)
        prompt(daemon, "while a client reads a byte")
        equal(len(json.loads(first + hear(client))["rules"]), RULES, "rules a slow client sees")


def crowd(daemon, count, request, what):
    """Clients that came, said that, and never read; all of them are still there."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(connect(daemon))
            with contextlib.suppress(BrokenPipeError):
                client.send(request)
        took = prompt(daemon, f"beside {count} clients {what}")
        print(f"{count} clients {what}: status in {took:.2f} s, {descriptors(daemon)} descriptors")


def throng(daemon, before):
    """1,000 clients that stay and say nothing, then 1,000 that say rubbish and go."""
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(daemon))
        most = descriptors(daemon) - before  # one may come in for which another has to go
        check(most <= 64 + 1, f"1000 clients hold {most} descriptors of the daemon")
        prompt(daemon, "beside 1000 clients that say nothing")
    worst = 0
    for n in range(1000):
        with connect(daemon) as client, contextlib.suppress(BrokenPipeError):
            client.send(b"rubbish\n")
        if n % 250 == 0:
            worst = max(worst, prompt(daemon, "among clients that come and go"))
    print(f"1000 clients at once held {most} descriptors; among 1000 that come and go the status"
          f" took {worst:.2f} s at worst")


def clients(daemon):
    with connect(daemon) as client:
        client.sendall(ASK)
        size = len(hear(client))
    check(size > 250_000, f"a status of {size} bytes does not fit into a socket's buffer")
    before = descriptors(daemon)
    garbage(daemon)
    slow(daemon)
    crowd(daemon, 40, b"", "that say nothing")
    crowd(daemon, 40, ASK[:9], "that asked half")
    crowd(daemon, 10, ASK, "that do not read their answer")
    throng(daemon, before)
    until(lambda: descriptors(daemon) <= before, "the clients' descriptors are closed", 5)


def permissions(world, daemon):
    def judge(path):
        found = os.stat(path)
        check(stat.S_ISSOCK(found.st_mode), "it is a socket")
        equal(oct(stat.S_IMODE(found.st_mode)), "0o660", f"mode of {os.path.basename(path)}")
        equal((found.st_uid, found.st_gid), (os.geteuid(), os.getegid()), "owner and group")

    judge(daemon.socket)
    for mask in ("0", "077", "0777"):
        prefix = ("sh", "-c", f'umask {mask}; exec "$@"', "sh")
        other = Daemon(world, "", name=f"umask-{mask}", prefix=prefix).start()
        judge(other.socket)
        other.stop()
    os.chmod(daemon.socket, 0)
    done = world.call("status", "--socket", daemon.socket, prefix=NO_CAPABILITIES)
    os.chmod(daemon.socket, 0o660)
    equal(done.returncode, 77, f"exit code for who may not write to the socket ({done.stderr})")


def story(world):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    world.line()
    daemon = Daemon(world, GOOD).start()
    steady = Steady(world, daemon, "s1")
    phase("configuration files that are none")
    bad_configs(world, daemon)
    phase("control clients")
    clients(daemon)
    phase("whose socket it is")
    permissions(world, daemon)
    steady.end()


play(story, 45)
