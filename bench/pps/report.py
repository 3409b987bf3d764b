"""A run's report: JSON, a table for the terminal, Markdown. And how a trial is told meanwhile."""

import json
import os
import platform
import subprocess
import time

COLUMNS = ("payload", "case", "input", "workers", "relay", "NDR in", "PDR in", "out", "CPU ns",
           "core ns", "a frame in/out", "latency us at 10 % NDR", "at 80 %", "remarks")
VERDICTS = {True: "met", False: "missed", None: "open"}
LEFT = 5  # so many columns are text


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def commit(top):
    done = subprocess.run(["git", "-C", top, "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip()


def meta(line, command, top):
    def version(*argv):
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return (done.stdout + done.stderr).strip()

    socat = [l for l in version("socat", "-V").splitlines() if "version" in l]
    with open("/proc/self/uid_map", encoding="ascii") as file:
        mapped = file.read().split()[2] != "4294967295"
    return {
        "command": command,
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "mcr": version(line.world.mcr, "--version"),
        "commit": commit(top),
        "socat": " ".join(socat[0].split()[:3]) if socat else "",
        "smcroute": (version("smcrouted", "-v").splitlines() or [""])[0],
        "user_namespace": mapped,  # then the kernel grants no more than rmem_max
        "generator_cpu": line.gen_cpu,
        "relay_cpu": line.relay_cpu,
    }


def tell(trial):
    """One line of progress."""
    asked = f"{trial.asked / 1e3:8.1f}" if trial.asked else "     max"
    text = (f"    asked {asked} kpps, offered {trial.offered_pps / 1e3:8.1f}, out"
            f" {trial.delivered_pps / 1e3:9.1f}, lost {trial.loss:9.4%},"
            f" CPU {trial.cpu_ns:6.0f} ns")
    if trial.drops:
        text += f"  ({trial.drops})"
    return text + (f"\n    VOID: {trial.void}" if trial.void else "")


def kpps(figure):
    if figure["void"]:
        return "void"
    if not figure["pps"]:
        return "none"
    return (">= " if figure["at_least"] else "") + f"{figure['pps'] / 1e3:,.0f} k"


def _latency(cell, share):
    for entry in cell.get("latency", []):
        if entry["at"] == f"{share} of NDR":
            lost = entry["sent"] - entry["delivered"]
            lost = f" ({lost} lost)" if lost else ""
            return "/".join(f"{entry[k]:.0f}" for k in ("p50", "p99", "p999", "max")) + lost
    return ""


def _remarks(cell):
    found = [f"{kind}: {cell[kind]}" for kind in ("skipped", "failed") if kind in cell]
    if cell.get("ndr", {}).get("void"):
        found.append("void: " + cell["ndr"]["void"])
    void = sum(1 for t in cell.get("trials", []) if t["void"])
    if void:
        found.append(f"{void} of {len(cell['trials'])} trials void")
    return "; ".join(found)[:160]


FIXED_COLUMNS = ("streams", "relay", "datagrams/s", "CPU us", "core us", "latency us p50/p99/p99.9",
                 "remarks")


def fixed_rows(cells):
    """One row for each relay, number of streams and rate; times a datagram out."""
    for cell in cells:
        start = [str(cell["streams"]), cell["relay"]]
        for row in cell["rates"]:
            lost = f"{row['lost']:.2%} lost" if row["lost"] else ""
            short = row["offered_pps"] < 0.97 * row["rate"]
            void = row["void"] and "VOID: " + row["void"]
            offered = f"{row['offered_pps'] / 1e3:,.0f} k offered" if short else ""
            yield start + [
                f"{row['rate'] / 1e3:,.0f} k", f"{row['cpu_ns'] / 1e3:.2f}",
                f"{row['core_ns'] / 1e3:.2f}",
                "/".join(f"{row[key]:.0f}" for key in ("p50", "p99", "p999")),
                "; ".join(filter(None, (offered, lost, void)))[:160],
            ]
        said = [f"{kind}: {cell[kind]}" for kind in ("skipped", "failed") if kind in cell]
        if said:
            yield start + [""] * 4 + ["; ".join(said)[:160]]


def tell_fixed(row):
    """One line of progress."""
    return (f"    {row['offered_pps'] / 1e3:8.1f} kpps, lost {row['lost']:9.4%},"
            f" CPU {row['cpu_ns']:6.0f} ns, core {row['core_ns']:6.0f} ns,"
            f" p50 {row['p50']:.0f} p99 {row['p99']:.0f} us"
            + (f"  ({row['drops']})" if row["drops"] else "")
            + (f"\n    VOID: {row['void']}" if row["void"] else ""))


def rows(cells):
    for cell in cells:
        start = [str(cell["payload"]), cell["case"], cell["input"], str(cell["workers"]),
                 cell["relay"]]
        if "ndr" not in cell:
            yield start + [""] * (len(COLUMNS) - LEFT - 1) + [_remarks(cell)]
            continue
        cpu = cell.get("cpu", {})
        yield start + [
            kpps(cell["ndr"]), kpps(cell["pdr"]), f"{cell['ndr']['out_pps'] / 1e6:.2f} M",
            *(f"{cpu[key]:.0f}" if cpu.get(key) else "" for key in ("ns", "core_ns")),
            f"{cpu['in_a_frame']:.1f}/{cpu['out_a_frame']:.1f}" if cpu else "",
            _latency(cell, "10%"), _latency(cell, "80%"), _remarks(cell),
        ]


def _aligned(head, body):
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    return [
        "  ".join(text.ljust(w) for text, w in zip(row, widths)).rstrip() for row in [head, *body]
    ]


def _tables(report):
    """What there is to show: (head, rows) of each table."""
    if report["cells"]:
        yield list(COLUMNS), list(rows(report["cells"]))
    if report.get("fixed"):
        yield list(FIXED_COLUMNS), list(fixed_rows(report["fixed"]))
    if report["aims"]:
        yield ["figure", "aim", "measured", ""], [
            [a["figure"], a["aim"], a["shown"], VERDICTS[a["met"]]] for a in report["aims"]]


def table(report):
    return "\n\n".join("\n".join(_aligned(head, body)) for head, body in _tables(report))


def _markdown_table(head, body):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in body)]


def markdown(report):
    m = report["meta"]
    where = "in a user namespace" if m["user_namespace"] else "as root"
    lines = [
        f"`{m['command']}`", "",
        f"{m['date']}; {m['cpus']} CPUs {m['cpu']}; Linux {m['kernel']}; {m['mcr']}"
        f" ({m['commit'] or 'no commit'}); {m['socat'] or 'no socat'};"
        f" {m['smcroute'] or 'no smcroute'}; {where}; load average at the start"
        f" {m['load_average']:.1f}.",
    ]
    for head, body in _tables(report):
        lines += ["", *_markdown_table(head, body)]
    return "\n".join(lines)


def write(report, directory):
    path = os.path.join(directory, "report.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    return path
