#!/usr/bin/env python3
"""Outputs by the name of a host follow what DNS says of it, and a resolver holds nothing up.

    gen (g0 10.1.0.2) ---- (r0) relay (r1 10.2.0.1, fd00:2::1) ---- (s0 10.2.0.2, .3, fd00:2::2) sink
                                   a DNS server on 127.0.0.1
"""

import json
import os
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, Skip, check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.traffic import FLAWLESS, Gen, Sink, exact, faults
from netlab.world import play

TWO, THREE, SIX = "10.2.0.2", "10.2.0.3", "fd00:2::2"
SIZE = 600


def to(host, more=""):
    return f'{{ interface = "r1", host = "{host}", port = 6000{more} }}'


PODS = rule("pods", "239.1.1.1", 5000, [to("pods.test")])
OTHER = rule("other", "239.1.1.9", 5000, [("r1", "239.2.1.9")])


def text(*rules):
    return config(*rules, extra='resolve_every = "1s"\n')


class Names:
    """A DNS server, and a /etc/resolv.conf that names it."""

    def __init__(self, world):
        self.world = world
        self.say()
        mine = world.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
        path = os.path.realpath("/etc/resolv.conf")
        if not os.path.exists(path):  # /run is ours
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                open(path, "a", encoding="utf-8").close()
            except OSError as error:
                raise Skip(f"this host has no {path}: {error}") from None
        world.sh(f"mount --bind {mine} {path}")
        self.server = world.start_program("dns_server", world.path("zone"), namespace="relay")

    def say(self, *lines):
        """What there is from now on."""
        new = self.world.write("zone.new", "".join(line + "\n" for line in lines))
        os.rename(new, self.world.path("zone"))

    def asked(self):
        return self.server.out().split()


def addresses(daemon, name="pods"):
    """The destinations of a rule that can be sent to."""
    return [o["address"] for o in daemon.rule(name)["outputs"] if o["state"] == "up"]


def wait_for(daemon, wanted, name="pods"):
    until(lambda: addresses(daemon, name) == wanted,
          lambda: f"{name} sends to {wanted}: {daemon.rule(name)['outputs']}")


def unknown_at_first(world, names):
    done = world.call("check", "-c", world.write("check.toml", text(PODS)))
    equal((done.returncode, names.asked()), (0, []), "`mcr check` asks nobody")
    daemon = Daemon(world, text(PODS, OTHER)).start(active=False)
    reason = "host 'pods.test': Name or service not known"
    until(lambda: daemon.rule("pods")["reason"].endswith(reason),
          lambda: f"the reason: {daemon.rule('pods')}")
    found = daemon.rule("pods")
    equal(found["state"], "waiting", "the rule without an address")
    output = found["outputs"][0]
    equal((output["host"], output["address"], output["state"], output["reason"]),
          ("pods.test", None, "waiting", reason), "its output")
    words = " ".join(world.call("status", "pods", "--socket", daemon.socket).stdout.split())
    check("pods.test:6000 on r1, waiting" in words and "getent ahosts pods.test" in words, words)
    return daemon


def appears(world, daemon, names):
    names.say(f"pods.test {TWO}")
    wait_for(daemon, [TWO])
    equal(daemon.rule("pods")["state"], "active", "the rule with an address")
    ledger = Ledger(world, daemon, size=SIZE)
    exact(world, ledger, "239.1.1.1", 5000, scaled(1000), 2000, size=SIZE, out=(TWO, 6000))
    phase("a second address")
    names.say(f"pods.test {THREE} {TWO}")
    wait_for(daemon, [TWO, THREE])
    exact(world, ledger, "239.1.1.1", 5000, scaled(1000), 2000, size=SIZE,
          sinks=[(TWO, 6000, "sink", "s0"), (THREE, 6000, "sink", "s0")])
    ledger.close()
    words = " ".join(world.call("status", "pods", "--socket", daemon.socket).stdout.split())
    check(f"{TWO}:6000 (pods.test) on r1, up" in words, words)


def moves(world, daemon, names):
    """An address that stays has every datagram; what went to the other is counted, too."""
    ledger = Ledger(world, daemon, size=SIZE)
    before = ledger.rest()["status"][0]
    stays = Sink(world, THREE, 6000)
    gen = Gen(world, "239.1.1.1", 5000, rate=scaled(1000), size=SIZE, duration=60 * PATIENCE)
    until(lambda: daemon.rule("pods")["rate_pps"] > 0, "datagrams come")
    names.say(f"pods.test {THREE}")
    wait_for(daemon, [THREE])
    for zone in (f"pods.test {THREE} {TWO}", f"pods.test {THREE}"):
        names.say(zone)
        wait_for(daemon, sorted(zone.split()[1:]))
    gen.stop()
    seen = ledger.settle(gone={(TWO, 6000)})
    offered = ledger.datagrams({("239.1.1.1", 5000): seen["in"]["239.1.1.1", 5000]})
    got = stays.stop()
    equal({"received": got["received"], **faults(got)}, {"received": offered, **FLAWLESS},
          "what the address that stays has")
    after = seen["status"][0]["totals"]
    equal(ledger.datagrams(seen["out"]["r1"]),
          after["tx_datagrams"] - before["totals"]["tx_datagrams"], "datagrams sent in all")
    equal(sum(after["tx_drops"].values()), sum(before["totals"]["tx_drops"].values()), "drops")
    ledger.close()


def both_families(world, daemon, names):
    names.say(f"pods.test {SIX} {TWO}")
    wait_for(daemon, [TWO, SIX])
    ledger = Ledger(world, daemon, size=SIZE)
    exact(world, ledger, "239.1.1.1", 5000, scaled(500), 1000, size=SIZE,
          sinks=[(TWO, 6000, "sink", "s0"), (SIX, 6000, "sink", "s0")])
    ledger.close()


def a_resolver_in_trouble(world, daemon, names):
    names.say("pods.test broken")
    until(lambda: f"kept={TWO},{SIX}" in daemon.log(), "the log tells that addresses are kept")
    equal(addresses(daemon), [TWO, SIX], "addresses while the resolver cannot tell")
    sent = daemon.rule("pods")["outputs"][0]["tx_datagrams"]
    third = rule("third", "239.1.1.8", 5000, [to("pods.test")])
    equal(daemon.reload(text(PODS, OTHER, third)), "+1 -0 ~0 =2", "a reload")
    equal(addresses(daemon), [TWO, SIX], "addresses after a reload")
    equal(daemon.rule("pods")["outputs"][0]["tx_datagrams"], sent, "a count after a reload")
    equal(addresses(daemon, "third"), [TWO, SIX], "addresses of a new rule with a known host")
    equal(daemon.reload(text(PODS, OTHER)), "+0 -1 ~0 =2", "a second reload")


def no_way_to_send(daemon, names):
    names.say(f"pods.test {TWO}", "self.test 10.2.0.1", "group.test 239.3.3.3")
    strange = [rule(name, f"239.1.1.{n}", 5000, [to(f"{name}.test")])
               for n, name in enumerate(("self", "group"), 20)]
    one = rule("one", "239.1.1.30", 5000, [to("pods.test", ', addresses = "one"'),
                                           to("self.test")])
    daemon.reload(text(PODS, OTHER, one, *strange))
    for name, why in (("self", "10.2.0.1 is an address of this host"),
                      ("group", "239.3.3.3 is a group")):
        reason = f"no output can be used: host '{name}.test': {why}"
        until(lambda n=name, r=reason: daemon.rule(n)["reason"] == r,
              lambda n=name: f"{n}: {daemon.rule(n)}")
        equal(daemon.rule(name)["state"], "waiting", name)
    wait_for(daemon, [TWO], "one")
    names.say(f"pods.test {TWO} {THREE}", "self.test 10.2.0.1")
    wait_for(daemon, [TWO, THREE])
    equal(addresses(daemon, "one"), [TWO], "one address is enough")
    daemon.reload(text(PODS, OTHER))


def disappears(world, daemon, names):
    names.say()
    wait_for(daemon, [])
    equal(daemon.rule("pods")["state"], "waiting", "the rule whose host is gone")
    told = world.call("events", "--since", 1, "--count", 100, "--json", "--socket", daemon.socket,
                      prefix=("timeout", "2")).stdout
    hosts = [(e["state"], e["reason"]) for e in map(json.loads, told.splitlines())
             if e.get("host") == "pods.test"]
    for wanted in (("unresolved", "Name or service not known"), ("resolved", TWO),
                   ("resolved", f"{TWO}, {THREE}"), ("resolved", THREE),
                   ("resolved", f"{TWO}, {SIX}")):
        check(wanted in hosts, f"an event {wanted}: {hosts}")


def refused(daemon, names):
    """A reload that is refused looks nobody up."""
    new = rule("new", "239.1.1.7", 5000, [to("refused.test")])
    daemon.configure(text(PODS, OTHER, new) + '[interface.r0]\ningress = "mmap"\n')
    check(daemon.try_reload().returncode != 0, "another ingress needs a restart")
    asked = names.asked().count("pods.test")
    until(lambda: names.asked().count("pods.test") > asked + 1, "the running rules' host is asked for")
    check("refused.test" not in names.asked(), f"what is asked for: {names.asked()}")
    daemon.configure(text(PODS, OTHER))


def a_resolver_that_hangs(world, daemon, names):
    names.say("hang.test silent", f"pods.test {TWO}")
    daemon.reload(text(PODS, OTHER, rule("hang", "239.1.1.3", 5000, [to("hang.test")])))
    until(lambda: "hang.test" in names.asked(), "the name is asked for")
    equal(daemon.rule("hang")["reason"],
          "no output can be used: host 'hang.test': its addresses are not known yet", "its reason")
    wait_for(daemon, [TWO])
    names.say("hang.test silent", f"pods.test {THREE}")
    wait_for(daemon, [THREE])
    for _ in range(5):
        began = time.monotonic()
        daemon.status()
        check(time.monotonic() - began < 2 * PATIENCE, "status is told at once")
    took = daemon.stop()
    check(took < 3 * PATIENCE, f"the relay stops at once, not after {took} s")


def story(world):
    world.line()
    for namespace, interface, address in (("relay", "r1", "fd00:2::1"), ("sink", "s0", SIX)):
        world.sh(f"ip -n {namespace} addr add {address}/64 dev {interface} nodad")
    world.sh(f"ip -n sink addr add {THREE}/24 dev s0")
    names = Names(world)
    phase("a name that is not known yet")
    daemon = unknown_at_first(world, names)
    phase("it appears")
    appears(world, daemon, names)
    phase("it moves while datagrams flow")
    moves(world, daemon, names)
    phase("it has addresses of both families")
    both_families(world, daemon, names)
    phase("the resolver is in trouble")
    a_resolver_in_trouble(world, daemon, names)
    phase("addresses that cannot be sent to")
    no_way_to_send(daemon, names)
    phase("it disappears")
    disappears(world, daemon, names)
    phase("a reload is refused")
    refused(daemon, names)
    phase("the resolver does not answer")
    a_resolver_that_hangs(world, daemon, names)


play(story, 120)
