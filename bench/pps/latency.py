"""Send time in the payload to receive time, with a real receiver (`mcr sink`).

The receiver runs on the generator's core, so that the relay keeps its own, and sees frames chosen
at random: enough for percentiles, few enough to cost that core little. Loss is known from counters.
"""

import json
import signal

from netlab.expect import Failure, until

from .trial import gen_args, gso_of, rest

SINGLES_BELOW = 100_000  # datagrams a second that the generator sends one by one without effort
SAMPLED = 15_000  # datagrams a second that the sink shall see


def latency(trials, rate, seconds):
    """What was sent, what came out, and p50, p99, p999, max in microseconds."""
    line, cell = trials.line, trials.cell
    line.watch(cell.case.ports(), sample=max(1, round(rate / SAMPLED)))
    sink = start_sink(trials)
    gso = "off" if cell.input != "superframe" and rate < SINGLES_BELOW else gso_of(cell)
    args = gen_args(cell, line, rate, gso, trials.first) + ["--duration", seconds]
    gen = line.world.start("gen", args, "gen")
    if gen.wait(seconds + 20) != 0:
        raise Failure(f"mcr gen: {gen.err().strip()}")
    out = rest(line, trials.relay).all_delivered()
    until(lambda: not line.world.udp_queued("sink"), "the sink has read everything")
    sink.signal(signal.SIGTERM)
    sink.wait(10)
    sent, seen = json.loads(gen.out()), json.loads(sink.out())
    line.watch(cell.case.ports())
    trials.used(sent)
    trials.remark()
    return {"rate": rate, "pps": sent["pps"], "sent": sent["sent"],
            "delivered": out.payload // cell.payload, "sampled": seen["received"],
            "corrupt": seen["corrupt"], **seen["latency_us"]}


def start_sink(trials):
    """A real receiver, ready, on the generator's core."""
    line, cell = trials.line, trials.cell
    group, port = trials.relay.out(0)
    sink = line.world.start(
        "sink", ["sink", "--interface", "s0", "--group", group, "--port", port, "--streams",
                 cell.case.streams, "--cpu", line.gen_cpu, "--json"], "sink")
    until(lambda: "ready" in sink.err() or not sink.running, lambda: f"sink ready: {sink.err()}")
    if not sink.running:
        raise Failure(f"mcr sink ended: {sink.err()}")
    return sink
