"""What merging costs: a rule with `merge`, of whose two legs one brings a stream of RTP, beside a plain rule."""

import time

from netlab.expect import Failure

from . import matrix
from .cases import Case, Cell
from .latency import latency
from .trial import Trials

PAYLOAD = 1400
RATE, SLOW_RATE = 50_000, 10_000  # datagrams a second, for CPU and for latency
ROUNDS = 3  # the kinds alternate, and the least of each counts
KINDS = {"": None, "first": 30, "sequence": 120}  # order of `merge`: ns that it may cost


def trial(line, order, rate, slow_rate, seconds):
    """CPU and latency of a relay of its own."""
    cell = Cell(Case("merging", "1 stream of RTP", media=("--rtp",), merge=order), PAYLOAD, "single", 1, "mcr")
    relay = matrix.make_relay(line, "mcr", "64 MiB")
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
        return trials.run(rate, seconds), latency(trials, slow_rate, seconds)
    finally:
        relay.stop()


def measure(line, seconds, say, rate=RATE, slow_rate=SLOW_RATE, rounds=ROUNDS, until=float("inf")):
    """{order: figures}. No round begins after `until` (time.monotonic()), but for the first."""
    found = {order: [] for order in KINDS}
    for number in range(rounds):
        if number and time.monotonic() > until:
            break
        for order, of_it in found.items():
            of_it.append(trial(line, order, rate, slow_rate, seconds))
            say(f"merge: {order or 'none'}", of_it[-1][0])
    result = {}
    for order, of_it in found.items():
        good = [one for one in of_it if not one[0].void]
        if not good:
            result[order] = {"void": of_it[0][0].void}
            continue
        result[order] = {"cpu_ns": min(one.cpu_ns for one, _ in good), "loss": max(one.loss for one, _ in good),
                         "pps": min(one.offered_pps for one, _ in good), "p50_us": min(of["p50"] for _, of in good)}
    return result


def tell(figures):
    """A line for each kind."""
    lines = []
    plain = figures[""]
    for order, one in figures.items():
        name = f'order = "{order}"' if order else "a plain rule"
        if "void" in one:
            lines.append(f"{name}: void: {one['void']}")
            continue
        text = (f"{name}, {PAYLOAD} B, {one['pps']:,.0f} a second: CPU {one['cpu_ns']:.0f} ns a datagram, p50"
                f" {one['p50_us']:.0f} us at {SLOW_RATE:,} a second, lost {one['loss']:.3%}")
        if order and "void" not in plain:
            text += (f": {one['cpu_ns'] - plain['cpu_ns']:+.0f} ns (aim: at most {KINDS[order]} ns),"
                     f" p50 {one['p50_us'] - plain['p50_us']:+.0f} us")
        lines.append(text)
    return "\n".join(lines)
