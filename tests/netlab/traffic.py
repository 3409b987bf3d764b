"""Traffic through the relay: `mcr gen` at one end, `mcr sink` at the other, exactness between.

A sink runs until it is told to stop, so that duplicates and strays after the last expected
datagram are seen too.

A shared machine can be too slow for a rate: then a socket buffer overflows, and the kernel
counts it (the relay's kernel_drops, the sink's RcvbufErrors). `exact` tries again at half the
rate where, and only where, such a counter moved; any other loss fails at once.
"""

import json
import signal

from netlab.expect import PATIENCE, Failure, check, equal, phase, scaled, until
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger


# What a sender may do; before Linux 6.2 superframes cannot be read.
GSO = ("off", "on") if superframes_are_described() else ("off",)


class Gen:
    """`mcr gen` in the background. Rate and count are totals over all streams."""

    def __init__(self, world, group, port, streams=1, rate=None, size=1400, count=None,
                 duration=None, namespace="gen", interface="g0", gso="off", ttl=16, more=()):
        args = ["gen", "--interface", interface, "--group", group, "--port", port,
                "--streams", streams, "--size", size, "--ttl", ttl, "--gso", gso, "--json", *more]
        if rate:
            args += ["--rate", rate]
        if count is not None:
            args += ["--count", count]
        if duration is not None:
            args += ["--duration", duration]
        self.process = world.start("gen", args, namespace)

    def wait(self, seconds=60):
        """Its JSON, when it has sent everything."""
        code = self.process.wait(seconds)
        equal(code, 0, f"exit code of mcr gen ({self.process.err().strip()})")
        return json.loads(self.process.out())

    def stop(self):
        """Ends it early; what it has sent is what the counters at the relay's ingress say."""
        self.process.signal(signal.SIGTERM)
        self.process.wait(10)


class Sink:
    """`mcr sink` in the background, listening when this returns."""

    def __init__(self, world, group, port, streams=1, namespace="sink", interface="s0",
                 strict=False):
        self.world, self.namespace = world, namespace
        args = ["sink", "--interface", interface, "--group", group, "--port", port,
                "--streams", streams, "--json"] + ["--strict"] * strict
        self.process = world.start("sink", args, namespace)
        until(
            lambda: "ready" in self.process.err() or not self.process.running,
            lambda: f"mcr sink is ready: {self.process.err()}",
        )
        if not self.process.running:
            raise Failure(f"mcr sink exited {self.process.wait(1)}: {self.process.err()}")

    def stop(self, expect=0):
        """Its JSON, of all that it has received."""
        until(lambda: not self.world.udp_queued(self.namespace), "the sinks have read everything")
        self.process.signal(signal.SIGTERM)
        code = self.process.wait(10)
        equal(code, expect, f"exit code of mcr sink ({self.process.err().strip()})")
        return json.loads(self.process.out())


def faults(seen):
    return {key: seen[key] for key in ("lost", "duplicated", "reordered", "corrupt")}


FLAWLESS = {"lost": 0, "duplicated": 0, "reordered": 0, "corrupt": 0}


def exact(world, ledger, group, port, count, rate, streams=1, size=1400, out=None, sinks=None,
          **gen):
    """Sends `count` datagrams in all and demands every one, once, in order, intact.

    `out`: (group, port) of the first output stream, by default the input's; `sinks`: further
    (group, port, namespace, interface), each to receive everything as well.
    """
    wanted = [(*(out or (group, port)), "sink", "s0")] if sinks is None else sinks
    rate = scaled(rate)
    for last in (False, False, True):
        excuses = _excuses(world, ledger, wanted)
        listening = [Sink(world, g, p, streams, ns, interface) for g, p, ns, interface in wanted]
        sent = Gen(world, group, port, streams, rate, size, count, **gen).wait()
        equal(sent["sent"], count, "datagrams that mcr gen sent")
        equal(sent["errors"], 0, "errors of mcr gen")
        result = ledger.settle()
        seen = [sink.stop() for sink in listening]
        perfect = all(s["received"] == count and faults(s) == FLAWLESS for s in seen)
        if perfect:
            return result
        slow = {
            key: value - excuses[key]
            for key, value in _excuses(world, ledger, wanted).items() if value > excuses[key]
        }
        if last or not slow:
            for s, (g, p, *_) in zip(seen, wanted):
                equal({"received": s["received"], **faults(s)}, {"received": count, **FLAWLESS},
                      f"what the sink of {g}:{p} saw, at {rate} pps ({slow or 'no drop counted'})")
        phase(f"this machine is too slow for {rate} pps {slow}: again at half of it")
        rate = max(1, rate // 2)
    return None


def _excuses(world, ledger, wanted):
    found = {
        f"kernel_drops of {daemon.name}": daemon.status()["totals"]["kernel_drops"]
        for daemon in ledger.daemons
    }
    for namespace in {w[2] for w in wanted}:
        found[f"full sockets in {namespace}"] = world.udp_errors(namespace)
    return found


class Steady:
    """A stream of 600 B through `rule`, 239.1.1.1 to 239.2.1.1, of which nothing may be lost."""

    SIZE = 600

    def __init__(self, world, daemon, rule):
        self.ledger = Ledger(world, daemon, size=self.SIZE)
        self.sink = Sink(world, "239.2.1.1", 5000)
        self.gen = Gen(world, "239.1.1.1", 5000, rate=scaled(1000), size=self.SIZE,
                       duration=120 * PATIENCE)
        until(lambda: daemon.rule(rule)["rx_datagrams"] > 10, "the steady stream runs")

    def end(self):
        """Demands at the sink every datagram that came."""
        check(self.gen.process.running, "the generator still sends")
        self.gen.stop()
        seen = self.ledger.settle()
        got = self.sink.stop()
        offered = seen["in"]["239.1.1.1", 5000].payload // self.SIZE
        equal(seen["kernel_drops"], [0], "frames that the relay's socket had no room for")
        equal({"received": got["received"], **faults(got)}, {"received": offered, **FLAWLESS},
              "what the steady stream lost meanwhile")
        self.ledger.close()
        print(f"steady stream: {offered} datagrams, none lost")
