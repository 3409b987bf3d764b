#!/usr/bin/env python3
"""`by_http`: rules put, read and deleted by HTTP on the control socket, events as a stream, and several
relays in one view. The judge is curl: a client that is not ours.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import json
import os
import shutil
import socket
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import Skip, check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.process import Process
from netlab.traffic import exact
from netlab.world import play

STAYS = rule("stays", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
EXTRA = 'state = "{0}/state"\nruntime = "{0}/run"\nmetrics = "127.0.0.1:{1}"'
KINDS = {"start", "rule", "join", "reload", "loss", "gap"}


class Answer:
    """What curl -i has printed."""

    def __init__(self, text):
        head, _, self.content = text.replace("\r\n", "\n").partition("\n\n")
        lines = head.splitlines()
        self.status = int(lines[0].split()[1])
        self.fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}

    def json(self):
        return json.loads(self.content)


class Web:
    """curl at the control socket of a daemon, or at its TCP listener."""

    def __init__(self, world, daemon, base=None):
        self.world = world
        self.socket = "" if base else f"--unix-socket {daemon.socket}"
        self.base = base or "http://mcr"
        self.streams = 0

    def ask(self, target, *options):
        return Answer(self.world.sh(f"curl -sS -i -m 20 {self.socket} {' '.join(options)} '{self.base}{target}'",
                                    "relay"))

    def put(self, name, text, *options):
        file = self.world.write("put.content", text)
        return self.ask(f"/v1/rules/{name}", "-X PUT", f"--data-binary @{file}", *options)

    def stream(self, target, *options):
        self.streams += 1
        argv = ["ip", "netns", "exec", "relay", "sh", "-c",
                f"exec curl -sS -N {self.socket} {' '.join(options)} '{self.base}{target}'"]
        process = Process(self.world.directory, f"curl{id(self)}-{self.streams}", argv)
        self.world.processes.append(process)
        return process


def events_in(text):
    """The events of a stream, as HTML says how to read one; comments are left out."""
    events = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" not in fields:
            continue
        data = json.loads(fields["data"])
        equal(str(data["id"]), fields["id"], "the id of an event")
        equal(data["event"], fields["event"], "its kind")
        check(data["event"] in KINDS, f"a known kind: {data}")
        events.append(data)
    return events


def one_rule(name, group, port=5000):
    return rule(name, f"239.1.1.{group}", port, [("r1", f"239.2.1.{group}")])


def a_rule_lives(world, daemon, web):
    made = web.put("new", one_rule("new", 2), "-H 'If-None-Match: *'")
    equal((made.status, made.json()["difference"]), (201, "+1 -0 ~0 =1"), "PUT of a new rule")
    equal(web.put("new", one_rule("new", 2), "-H 'If-None-Match: *'").status, 412, "PUT, again, if it is new")
    read = web.ask("/v1/rules/new")
    equal((read.status, read.fields["etag"]), (200, made.fields["etag"]), "GET")
    equal(read.json()["state"], "active", "its state, which is that of the new table")
    definition = read.json()["definition"]
    equal(definition["home"], "state", "where it stands")
    check(os.path.exists(definition["file"]), f"its file: {definition}")
    ledger = Ledger(world, daemon, size=500)
    exact(world, ledger, "239.1.1.2", 5000, scaled(1000), 4000, size=500, out=("239.2.1.2", 5000))
    ledger.close()
    equal(web.ask("/v1/rules/new", f"-H 'If-None-Match: {made.fields['etag']}'").status, 304, "GET, unchanged")

    definition["rule"]["comment"] = "by an object"
    changed = web.put("new", json.dumps(definition["rule"]), f"-H 'If-Match: {made.fields['etag']}'")
    equal((changed.status, changed.json()["difference"]), (200, "+0 -0 ~1 =1"), "PUT of a change")
    stale = web.put("new", one_rule("new", 3), f"-H 'If-Match: {made.fields['etag']}'")
    equal((stale.status, stale.fields["etag"]), (412, changed.fields["etag"]), "PUT of one who knows an older rule")
    shown = json.loads(world.call("rule", "show", "new", "--json", "--socket", daemon.socket).stdout)
    equal(shown["comment"], "by an object", "what mcr rule shows")
    equal(daemon.reload(), "+0 -0 ~0 =2", "what a reload finds")
    world.call("rule", "set", "new", "--set", "comment=by hand", "--socket", daemon.socket)
    equal(web.ask("/v1/rules/new", "-X DELETE", f"-H 'If-Match: {changed.fields['etag']}'").status, 412,
          "DELETE of what another one has changed")
    gone = web.ask("/v1/rules/new", "-X DELETE")
    equal((gone.status, gone.content), (204, ""), "DELETE")
    equal(web.ask("/v1/rules/new", "-X DELETE").status, 404, "DELETE, again")
    equal([r["name"] for r in daemon.status()["rules"]], ["stays"], "rules")


def refusals(world, daemon, web):
    wrong = web.put("new?file=mine.toml", "\n" + one_rule("new", 2).replace("port", "prot"))
    equal(wrong.status, 422, "PUT of a mistake")
    error = wrong.json()["errors"][0]
    equal((error["file"], error["line"]), ("mine.toml", 4), "the place of the mistake")
    check(any('did you mean "port"?' in each["message"] for each in wrong.json()["errors"]), wrong.content)
    twin = web.put("new", one_rule("new", 1)).json()
    check('rule "stays" takes' in twin["errors"][0]["message"], twin)
    equal(web.put("stays", one_rule("stays", 9)).status, 409, "PUT of a rule in a file for people")
    equal(web.ask("/v1/rules/stays", "-X DELETE").status, 409, "DELETE of one")
    equal(web.put("new", one_rule("new", 2), "-H 'Origin: http://evil.example'").status, 403, "another site's page")
    equal(web.put("new", "#" * 65537).status, 413, "PUT of too much")
    equal(web.put("new", "{").status, 400, "PUT of no JSON")
    equal(web.put("new", one_rule("new", 2), "-H 'Transfer-Encoding: chunked'").status, 501, "PUT in chunks")
    equal(web.put("new", one_rule("new", 2), "-H 'Expect: 100-continue'").status, 417, "PUT by one who waits for leave")
    check("DELETE" in web.ask("/v1/rules/new", "-X POST").fields["allow"], "what may be done with a rule")
    tcp = Web(world, daemon, "http://127.0.0.1:9464")
    for method in ("PUT", "DELETE"):
        refused = tcp.ask("/v1/rules/stays", f"-X {method}", "-d x=1")
        equal((refused.status, refused.fields["allow"]), (405, "GET, HEAD"), f"{method} over TCP")
    check("definition" not in tcp.ask("/v1/rules/stays").json(), "over TCP no definition is told")
    equal(tcp.ask("/v1/status", "-H 'Host: evil.example'").status, 421, "another name, over TCP")
    equal(daemon.reload(), "+0 -0 ~0 =1", "what a reload finds")


def a_stream(world, daemon, web, first):
    """One that goes on where another broke off; one for each listener tells the same."""
    stream = web.stream("/v1/events")
    until(lambda: "retry:" in stream.out(), lambda: f"the stream begins: {stream.err()}")
    world.sh("ip link set r1 down", "relay")
    until(lambda: any(e.get("state") == "waiting" for e in events_in(stream.out())), lambda: stream.out())
    stream.kill()
    last = events_in(stream.out())[-1]["id"]
    world.sh("ip link set r1 up", "relay")
    later = web.stream("/v1/events", f"-H 'Last-Event-ID: {last}'")
    until(lambda: any(e.get("before") == "waiting" for e in events_in(later.out())), lambda: later.out())
    ids = [e["id"] for e in events_in(stream.out()) + events_in(later.out())]
    equal(ids, list(range(ids[0], ids[0] + len(ids))), "each event once, in order")
    later.kill()
    old = web.stream("/v1/events?since=5")
    until(lambda: events_in(old.out()), "an id of an earlier run")
    equal([e["event"] for e in events_in(old.out())][:2], ["gap", "start"], "what follows it")
    old.kill()
    recent = web.ask("/v1/recent-events").json()
    equal(recent["events"][0]["event"], "start", "the first of the recent events")
    if first is not None:
        equal([e["id"] for e in recent["events"]][:len(first)], first, "both listeners tell the same")
    return [e["id"] for e in recent["events"]]


def slow_readers(world, daemon):
    """They take nothing: they are cut off, and cost the relay little meanwhile."""
    many = [rule(f"r{i}", f"239.3.{i // 250}.{i % 250 + 1}", 5000,
                 [("r1", f"239.4.{i // 250}.{i % 250 + 1}")], interface="nowhere0") for i in range(1500)]
    extra = EXTRA.format(world.path("relay"), 9464)
    slow = []
    for _ in range(40):
        client = socket.socket(socket.AF_UNIX)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(daemon.socket)
        client.sendall(b"GET /v1/events?since=0 HTTP/1.1\r\nHost: mcr\r\n\r\n")
        slow.append(client)
        daemon.ask_status()
    before = daemon.resident_kib()
    for _ in range(4):
        daemon.reload(config(STAYS, *many, extra=extra))
        daemon.reload(config(STAYS, extra=extra))
    grown = daemon.resident_kib() - before
    check(grown < 40_000, f"the relay grew by {grown} KiB")

    def cut_off(client):
        client.setblocking(False)
        try:
            while client.recv(1 << 20):
                pass
            return True
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
    sockets = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    check(cut_off(slow[0]), "the oldest of too many is cut off")
    until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= sockets - 10,
          "who takes nothing for ten seconds is cut off", 25)
    equal(daemon.ask_status().returncode, 0, "exit code of status")
    for client in slow:
        client.close()


def several(world, daemon):
    """Two relays that run, one with a rule that waits; and two that do not answer."""
    os.mkdir(world.path("other"))
    other = Daemon(world, config(
        rule("there", "239.1.7.1", 5000, [("r1", "239.2.7.1")]),
        rule("lost", "239.1.7.2", 5000, [("r1", "239.2.7.2")], interface="nowhere0"),
        extra=EXTRA.format(world.path("other"), 9465)), "other").start(active=False)
    until(lambda: other.rule("there")["state"] == "active", "it runs")
    hosts = ("127.0.0.1", "localhost:9465", "127.0.0.1:9", "10.2.0.9")
    began = time.monotonic()
    done = world.call("status", "--json", "--all", *hosts)
    took = time.monotonic() - began
    equal(done.returncode, 69, f"exit code of status --all ({done.stderr})")
    told = json.loads(done.stdout)
    equal([r["host"] for r in told["relays"]], list(hosts), "hosts, in the order they were named")
    equal([r["states"] for r in told["relays"]][:2], [{"active": 1}, {"active": 1, "waiting": 1}], "their rules")
    equal(told["relays"][2]["error"], "Connection refused", "why not")
    check(told["relays"][3]["error"], "one that does not answer")
    equal([(t["host"], t["rule"], t["state"]) for t in told["troubled"] if t["state"] != "active"],
          [("localhost:9465", "lost", "waiting")], "troubled rules")
    equal(told["troubled"][0]["rule"], "lost", "what stands first")
    check(took < 4, f"it took {took:.1f} s")
    text = world.call("status", "--all", *hosts).stdout
    check("nowhere0" in text and text.index("10.2.0.9") < text.index("lost"), text)
    done = world.call("status", "--all", hosts[0])
    equal((done.returncode, "1 active" in done.stdout), (0, True), f"exit code of one that is well: {done.stdout}")
    for args in (("--all", "a:b"), ("--all",), ("--all", "a", "--health"), ("--all", "a", "--watch")):
        equal(world.call("status", *args).returncode, 64, f"exit code of {args}")
    other.stop()


def story(world):
    if not shutil.which("curl"):
        raise Skip("no curl here")
    world.line()
    world.sh("ip -n relay link set lo up")
    os.mkdir(world.path("relay"))
    daemon = Daemon(world, config(STAYS, extra=EXTRA.format(world.path("relay"), 9464))).start()
    web = Web(world, daemon)
    phase("a rule lives")
    a_rule_lives(world, daemon, web)
    phase("refusals")
    refusals(world, daemon, web)
    phase("events, on the control socket and by TCP")
    first = a_stream(world, daemon, web, None)
    daemon.wait_active()
    a_stream(world, daemon, Web(world, daemon, "http://127.0.0.1:9464"), first)
    daemon.wait_active()
    phase("several relays")
    several(world, daemon)
    phase("readers that are slow")
    slow_readers(world, daemon)
    phase("the sign of life of a stream")
    silent = web.stream("/v1/events")
    until(lambda: silent.out().endswith("\n\n:\n\n"), lambda: f"a comment: {silent.out()!r}", 40)
    silent.kill()
    daemon.stop()


play(story, 180)
