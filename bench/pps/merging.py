"""What merging costs: a rule with `merge`, of whose two legs one brings a stream, beside a plain rule.
CPU a datagram, and latency."""

import time

from . import matrix
from .cases import Case, Cell
from .latency import latency

PAYLOAD = 1400
RATE = 50_000  # datagrams a second
ROUNDS = 3  # the kinds alternate, and the least of each counts
KINDS = {"": None, "first": 30, "sequence": 120}  # order of `merge`: ns that it may cost


def trial(line, order, rate, seconds):
    """One trial of a relay of its own, and its latency."""
    cell = Cell(Case("merging", "1 stream", merge=order), PAYLOAD, "single", 1, "mcr")
    with matrix.own_relay(line, cell) as trials:
        return trials.run(rate, seconds), latency(trials, rate, seconds)


def measure(line, seconds, say, rate=RATE, rounds=ROUNDS, until=float("inf")):
    """{order: figures}. No round begins after `until` (time.monotonic()), but for the first."""
    found = {order: [] for order in KINDS}
    for number in range(rounds):
        if number and time.monotonic() > until:
            break
        for order, of_it in found.items():
            of_it.append(trial(line, order, rate, seconds))
            say(f"merge: {order or 'none'}, p50 {of_it[-1][1]['p50']:.1f} us", of_it[-1][0])
    result = {}
    for order, of_it in found.items():
        good = [(one, late) for one, late in of_it if not one.void]
        if not good:
            result[order] = {"void": of_it[0][0].void}
            continue
        result[order] = {"cpu_ns": min(one.cpu_ns for one, _ in good),
                         "loss": max(one.loss for one, _ in good),
                         "pps": min(one.offered_pps for one, _ in good),
                         "p50_us": min(late["p50"] for _, late in good)}
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
        text = (f"{name}, {PAYLOAD} B, {one['pps']:,.0f} a second: CPU {one['cpu_ns']:.0f} ns a datagram,"
                f" p50 {one['p50_us']:.1f} us, lost {one['loss']:.3%}")
        if order and "void" not in plain:
            text += f": {one['cpu_ns'] - plain['cpu_ns']:+.0f} ns (aim: at most {KINDS[order]} ns)"
        lines.append(text)
    return "\n".join(lines)
