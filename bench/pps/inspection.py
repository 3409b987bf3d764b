"""What inspection costs: CPU a datagram of 1,000 rules at 100,000 a second in all, without and with."""

import time

from . import matrix
from .cases import Case, Cell

RULES, RATE = 1000, 100_000
ROUNDS = 3  # without and with alternate, and the least of each counts
KINDS = {  # what the datagrams are: payload, options of `mcr gen`, ns that inspection may cost
    "RTP": (1400, ("--rtp",), 15),
    "MPEG-TS": (1316, ("--ts",), 100),
}


def trial(line, kind, inspect, rules, rate, seconds):
    """One trial of a relay of its own."""
    payload, media, _ = KINDS[kind]
    case = Case("inspection", f"{rules} rules of {kind}", streams=rules, media=media,
                inspect=inspect)
    with matrix.own_relay(line, Cell(case, payload, "single", 1, "mcr")) as trials:
        return trials.run(rate, seconds)


def measure(line, seconds, say, rules=RULES, rate=RATE, rounds=ROUNDS, until=float("inf")):
    """{kind: figures}. No round begins after `until` (time.monotonic()), but for the first."""
    result = {}
    for kind, (payload, _, aim) in KINDS.items():
        found = {"none": [], "auto": []}
        for number in range(rounds):
            if number and time.monotonic() > until:
                break
            for inspect, of_it in found.items():
                of_it.append(trial(line, kind, inspect, rules, rate, seconds))
                say(f"{kind}, inspect = {inspect}", of_it[-1])
        good = {inspect: [t for t in of_it if not t.void] for inspect, of_it in found.items()}
        if not all(good.values()):
            result[kind] = {"void": next(t.void for of_it in found.values() for t in of_it
                                         if t.void)}
            continue
        off, on = (min(t.cpu_ns for t in good[inspect]) for inspect in ("none", "auto"))
        pps = min(t.offered_pps for of_it in good.values() for t in of_it)
        result[kind] = {"payload": payload, "rules": rules, "pps": pps, "off_ns": off, "on_ns": on,
                        "cost_ns": on - off, "aim_ns": aim,
                        "loss": max(t.loss for of_it in good.values() for t in of_it)}
    return result


def tell(figures):
    """A line for each kind."""
    lines = []
    for kind, one in figures.items():
        if "void" in one:
            lines.append(f"{kind}: void: {one['void']}")
            continue
        lines.append(
            f"{kind}, {one['payload']} B, {one['rules']:,} rules, {one['pps']:,.0f} a second:"
            f" CPU {one['off_ns']:.0f} ns a datagram, inspected {one['on_ns']:.0f} ns:"
            f" {one['cost_ns']:+.0f} ns (aim: at most {one['aim_ns']} ns), lost {one['loss']:.3%}")
    return "\n".join(lines)
