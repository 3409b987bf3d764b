"""What a relay costs, and how long a datagram takes, at rates that users have: fixed ones.

Most streams run at 1,000 to 50,000 datagrams a second, many of them interleaved, one a frame. There
wake-ups are the cost, and the highest rate (matrix.py) says nothing. So each relay is asked for a
few rates, with 1, 50 and 500 streams that change with each datagram. Frames that come in are worked
on by the relay's core (RPS), for everybody: `core` has all that a datagram costs, `cpu` what the
relay's own threads use of it.
"""

import dataclasses
import json
import os
import signal
import time

from netlab.expect import Failure, Skip, until

from .cases import CASES, Cell
from .latency import SAMPLED, start_sink
from .matrix import make_relay
from .trial import Trials

RATES = (1_000, 10_000, 50_000, 100_000, 400_000)
STREAMS = ("one", "fifty", "fivehundred")
RELAYS = ("socat", "smcroute-rps", "mcrd", "mcr", "poll", "kernel")
PAYLOAD = 1400
LOST = 0.01  # share; a relay that loses more is not asked for higher rates


@dataclasses.dataclass(frozen=True)
class Effort:
    rates: tuple = RATES
    streams: tuple = STREAMS
    relays: tuple = RELAYS
    seconds: float = 4.0
    deadline: float = float("inf")


QUICK = Effort(rates=(10_000, 50_000, 400_000), streams=("one", "fifty"), seconds=1.5,
               relays=("socat", "smcroute-rps", "mcr", "kernel"))


def cells(effort):
    return [Cell(CASES[case], PAYLOAD, "frames", 1, relay)
            for case in effort.streams for relay in effort.relays]


def measure(line, cell, effort, say):
    """One relay with so many streams, rate by rate: a dictionary for the report."""
    result = {"relay": cell.relay, "streams": cell.case.streams, "rates": []}
    if time.monotonic() > effort.deadline:
        return {**result, "skipped": "out of time"}
    relay = make_relay(line, cell.relay, None)
    reason = relay.unavailable(cell)
    if reason:
        return {**result, "skipped": reason}
    os.sched_setaffinity(0, {line.gen_cpu})  # the relay's core is the relay's
    try:
        line.set_input(cell.input)
        line.count_at_ingress = relay.counted_at_ingress
        line.watch(cell.case.ports())
        relay.start(cell)
        result["steered"] = bool(line.steer(True))
        _measure_rates(Trials(line, relay, cell), effort, say, result["rates"])
    except Skip as skip:
        result["skipped"] = str(skip)
    except Failure as failure:
        result["failed"] = str(failure)[:600]
    finally:
        relay.stop()
        line.steer(False)
        os.sched_setaffinity(0, {line.gen_cpu, line.relay_cpu})
    return result


def _measure_rates(trials, effort, say, rows):
    trials.warm_up()
    for rate in effort.rates:
        row = _at(trials, rate, effort.seconds)
        rows.append(row)
        say(row)
        if row["lost"] > LOST:
            break


def _at(trials, rate, seconds):
    line, cell = trials.line, trials.cell
    line.watch(cell.case.ports(), sample=max(1, round(rate / SAMPLED)))
    sink = start_sink(trials)
    trials.remark()
    trial = trials.run(rate, seconds)
    until(lambda: not line.world.udp_queued("sink"), "the sink has read everything")
    sink.signal(signal.SIGTERM)
    sink.wait(10)
    seen = json.loads(sink.out())["latency_us"]
    return {"rate": rate, "offered_pps": trial.offered_pps, "lost": trial.loss,
            "cpu_ns": trial.cpu_ns, "core_ns": trial.core_ns, "void": trial.void,
            "drops": trial.drops, **{key: seen[key] for key in ("p50", "p99", "p999")}}
