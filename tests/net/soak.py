#!/usr/bin/env python3
"""A soak: reloads, interface flaps and changes of rate, at random, for as long as one likes.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                             (r2) ---- (s2)
        239.1.1.1 ... 239.1.1.16 : 5000   ->   239.2.1.1 ... 239.2.1.16 : 5000
        the first also by r2, whose link stands: so its rule runs while r1 is down

    python3 tests/net/soak.py [SECONDS] [SEED]

8 s by default; 600 for a soak, 86400 for a day. The seed is printed, and repeats the choices.

Round after round: rules and rate at random, events in random order under traffic while status and
metrics are asked for all the time, rest. At rest
the ledger must balance, the groups joined must be those of the rules, and memory and descriptors
must stand where they stood. But for a flap of their input, rules that stay as they are lose
nothing uncounted; rule 1 always stays.
"""

import os
import random
import signal
import sys
import time

from netlab.daemon import Daemon, config, rule
from netlab.expect import PATIENCE, SANITIZED, check, equal, phase, scaled, until
from netlab.kernel import huge_page_kib, kernel_is_at_least
from netlab.ledger import Ledger, internal
from netlab.traffic import GSO, Gen
from netlab.world import play

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 8
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
STREAMS = 16
SIZE = 600
SEGMENTS = 64  # datagrams in a frame, at most
DOWN_COUNTS = kernel_is_at_least(6, 11)  # what a link takes while it goes down: tx_dropped
GROWTH = 1024 + huge_page_kib()  # KiB that allocators may settle by
WARM = 3  # rounds before memory is looked at
FILL = 200_000  # datagrams in superframes that touch every receive buffer of both workers
METRICS_PORT = 9464


def stream(n, output):
    outputs = [("r1", f"239.2.1.{output}")] + [("r2", f"239.2.1.{output}")] * (n == 1)
    return rule(f"s{n}", f"239.1.1.{n}", 5000, outputs)


class Asker:
    """Status and metrics, asked for all the time."""

    def __init__(self, world, daemon):
        self.process = world.start_program("status_asker", daemon.socket, METRICS_PORT, "s1",
                                           10 * PATIENCE, namespace="relay")

    def stop(self):
        """Returns how often both were given."""
        self.process.signal(signal.SIGTERM)
        equal(self.process.wait(30), 0, f"exit code of who asks ({self.process.err()[-2000:]})")
        return len(self.process.out().splitlines())


class Soak:
    def __init__(self, world):
        self.world = world
        self.random = random.Random(SEED)
        self.chosen = {1: 1}  # stream -> last byte of its output's group
        self.daemon = Daemon(world, self.text(), name="relay").start()
        self.ledger = Ledger(world, self.daemon, egress=("r1", "r2"), size=SIZE)
        self.resident, self.descriptors = [], None
        self.done = dict.fromkeys((*(e.__name__ for e in self.events), "round", "asked",
                                   "datagrams", "kernel_drops", "link_drops"), 0)

    def text(self):
        metrics = f'metrics = "127.0.0.1:{METRICS_PORT}"'
        return config(*(stream(n, output) for n, output in self.chosen.items()), workers=2,
                      extra=metrics)

    def fill(self):
        """Every buffer used once, so that memory that grows later is none of theirs."""
        self.chosen = {n: n for n in range(1, STREAMS + 1)}
        self.daemon.reload(self.text())
        Gen(self.world, "239.1.1.1", 5000, STREAMS, "max", SIZE, scaled(FILL), gso=GSO[-1]).wait()
        self.ledger.rest()

    # -- what happens to it

    def reload(self):
        others = self.random.sample(range(2, STREAMS + 1), self.random.randrange(STREAMS))
        self.chosen = {1: 1, **{n: self.random.randrange(2, STREAMS + 1) for n in others}}
        self.daemon.reload(self.text())

    def refused_reload(self):
        self.daemon.configure(self.text() + self.random.choice(
            ("[[rule]\n", 'colour = "red"\n', stream(1, 1), "[daemon]\nworkers = 3\n")))
        done = self.daemon.try_reload()
        equal(done.returncode, 78, f"exit code of a reload to be refused ({done.stdout})")
        self.daemon.configure(self.text())

    def output_flap(self):
        self.flap("r1")

    def input_flap(self):
        self.flap("r0")

    def flap(self, interface):
        self.world.sh(f"ip -n relay link set {interface} down")
        if self.random.random() < 0.5:  # else it comes back before it was missed
            until(lambda: self.interface(interface)["state"] == "down", "the daemon sees it")
        self.world.sh(f"ip -n relay link set {interface} up")
        until(lambda: self.interface(interface)["state"] == "up", "it is up again")
        self.daemon.wait_active()

    def interface(self, name):
        [found] = [i for i in self.daemon.status()["interfaces"] if i["name"] == name]
        return found

    def status(self):
        text = self.world.call("status", "--socket", self.daemon.socket).stdout
        check("s1" in text, f"the status shows rule s1: {text[:500]}")

    events = (reload, refused_reload, output_flap, input_flap, status)

    # -- rounds

    def traffic(self):
        rate = scaled(self.random.choice((1000, 4000, 12000)))
        streams = self.random.randrange(1, STREAMS + 1)
        return Gen(self.world, "239.1.1.1", 5000, streams, rate, SIZE, duration=60,
                   gso=self.random.choice(GSO))

    def round(self):
        self.reload()
        before = self.ledger.rest()
        gen = self.traffic()
        enough = self.came(before["in"], [1]) + 20
        until(lambda: self.came(self.ledger.ingress.read(), [1]) > enough, "traffic comes")
        asker = Asker(self.world, self.daemon)
        happened = [self.random.choice(self.events) for _ in range(self.random.randrange(1, 5))]
        for event in happened:
            event(self)
            self.done[event.__name__] += 1
        self.done["asked"] += asker.stop()
        gen.stop()
        self.balance(before, self.ledger.rest(), {event.__name__ for event in happened})
        until(lambda: self.world.igmp("relay", "r0") == {f"239.1.1.{n}" for n in self.chosen},
              lambda: f"joined is what is wanted: {self.world.igmp('relay', 'r0')}")
        self.done["round"] += 1

    @staticmethod
    def came(counts, streams):
        """Datagrams offered to the rules of these streams."""
        found = (counts.get((f"239.1.1.{n}", 5000)) for n in streams)
        return sum(count.payload // SIZE for count in found if count)

    def balance(self, before, now, happened):
        [old], [new] = before["status"], now["status"]
        internal(new)
        totals = {key: new["totals"][key] - old["totals"][key]
                  for key in ("rx_datagrams", "tx_datagrams", "kernel_drops")}
        lost = totals["tx_datagrams"] - (self.left(now) - self.left(before))
        by_link = self.lost_by_link(new) - self.lost_by_link(old)
        uncounted = "output_flap" in happened and not DOWN_COUNTS
        check(0 <= lost <= totals["tx_datagrams"] if uncounted else 0 <= lost <= by_link * SEGMENTS,
              f"{lost} datagrams sent did not arrive, links dropped {by_link} frames ({happened})")
        stayed = [1] if happened & {"reload", "output_flap"} else list(self.chosen)
        offered = self.came(now["in"], stayed) - self.came(before["in"], stayed)
        missing = offered - (self.received(new, stayed) - self.received(old, stayed))
        if "input_flap" in happened:  # what a link that is down does not deliver nobody can count
            check(0 <= missing <= offered, f"{missing} of {offered} datagrams missing")
        elif not totals["kernel_drops"]:
            equal(missing, 0, f"datagrams lost uncounted, of {offered} ({happened})")
        self.done["datagrams"] += totals["rx_datagrams"]
        self.done["kernel_drops"] += totals["kernel_drops"]
        self.done["link_drops"] += by_link

    @staticmethod
    def lost_by_link(status):
        """Frames: one may be under way when its link goes down."""
        return sum(i["link_tx_dropped"] for i in status["interfaces"])

    def left(self, readings):
        return sum(self.ledger.datagrams(counts) for counts in readings["out"].values())

    @staticmethod
    def received(status, streams):
        names = {f"s{n}" for n in streams}
        return sum(r["rx_datagrams"] for r in status["rules"] if r["name"] in names)

    # -- what must stay flat

    def measure(self):
        """With the rules of the start, so that like is compared with like."""
        self.chosen = {1: 1}
        self.daemon.reload(self.text())
        self.resident.append(self.daemon.resident_kib())
        if self.descriptors is None:
            self.descriptors = self.held()
        until(lambda: self.held() == self.descriptors,
              lambda: f"{self.held()} descriptors, {self.descriptors} at the start")

    def held(self):
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def judge_memory(self):
        early, late = self.resident[WARM], self.resident[-1]
        print(f"resident: {self.resident[0]} KiB at first, {early} after {WARM} rounds, {late}"
              f" last, {max(self.resident)} at most; {self.descriptors} descriptors")
        if not SANITIZED:  # their allocators keep what is freed
            some = self.resident[:: len(self.resident) // 50 + 1]
            check(late - early <= GROWTH, f"memory grows: {some}")


def story(world):
    world.line()
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s2", "10.3.0.2/24")
    phase(f"{SECONDS:g} s, seed {SEED}")
    soak = Soak(world)
    end = time.monotonic() + SECONDS
    soak.fill()
    soak.measure()
    while time.monotonic() < end or soak.done["round"] <= WARM:
        soak.round()
        soak.measure()
    soak.judge_memory()
    print(", ".join(f"{name} {count}" for name, count in soak.done.items()))


play(story, SECONDS + 45)
