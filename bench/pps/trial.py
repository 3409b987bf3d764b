"""One trial: one rate for some seconds, counted at both ends, checked against what the relay says.

A trial that does not balance is void: `void` says why, with the numbers, and its figures are not to
be used.
"""

import glob
import json
import os
import re
import sys
import time
from dataclasses import dataclass

from netlab.expect import Failure, until
from netlab.process import Process

from .cases import IN_PORT, in_group
from .topology import MOST_DATAGRAMS

TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Trial:
    asked: float = 0  # datagrams a second; 0: as many as the generator can
    seconds: float = 0
    sent: int = 0
    offered: int = 0  # datagrams that reached the relay
    wanted: int = 0  # datagrams that should have left it
    delivered: int = 0
    offered_pps: float = 0
    delivered_pps: float = 0
    frames: int = 0  # they came in
    frames_out: int = 0
    loss: float = 0  # share of `wanted`
    cpu_ns: float = 0  # of the relay's threads, a datagram out
    core_ns: float = 0  # of the relay's whole core with interrupts, a datagram out
    drops: str = ""  # who says to have dropped what
    status_ms: float = 0  # how long `mcr status` took meanwhile, where it was asked for
    void: str = ""

    @property
    def reached(self):
        """Whether the generator came up to what it was asked for."""
        return not self.asked or self.offered_pps >= 0.97 * self.asked


def explained(missing, frames, datagrams_a_frame):
    """Whether as many datagrams can be missing when so many frames were dropped."""
    if missing == 0:
        return True  # a frame that is not ours may have been dropped
    return 0 < frames <= missing <= frames * datagrams_a_frame


def cpu_seconds(pids):
    """What the threads of these processes have used. schedstat is exact where ticks only sample."""
    total = 0.0
    for pid in pids:
        for task in glob.glob(f"/proc/{pid}/task/*"):
            try:
                with open(task + "/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0]) / 1e9
            except OSError:
                with open(task + "/stat", encoding="utf-8") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def core_seconds(cpu):
    """What a core has worked until now, interrupts included: its time less its idle time.

    The kernel's own sum of it is exact, but for root only, and brought up to date when the core
    wakes up: so the question is asked on that core. /proc/stat has it in ticks of 10 ms.
    """
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
        with open("/proc/timer_list", encoding="ascii") as file:
            own = file.read().split(f"\ncpu: {cpu}\n", 1)[1]
        idle = re.findall(r"\.(?:idle|iowait)_sleeptime *: (\d+) nsecs", own.split("\ncpu: ", 1)[0])
        return time.monotonic() - sum(map(int, idle)) / 1e9
    except (OSError, IndexError):
        with open("/proc/stat", encoding="ascii") as file:
            fields = next(line for line in file if line.startswith(f"cpu{cpu} ")).split()
        user, nice, system, _, _, irq, softirq = map(int, fields[1:8])
        return (user + nice + system + irq + softirq) / TICK
    finally:
        os.sched_setaffinity(0, before)


def gen_args(cell, line, rate, gso, first=0):
    way = ["--tx-ring", "--interleave"] if cell.input == "frames" else ["--gso", gso]
    return ["gen", "--interface", "g0", "--group", in_group(0), "--port", IN_PORT,
            "--streams", cell.case.streams, "--size", cell.payload, "--ttl", 16, *way,
            "--cpu", line.gen_cpu, "--json", *cell.case.media,
            "--rate", "max" if not rate else f"{rate:.0f}", "--first", first]


def gso_of(cell):
    """Interleaved single frames must leave the generator one by one; else it may send in bulk."""
    return "off" if cell.input != "superframe" and cell.case.streams > 1 else "on"


def offer(cell, line, rate, seconds, first):
    """The generator at work. Superframes at a given rate come from bulk.py: full ones."""
    if not rate or cell.input != "superframe":
        args = gen_args(cell, line, rate, gso_of(cell), first) + ["--duration", seconds]
        return line.world.start("gen", args, "gen")
    bulk = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bulk.py")
    argv = [bulk, "10.1.0.2", in_group(0), IN_PORT, cell.case.streams, cell.payload, rate, seconds,
            line.gen_cpu]
    name = f"bulk{len(line.world.processes)}"
    process = Process(line.world.directory, name,
                      ["ip", "netns", "exec", "gen", sys.executable, *map(str, argv)])
    line.world.processes.append(process)
    return process


def rest(line, relay):
    """Waits until nothing moves any more; returns the counters."""
    last = [line.read(), time.monotonic()]

    def still():
        if time.monotonic() < last[1] + 0.04:
            return None
        now = line.read()
        same = now == last[0]
        last[:] = now, time.monotonic()
        return now if same else None

    reading = until(still, "traffic comes to rest", 20)
    relay.settle()
    return reading


class Trials:
    """Trials of one cell: a running relay on a watched line."""

    def __init__(self, line, relay, cell):
        self.line, self.relay, self.cell = line, relay, cell
        self._mark = None  # counters and the relay's word for them, at rest
        self.first = 0  # number of the next generator's datagrams: to a merged rule, used ones are copies

    def warm_up(self):
        args = gen_args(self.cell, self.line, 20000, gso_of(self.cell)) + ["--count", 4000]
        process = self.line.world.start("gen", args, "gen")
        process.wait(10)
        self.used(json.loads(process.out()))
        self.remark()

    def used(self, sent):
        """The numbers of what a generator sent are used."""
        self.first += -(-sent["sent"] // self.cell.case.streams)

    def remark(self):
        """Whatever was counted until now belongs to no trial."""
        self._mark = rest(self.line, self.relay), self.relay.account()

    def run(self, rate, seconds, ask_status=False):
        """`rate` 0: as much as the generator can."""
        line, relay, cell = self.line, self.relay, self.cell
        before, account_before = self._mark
        pids = relay.pids()
        cpu, core = cpu_seconds(pids), core_seconds(line.relay_cpu)
        process = offer(cell, line, rate, seconds, self.first)
        status_ms = self._timed_status(seconds) if ask_status else 0
        code = process.wait(seconds + 20)
        if code != 0:
            raise Failure(f"the generator exited {code}: {process.err().strip()}")
        sent = json.loads(process.out())
        self.used(sent)
        after = rest(line, relay)
        cpu, core = cpu_seconds(pids) - cpu, core_seconds(line.relay_cpu) - core
        account = relay.account()
        self._mark = after, account
        trial = self._sum_up(rate, sent, after - before, cpu, core)
        trial.status_ms = status_ms
        trial.void, trial.drops = self._audit(trial, after - before, account_before, account)
        return trial

    def _timed_status(self, seconds):
        time.sleep(seconds / 2)
        began = time.monotonic()
        self.relay.ask()
        return (time.monotonic() - began) * 1e3

    def _sum_up(self, rate, sent, delta, cpu, core):
        cell = self.cell
        offered = delta.offered.payload // cell.payload
        came = offered if self.relay.judged_from_ingress else sent["sent"]
        out = delta.all_delivered()
        delivered = out.payload // cell.payload
        wanted = came * cell.case.outputs
        seconds = sent["seconds"] or 1e-9
        return Trial(
            asked=rate, seconds=seconds, sent=sent["sent"], offered=offered, wanted=wanted,
            delivered=delivered, offered_pps=came / seconds, delivered_pps=delivered / seconds,
            frames=delta.offered.frames, frames_out=out.frames,
            loss=(wanted - delivered) / wanted if wanted else 1.0,
            cpu_ns=cpu / delivered * 1e9 if delivered else 0.0,
            core_ns=core / delivered * 1e9 if delivered else 0.0,
        )

    def _audit(self, trial, delta, before, after):
        """("", drops) if every datagram is accounted for; else (what is wrong, drops)."""
        cell = self.cell
        wrong = []
        for name, count in (("r0", delta.offered), ("s0", delta.all_delivered())):
            if count.payload % cell.payload:
                wrong.append(f"{count.payload} B at {name} are no multiple of {cell.payload} B")
        in_frame = MOST_DATAGRAMS if cell.input == "superframe" else 1
        if not explained(trial.sent - trial.offered, delta.lost_before, in_frame):
            wrong.append(f"generator sent {trial.sent}, r0 counted {trial.offered}, g0 dropped"
                         f" {delta.lost_before} frames")
        more, drops = self.relay.audit(cell, delta, before, after)
        if delta.lost_before:
            drops = f"g0 {delta.lost_before} frames " + drops
        if delta.lost_after:
            drops += f" r1 {delta.lost_after} frames"
        return "; ".join(wrong + more), drops.strip()
