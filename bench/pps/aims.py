"""The figures the project wants to reach (two cores, veth, one run), judged from the cells.

`met` is none where the generator's limit leaves it open.
"""


def _find(cells, relay, case, kind, payload=1400, workers=1):
    for cell in cells:
        key = cell["relay"], cell["case"], cell["input"], cell["payload"], cell["workers"]
        if key == (relay, case, kind, payload, workers) and "ndr" in cell:
            return cell
    return None


def _best(cells, relay, case, payload=1400):
    """Whatever way in suits a rival best is what we are measured against."""
    found = [_find(cells, relay, case, kind, payload) for kind in ("single", "superframe", "gro")]
    found = [c for c in found if c and _rate(c)]
    return max(found, key=_rate, default=None)


def _routing(cells):
    found = [_find(cells, name, "one", "single") for name in ("smcroute", "smcroute-rps")]
    return max(found, key=_rate)


def _rate(cell):
    return 0 if not cell or cell["ndr"]["void"] else cell["ndr"]["pps"]


def _row(figure, aim, value, met, unit="x", sign=""):
    shown = f"{sign}{value:,.2f} {unit}" if value < 100 else f"{sign}{value:,.0f} {unit}"
    return {"figure": figure, "aim": aim, "value": value, "shown": shown.strip(), "met": met}


SIGNS = {(False, False): "", (True, False): ">= ", (False, True): "<= ", (True, True): "about "}


def _ratio(figure, ours, theirs, aim, at_least_is_enough=False):
    if not _rate(ours) or not _rate(theirs):
        return []
    value = _rate(ours) / _rate(theirs)
    low, high = ours["ndr"]["at_least"], theirs["ndr"]["at_least"]
    text = f"{aim:g} x" + (", or the generator's limit" if at_least_is_enough else "")
    if low and at_least_is_enough:
        met = True
    elif high:  # theirs may be more: too little is certain, enough is not
        met = None if low or value >= aim else False
    else:
        met = True if value >= aim else None if low else False
    return [_row(figure, text, value, met, sign=SIGNS[low, high])]


def _rates(cells):
    socat, socat64 = _best(cells, "socat", "one"), _best(cells, "socat", "one", 64)
    rows = []
    for kind in ("superframe", "gro"):
        ours = _find(cells, "mcr", "one", kind)
        rows += _ratio(f"NDR 1400 B, 1 stream, {kind}, to socat", ours, socat, 10)
        rows += _ratio(f"NDR 1400 B, 1 stream, {kind}, to kernel routing of single frames", ours,
                       _routing(cells), 2)
        rows += _ratio(f"NDR 64 B, 1 stream, {kind}, to socat",
                       _find(cells, "mcr", "one", kind, 64), socat64, 10)
    single = _find(cells, "mcr", "one", "single")
    rows += _ratio("NDR 1400 B, single frames, to socat", single, socat, 4.5, True)
    rows += _ratio("NDR with 10,000 rules to 1 rule, single frames",
                   _find(cells, "mcr", "rules10k", "single"), single, 0.95)
    rows += _ratio("NDR of 50 streams interleaved to 1, single frames (stated)",
                   _find(cells, "mcr", "fifty", "single"), single, 0)
    return rows


def _fanout(cells):
    rows = []
    for case, aim in (("fanout10", 10e6), ("fanout50", 15e6)):
        found = [_find(cells, "mcr", case, kind) for kind in ("superframe", "gro")]
        found = [c for c in found if c and not c["ndr"]["void"]]
        if found:
            best = max(found, key=lambda c: c["ndr"]["out_pps"])["ndr"]
            rows.append(_row(f"1 stream to {case[6:]} outputs, 1400 B, datagrams out a second",
                             f"{aim / 1e6:.0f} M", best["out_pps"] / 1e6,
                             best["out_pps"] >= aim, "M", ">= " if best["at_least"] else ""))
    return rows


def _cpu(cells):
    plain = _find(cells, "plain", "one", "single")
    rows = []
    for kind, aim in (("superframe", 0.25), ("gro", 0.25), ("single", 0.55)):
        ours = _find(cells, "mcr", "one", kind)
        if plain and ours and "cpu" in plain and "cpu" in ours and plain["cpu"]["ns"]:
            value = ours["cpu"]["ns"] / plain["cpu"]["ns"]
            rows.append(_row(f"CPU a datagram, 1400 B, {kind}, of plain mode's", f"<= {aim:g}",
                             value, value <= aim))
    return rows


def _latency(cells):
    rows = []
    socat = _find(cells, "socat", "one", "single")
    theirs = {l["at"]: l for l in (socat or {}).get("latency", [])}.get("10% of NDR")
    ours = _find(cells, "mcr", "one", "single")
    mine = {l["at"]: l for l in (ours or {}).get("latency", [])}.get("10% of socat's NDR")
    if theirs and mine and theirs["p99"]:
        value = mine["p99"] / theirs["p99"]
        rows.append(_row("latency p99 at 10 % of socat's NDR, to socat's", "<= 1", value,
                         value <= 1))
    return rows


def _fixed(fixed, relay, streams, rate):
    for cell in fixed:
        if (cell["relay"], cell["streams"]) == (relay, streams):
            good = (row for row in cell["rates"] if row["rate"] == rate and not row["void"])
            return next(good, None)
    return None


KERNEL_SHARES = {10_000: 1 / 8, 50_000: 1 / 5, 100_000: 1 / 3, 400_000: 1 / 3}  # of the worker's


def judge_fixed(fixed):
    rows = []
    for rate, aim in KERNEL_SHARES.items():
        ours, worker = (_fixed(fixed, relay, 1, rate) for relay in ("kernel", "mcr"))
        if ours and worker and worker["core_ns"]:
            value = ours["core_ns"] / worker["core_ns"]
            rows.append(_row(f"core at {rate / 1e3:.0f} k/s, kernel's way, of the worker's",
                             f"<= {aim:.2f}", value, value <= aim))
    for relay, rival, figure, aim in (("kernel", "smcroute-rps", "p50", 2),
                                      ("kernel", "smcroute-rps", "p99", 2),
                                      ("poll", "socat", "p50", 0.5), ("mcr", "socat", "p50", 1)):
        ours, theirs = (_fixed(fixed, name, 1, 50_000) for name in (relay, rival))
        if ours and theirs and theirs[figure]:
            value = ours[figure] / theirs[figure]
            rows.append(_row(f"latency {figure} at 50 k/s, {relay}, to {rival}'s", f"<= {aim:g}",
                             value, value <= aim))
    return rows


def judge(cells):
    rows = _rates(cells) + _fanout(cells) + _cpu(cells) + _latency(cells)
    for cell in cells:
        if cell["relay"] == "mcr" and cell.get("compile_ms") and cell["case"] == "rules10k":
            rows.append(_row("compile and publish of 10,000 rules", "< 100 ms",
                             cell["compile_ms"], cell["compile_ms"] < 100, "ms"))
            break
    one = _find(cells, "mcr", "one", "single")
    if one:
        mib = one["resident_kib"] / 1024
        rows.append(_row("resident memory, 1 worker, 1 rule, idle", "< 64 MiB", mib, mib < 64,
                         "MiB"))
    return rows
