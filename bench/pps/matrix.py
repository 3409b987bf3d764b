"""The cells of a run, and all that is measured of one."""

import contextlib
import dataclasses
import time

from netlab.expect import Failure, Skip

from . import search
from .cases import CASES, Cell
from .relay import MODES, Mcr
from .rivals import RIVALS
from .trial import Trials
from .latency import latency

CPU_SHARE = 0.7  # of the NDR: where CPU a datagram is taken
LATENCY_SHARES = (0.1, 0.8)  # of the NDR
LATENCY_CASES = ("one", "fifty")


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much time is spent on precision."""

    seconds: float = 2.0  # of a trial
    searches: int = 3  # whose median counts
    steps: int = 10
    pdr_steps: int = 8
    tolerance: float = 0.02
    deadline: float = float("inf")  # time.monotonic() after which no cell begins


QUICK = Effort(seconds=1.0, searches=1, steps=6, pdr_steps=1, tolerance=0.04)


def quick_cells(names):
    """What BENCH's table asks for, as far as two minutes reach. The yardsticks come first."""
    one = [Cell(CASES["one"], 1400, "single", 1, name) for name in names]
    rest = [("rules10k", "single"), ("one", "superframe"), ("fanout10", "superframe"),
            ("fanout50", "superframe")]
    return one + [Cell(CASES[case], 1400, kind, 1, "mcr") for case, kind in rest]


def cells(payloads, cases, inputs, workers, names):
    return [
        Cell(CASES[case], payload, kind, count, name)
        for payload in payloads for case in cases for kind in inputs for count in workers
        for name in names
    ]


def make_relay(line, name, receive_buffer):
    return Mcr(line, name, receive_buffer) if name in MODES else RIVALS[name](line)


@contextlib.contextmanager
def own_relay(line, cell):
    """The trials of an `mcr` that runs for them alone, warmed up."""
    relay = make_relay(line, cell.relay, "64 MiB")
    reason = relay.unavailable(cell)
    if reason:
        raise Failure(reason)
    line.set_input(cell.input)
    line.count_at_ingress = relay.counted_at_ingress
    line.watch(cell.case.ports())
    try:
        relay.start(cell)
        trials = Trials(line, relay, cell)
        trials.warm_up()
        yield trials
    finally:
        relay.stop()


def measure(line, cell, effort, say, receive_buffer=None, extra_latency=None):
    """One cell: a dictionary for the report. `extra_latency`: one more rate for latency."""
    result = {
        "relay": cell.relay, "payload": cell.payload, "case": cell.case.name, "input": cell.input,
        "workers": cell.workers, "outputs": cell.case.outputs,
    }
    began = time.monotonic()
    if began > effort.deadline:
        return {**result, "skipped": "out of time"}
    relay = make_relay(line, cell.relay, receive_buffer)
    reason = relay.unavailable(cell)
    if reason:
        return {**result, "skipped": reason}
    try:
        line.set_input(cell.input)
        line.count_at_ingress = relay.counted_at_ingress
        line.watch(cell.case.ports())
        relay.start(cell)
        result["start_s"] = round(time.monotonic() - began, 2)
        _measure_running(Trials(line, relay, cell), effort, say, extra_latency, result)
    except Skip as skip:
        result["skipped"] = str(skip)
    except Failure as failure:
        result["failed"] = str(failure)[:600]
    finally:
        _stop(relay, result)
    result["took_s"] = round(time.monotonic() - began, 1)
    return result


def _stop(relay, result):
    try:
        relay.stop()
    except (Failure, AttributeError) as failure:
        result.setdefault("failed", f"at its end: {str(failure)[:600]}")


def _measure_running(trials, effort, say, extra_latency, result):
    relay, cell = trials.relay, trials.cell
    result["resident_kib"] = relay.resident_kib()
    result["compile_ms"] = relay.compile_ms
    trials.warm_up()
    every = []
    result["trials"] = every

    def offer(rate):
        trial = trials.run(rate, effort.seconds, ask_status=not rate and cell.relay in MODES)
        every.append(dataclasses.asdict(trial))
        say(trial)
        return trial

    ndr, pdr = find_rates(offer, cell, effort)
    result["ndr"], result["pdr"] = figure(ndr), figure(pdr)
    peak = next((t for t in every if not t["asked"] and not t["void"]), None)
    if peak:
        result["generator_pps"] = peak["sent"] / peak["seconds"]
        result["overload"] = {"offered_pps": peak["offered_pps"], "status_ms": peak["status_ms"],
                              "delivered_pps": peak["delivered_pps"]}
    if ndr.pps and not ndr.void:
        cpu = offer(CPU_SHARE * ndr.pps)
        result["cpu"] = {"pps": cpu.offered_pps, "ns": cpu.cpu_ns, "core_ns": cpu.core_ns,
                         "void": cpu.void, "in_a_frame": cpu.offered / max(1, cpu.frames),
                         "out_a_frame": cpu.delivered / max(1, cpu.frames_out)}
        result["resident_loaded_kib"] = relay.resident_kib()
        if cell.case.name in LATENCY_CASES:
            result["latency"] = latencies(trials, effort, ndr.pps, extra_latency)


def find_rates(offer, cell, effort):
    ndr, pdr = [], []
    for _ in range(effort.searches):
        one = search.Search(offer, cell.case.outputs, effort.tolerance, effort.steps)
        ndr.append(one.run(search.NO_LOSS))
        if not ndr[-1].void:
            pdr.append(one.run(search.PARTIAL, effort.pdr_steps))
    least, partial = search.median(ndr), search.median(pdr or ndr)
    return least, partial if partial.void or partial.pps > least.pps else least


def figure(found):
    return {"pps": found.pps, "at_least": found.at_least, "void": found.void,
            "out_pps": found.trial.delivered_pps if found.trial else 0}


def latencies(trials, effort, ndr, extra):
    rates = [(f"{share:.0%} of NDR", share * ndr) for share in LATENCY_SHARES]
    if extra and extra < ndr:
        rates.append(("10% of socat's NDR", extra))
    return [{"at": label, **latency(trials, rate, effort.seconds)} for label, rate in rates]
