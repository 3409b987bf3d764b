"""The relay under test: its config file, its control socket, its status, its end."""

import json
import re
import signal
import socket
import time

from netlab.expect import Failure, Skip, check, equal, until
from netlab.world import FAST_PATH


_fast_path = [FAST_PATH]


def by_the_worker(what):
    """For a story whose subject is the worker: MCR_FAST_PATH is not for its relays."""
    if _fast_path[0]:
        print(f"fast_path stays off: {what}")
    _fast_path[0] = ""


def rule(name, group, port, outputs, interface="r0", sources=None):
    """A [[rule]] as TOML. An output is (interface, group[, port]) or a ready-made inline table."""
    texts = []
    for output in outputs:
        if isinstance(output, str):
            texts.append(output)
        else:
            text = f'interface = "{output[0]}", group = "{output[1]}"'
            if len(output) > 2:
                text += f", port = {output[2]}"
            texts.append("{ " + text + " }")
    source = f", sources = {json.dumps(sources)}" if sources else ""
    return (
        f'[[rule]]\nname = "{name}"\n'
        f'input = {{ interface = "{interface}", group = "{group}", port = {port}{source} }}\n'
        f"outputs = [\n  {', '.join(texts)},\n]\n\n"
    )


def config(*rules, workers=1, buffers=None, extra=""):
    """A whole config; `buffers` caps the socket buffers of both interfaces."""
    text = f"[daemon]\nworkers = {workers}\n{extra}\n"
    if buffers:
        for name in ("r0", "r1"):
            text += f'[interface.{name}]\nreceive_buffer = "{buffers}"\nsend_buffer = "{buffers}"\n'
    return text + "\n" + "".join(rules)


class Daemon:
    """`mcr run` in a namespace, `options` further arguments, `prefix` a command that starts it.

    `configure` writes its config file.
    """

    def __init__(self, world, text, name="relay", namespace="relay", options=(), prefix=()):
        self.world = world
        self.options = options
        self.prefix = prefix
        self.name = name
        self.namespace = namespace
        self.socket = world.path(name + ".sock")
        self.file = world.path(name + ".toml")
        self.process = None
        self.configure(text)
        world.daemons.append(self)

    def configure(self, text):
        if _fast_path[0] and not re.search(r"^fast_path\b", text, re.MULTILINE):
            line = f'fast_path = "{_fast_path[0]}"\n'
            text = re.sub(r"^\[daemon\]\n", "[daemon]\n" + line, text, count=1, flags=re.MULTILINE)
            if line not in text:
                text += "\n[daemon]\n" + line
        self.world.write(self.name + ".toml", text)

    def start(self, active=True):
        """Starts it and waits until it answers, and until all its rules are active."""
        self.process = self.world.start(
            self.name, ["run", "-c", self.file, "--socket", self.socket, *self.options],
            self.namespace, self.prefix,
        )
        until(self._answers, lambda: f"{self.name} answers on its socket: {self.log()[-2000:]}", 15)
        if active:
            self.wait_active()
        return self

    def _answers(self):
        if not self.process.running:
            code, log = self.process.wait(1), self.log()
            if code == 69 and ("io_uring" in log or "fast_path" in log):
                raise Skip(log.strip().splitlines()[-1])
            raise Failure(f"{self.name} exited {code} at start: {log[-2000:]}")
        return self.ask_status().returncode == 0

    def wait_active(self, seconds=15):
        until(
            lambda: all(r["state"] == "active" for r in self.status()["rules"]),
            lambda: "all rules active: " + ", ".join(
                f"{r['name']} {r['state']} ({r['reason']})"
                for r in self.status()["rules"] if r["state"] != "active"
            )[:1000],
            seconds,
        )

    def log(self):
        return self.process.err() if self.process else ""

    def ask_status(self):
        """`mcr status --json`, patient with a machine that is busy."""
        return self.world.call("status", "--json", "--timeout", 20, "--socket", self.socket)

    def status(self):
        done = self.ask_status()
        equal(done.returncode, 0, f"exit code of `mcr status --json` ({done.stderr.strip()})")
        return json.loads(done.stdout)

    def status_text(self):
        if not self.process or not self.process.running:
            return "(not running)"
        return self.ask_status().stdout

    def rule(self, name):
        for entry in self.status()["rules"]:
            if entry["name"] == name:
                return entry
        raise Failure(f"status knows no rule {name}")

    def events(self, kind):
        """The latest events of a kind, the oldest first."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(self.socket)
            client.sendall(b"GET /v1/recent-events HTTP/1.1\r\nHost: mcr\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        events = json.loads(answer.split(b"\r\n\r\n", 1)[1])["events"]
        return sorted((e for e in events if e["event"] == kind), key=lambda e: e["id"])

    def groups(self, interface="r0"):
        """Groups that the daemon says it has joined there."""
        return {
            g["group"] for g in self.status()["membership"]["groups"]
            if g["interface"] == interface and g["state"] == "joined"
        }

    def try_reload(self):
        return self.world.call("reload", "--socket", self.socket, seconds=30)

    def reload(self, text=None):
        """Reloads, with a new config if given; returns the difference it printed."""
        if text is not None:
            self.configure(text)
        done = self.try_reload()
        equal(done.returncode, 0, f"exit code of `mcr reload` ({done.stdout}{done.stderr})")
        return done.stdout.strip()

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Stops it cleanly; returns how long that took, in seconds."""
        self.say_ways()
        began = time.monotonic()
        self.process.signal(number)
        code = self.process.wait(seconds)
        took = time.monotonic() - began
        equal(code, 0, f"exit code of {self.name} after signal {number} ({self.log()[-3000:]})")
        self.blameless()
        return took

    def say_ways(self):
        """Which way took the datagrams."""
        done = self.ask_status()
        if done.returncode != 0:
            return
        status = json.loads(done.stdout)
        kernel = status.get("fast_path", {}).get("rx_datagrams", 0)
        print(f"{self.name}: {kernel} datagrams the kernel's way,"
              f" {status['totals']['rx_datagrams'] - kernel} the worker's")

    def blameless(self):
        for word in ("Sanitizer", "runtime error:"):
            check(word not in self.log(), f"{self.name} was caught: {self.log()[-6000:]}")

    def close(self):
        """At the end of a test: what still runs must stop cleanly."""
        if self.process and self.process.running:
            self.stop()
        self.blameless()
