#!/usr/bin/env python3
"""`merge`: one RTP stream by two paths, of which each loses; it leaves once, and whole where it can.

    gen (g0) ---- (ra) relay (r1) ---- (s0) sink
    gen (g1) ---- (rb)   '
        239.1.1.1:5000 by ra and 239.2.2.2:5002 (or [ff15::2]:5002) by rb  ->  239.9.9.9:6000

What arrives at the sink is captured there and compared with what the sender did: each number that a leg
brought arrives once, bit for bit, and no other does.
"""

import collections
import json
import signal

from netlab.daemon import Daemon, config
from netlab.expect import busy, check, equal, phase, scaled, until
from netlab.ledger import internal
from netlab.offload import switch
from netlab.programs import leg_sender
from netlab.world import play

OUT = ("239.9.9.9", 6000)
A = "239.1.1.1,5000,g0"
B = "239.2.2.2,5002,g1"
SIX = "ff15::2,5002,g1"


def relayed(*more, six=False, by='"rtp"', workers=2, second="rb", expect=""):
    group = "ff15::2" if six else "239.2.2.2"
    text = f"""[[rule]]
name = "merged"
{expect}
inputs = [
  {{ interface = "ra", group = "239.1.1.1", port = 5000 }},
  {{ interface = "{second}", group = "{group}", port = 5002 }},
]
merge = {{ by = {by}, order = "first" }}
outputs = [ {{ interface = "r1", group = "{OUT[0]}", port = {OUT[1]} }} ]
"""
    return config(text, *more, workers=workers)


class Stream:
    """A sender in the background, and a capture at the sink."""

    def __init__(self, world, *legs, count=3000, rate=3000, first=0, ssrc=7, seed=1):
        self.world, self.ssrc = world, ssrc
        self.capture = world.start_program("timed_capture", "s0", *OUT, namespace="sink")
        self.sender = world.start_program("leg_sender", seed, count, rate, first, ssrc, *legs,
                                          namespace="gen")

    def judge(self, what):
        """All that some leg brought has come, once, and nothing else."""
        equal(self.sender.wait(60), 0, f"exit code of the sender: {self.sender.err()}")
        sent = json.loads(self.sender.out())
        lines = lambda: self.capture.out().split("\n")[:-1]
        until(lambda: len(lines()) >= sent["distinct"],
              lambda: f"{what}: {len(lines())} of {sent['distinct']} have come")
        came = collections.Counter(line.split()[1] for line in lines())
        wanted = {leg_sender.content(self.ssrc, n).hex() for n in sent["numbers"]}
        equal(len(wanted - set(came)), 0, f"{what}: datagrams that some leg brought and that did not come")
        equal(len(set(came) - wanted), 0, f"{what}: datagrams that nobody sent")
        equal(sum(came.values()) - len(came), 0, f"{what}: datagrams that came twice")
        self.capture.kill()
        return sent


def merged(daemon):
    return daemon.rule("merged")


def still(daemon):
    """The rule, when its counters have come to rest."""
    last = [None]

    def same():
        now = merged(daemon)
        before, last[0] = last[0], now["rx_datagrams"]
        return now if before == now["rx_datagrams"] else None

    return until(same, "the relay has counted everything")


def quiet(daemon):
    """An input that was quiet for a second has no say in what the stream is: the next one is followed at once."""
    until(lambda: merged(daemon)["last_seen_s"] > 1.1, "a second of silence")


def losses(world, daemon):
    phase("each leg loses 3 % and changes the order; the second is 40 ms behind; numbers wrap")
    stream = Stream(world, A + ",3,0", SIX + ",3,40", first=64000)
    sent = stream.judge("two legs")
    rule = still(daemon)
    internal(daemon.status())
    equal(rule["merge"]["lost"], sent["lost"], "merge.lost")
    legs = [entry["leg"] for entry in rule["inputs"]]
    equal([leg["received"] for leg in legs], sent["sent"], "received by leg")
    check(rule["merge"]["recovered"] > 30, f"the second path was good for something: {rule['merge']}")
    equal(rule["merge"]["recovered"], legs[0]["missing"] - sent["lost"], "merge.recovered")
    check(legs[0]["missing"] and legs[1]["missing"], f"both legs have missed some: {legs}")
    check(legs[1]["skew_us"]["p50"] > 20000, f"the second leg is behind: {legs[1]}")
    equal(rule["drops"]["duplicate"], sum(sent["sent"]) - sent["distinct"], "drops.duplicate")
    equal((rule["merge"]["resets"], rule["merge"]["mismatches"]), (0, 0), "resets, mismatches")
    text = world.call("status", "merged", "--socket", daemon.socket).stdout
    check("recovered" in text and "class" in text, f"mcr status merged:\n{text}")


def superframes(world, daemon):
    phase("superframes that only partly came before")
    before = merged(daemon)["merge"]["lost"]
    stream = Stream(world, A + ",10,0,7", B + ",10,5,16", first=2000, ssrc=8, count=4000)
    sent = stream.judge("superframes")
    equal(still(daemon)["merge"]["lost"] - before, sent["lost"], "merge.lost")
    internal(daemon.status())


def one_leg(world, daemon):
    phase("a leg dies and returns")
    first = 10000
    for turn, legs in enumerate(((A + ",0,0", B + ",0,5"), (A + ",0,0",), (A + ",0,0", B + ",0,5"),
                                 (B + ",0,0",))):
        alone = len(legs) == 1
        stream = Stream(world, *legs, first=first, ssrc=9, count=1200, rate=300 if alone else 1200)
        if alone:
            until(lambda: "is lost" in merged(daemon)["reason"], "the rule tells of the lost leg")
        stream.judge(f"turn {turn}")
        first += 1200
    check(still(daemon)["inputs"][1]["leg"]["missing"] >= 1200, f"leg 2: {merged(daemon)['inputs']}")
    check("leg lost" in daemon.log() and "leg back" in daemon.log(), "the log tells of it")
    told = until(lambda: daemon.events("merge")[1:], "events tell of it")
    check({(e["before"], e["state"]) for e in daemon.events("merge")} >= {("merged", "lost"), ("lost", "merged")},
          f"the leg is lost, and is back: {told}")


def kernel_drops(daemon):
    return daemon.status()["totals"]["kernel_drops"]


def try_deaths(world, daemon, rate, ssrc, seconds=3, deaths=10, size=200):
    """What the sink has seen; None: the host had no time for this rate."""
    count, drops = rate * seconds, kernel_drops(daemon)
    tally = world.start_program("number_tally", "s0", *OUT, size, namespace="sink")
    sender = world.start_program("dying_legs", count, rate, ssrc, deaths, size, "239.1.1.1,5000,g0,0,40",
                                 "239.2.2.2,5002,g1,5,32", namespace="gen")
    equal(sender.wait(60), 0, f"exit code of the sender: {sender.err()}")
    still(daemon)
    until(lambda: merged(daemon)["outputs"][0]["in_flight"] == 0, "all has left")
    tally.signal(signal.SIGTERM)
    equal(tally.wait(20), 0, f"exit code of the tally: {tally.err()}")
    seen = json.loads(tally.out())
    if kernel_drops(daemon) != drops or seen["dropped"]:
        print(f"{rate} datagrams a second were too many for this host")
        return None
    print(f"asked for {rate} datagrams a second on each leg, {sender.out().strip()} sent")
    equal([seen[key] for key in ("distinct", "twice", "other")], [count, 0, 0], "numbers, doubles, others at the sink")
    return seen


def ten_deaths(world, daemon):
    phase("one leg dies and returns, ten times, in the middle of 100,000 a second: numbers wrap twice a second")
    rate = scaled(100_000, 1000)
    for ssrc in (2, 3, 4):
        before = merged(daemon)
        if try_deaths(world, daemon, rate, ssrc):
            break
        rate //= 4
    else:
        check(False, f"not even {rate} datagrams a second")
    rule = merged(daemon)
    equal(rule["merge"]["lost"] - before["merge"]["lost"], 0, "merge.lost")
    for number, entry in enumerate(rule["inputs"], 1):
        check(entry["leg"]["unique"] > 0 and entry["leg"]["missing"] > 0, f"leg {number} was dead at times: {entry}")
    internal(daemon.status())


def one_interface(world, daemon):
    phase("both legs by one interface; then all legs die: silent, and back")
    daemon.reload(relayed(second="ra", expect='expect = { silent_after = "1s" }'))
    legs = A + ",3,0", B.replace("g1", "g0") + ",3,20"
    quiet(daemon)
    resets = merged(daemon)["merge"]["resets"]
    Stream(world, *legs, count=1500, rate=1500, first=40000, ssrc=60).judge("one interface")
    until(lambda: merged(daemon)["state"] == "silent", "silent", 5)
    back = Stream(world, *legs, count=3000, rate=1000, first=41500, ssrc=60, seed=2)
    until(lambda: merged(daemon)["state"] == "active", "back", 3)
    back.judge("back")
    equal(merged(daemon)["merge"]["resets"] - resets, 1, "merge.resets: the new SSRC, and no other")
    internal(daemon.status())
    daemon.reload(relayed())


def leg_class(world, daemon, delay, ssrc):
    """Of the second leg, which is `delay` ms behind, as status shows it; its skew fits."""
    limits = (("D", 150), ("A", 10_000), ("B", 50_000), ("C", 450_000), ("none", float("inf")))
    daemon.reload(config(workers=2))
    daemon.reload(relayed())
    # Within a leg one datagram or another comes behind its successor.
    count, rate = (50, 1000) if delay else (100, 20_000)
    Stream(world, A + ",0,0", B + f",0,{delay}", count=count, rate=rate, ssrc=ssrc, seed=0).judge(f"{delay} ms")
    leg = still(daemon)["inputs"][1]["leg"]
    equal(leg["class"], next(name for name, most in limits if leg["skew_us"]["max"] <= most),
          f"class of {leg['skew_us']}")
    check(leg["skew_us"]["max"] > 900 * delay, f"{delay} ms: {leg['skew_us']}")
    return leg["class"]


def classes(world, daemon):
    phase("the class of the paths' difference (SMPTE ST 2022-7)")
    for wanted, delay in (("D", 0), ("A", 4), ("B", 30), ("C", 200), ("none", 600)):
        found = set()
        # A program that is woken late makes a difference larger; 150 us are little.
        for ssrc in range(100, 140 if wanted == "D" else 110):
            found.add(leg_class(world, daemon, delay, ssrc))
            if wanted in found:
                break
        else:
            check(wanted == "D", f"paths that are {delay} ms apart are of class {wanted}, not {found}")
            print(f"no paths of class {wanted} on this host, only {found}")


def high_bitrate(world, daemon):
    phase("of a stream of 270 Mbit/s and more class C ends at 150 ms")
    daemon.reload(config(workers=2))
    daemon.reload(relayed())
    sender = world.start_program("dying_legs", 90_000, 30_000, 120, 0, 1200, "239.1.1.1,5000,g0,0,40",
                                 "239.2.2.2,5002,g1,200,40", namespace="gen")
    seen = set()
    while sender.running:
        rule = merged(daemon)
        leg = rule["inputs"][1]["leg"]
        if 150_000 < (leg["skew_us"]["max"] or 0) <= 450_000:
            seen.add((rule["rate_bps"] >= 2 * 270e6, leg["class"]))
    equal(sender.wait(10), 0, f"exit code of the sender: {sender.err()}")
    print(f"at least 270 Mbit/s, class: {sorted(seen)}")
    check(seen <= {(False, "C"), (True, "none")}, f"classes: {seen}")
    check((True, "none") in seen or busy(), f"classes: {seen}")


def restart(world, daemon):
    phase("the sender begins anew, on one leg first")
    resets = merged(daemon)["merge"]["resets"]
    for ssrc in (20, 21, 22):
        Stream(world, A + ",0,30", B + ",0,0", first=500, ssrc=ssrc, count=600, rate=1500).judge(
            f"SSRC {ssrc}")
    equal(still(daemon)["merge"]["resets"] - resets, 3, "merge.resets")


def reloads(world, daemon):
    phase("reloads of another rule and of this one, in the middle of a stream")
    other = '[[rule]]\nname = "other"\ninput = { interface = "ra", group = "239.7.7.7", port = 7 }\n' \
            'outputs = [ { interface = "r1" } ]\n'
    quiet(daemon)
    stream = Stream(world, A + ",2,0", B + ",2,40", first=30000, ssrc=30, count=6000, rate=2000)
    for more in (other, 'comment = "new"\n' + other, other.replace("239.7.7.7", "239.7.7.8"), ""):
        daemon.reload(relayed(more))
    stream.judge("reloads")


def foreign(world, daemon):
    phase("a leg that is another stream is found and not merged")
    quiet(daemon)
    stream = Stream(world, A + ",0,0", first=100, ssrc=40, count=12000, rate=1500)
    until(lambda: len(stream.capture.out()) > 1000, "the stream runs")
    world.start_program("leg_sender", 2, 9000, 1500, 100, 41, B + ",0,0", namespace="gen")
    until(lambda: not merged(daemon)["inputs"][1]["leg"]["copy"], "it is no copy")
    until(lambda: "no copy" in merged(daemon)["reason"], "the rule's reason says so", 3)
    stream.judge("the stream beside it")
    check("leg is no copy" in daemon.log(), "the log tells of it")


def story(world):
    world.namespace("gen", "relay", "sink")
    world.dual_stack("gen", "relay")
    world.link("gen", "g0", "10.1.0.2/24", "relay", "ra", "10.1.0.1/24")
    world.link("gen", "g1", "10.3.0.2/24", "relay", "rb", "10.3.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    world.link_local("gen", "g1")
    daemon = Daemon(world, relayed()).start()
    ten_deaths(world, daemon)
    daemon.stop()
    switch(world, "relay", "r1", tx_udp_segmentation=False)  # the capture sees what the wire would
    daemon = Daemon(world, relayed(six=True)).start()
    losses(world, daemon)
    daemon.stop()
    daemon = Daemon(world, relayed()).start()
    superframes(world, daemon)
    one_leg(world, daemon)
    restart(world, daemon)
    reloads(world, daemon)
    foreign(world, daemon)
    one_interface(world, daemon)
    classes(world, daemon)
    high_bitrate(world, daemon)
    phase("by content")
    daemon.reload(relayed(by='"content"'))
    Stream(world, A + ",3,0", B + ",3,40", first=7000, ssrc=50, count=1500, rate=1500, seed=0).judge(
        "by content")
    equal(merged(daemon)["merge"]["lost"], None, "merge.lost: there are no numbers")
    daemon.stop()


play(story, 150)
