"""MCR under test, in each of its modes.

What the trials ask of a relay, here and in rivals.py:
    unavailable(world, cell)  why it cannot do this job, "" if it can
    start() stop() pids()
    settle()                  waits until it has nothing in hand
    account()                 what it says of itself now (any value)
    audit(cell, delta, before, after)  ([what does not add up], "who dropped what")
    out(stream)               where its first output goes: (group, port)
    judged_from_ingress       loss counts from what reached r0; else from what was sent
    counted_at_ingress        nftables counts at r0; else the link itself does
"""

import re
import subprocess
from dataclasses import dataclass

from netlab.daemon import Daemon
from netlab.expect import Failure, Skip, until
from netlab.ledger import internal

from .cases import IN_PORT, OUT_PORT, SINGLES, idle_group, in_group, out_group
from .topology import MOST_DATAGRAMS
from .trial import explained


@dataclass(frozen=True)
class Mode:
    """How the program is started; what this build does not know is skipped."""

    text: str
    arguments: tuple = ()  # of `mcr run`
    daemon: str = ""  # lines of [daemon]
    interface: str = ""  # lines of [interface.r0]
    kernel: bool = False  # its datagrams go the kernel's way


MODES = {
    "mcr": Mode("the worker's way, as it comes"),
    "kernel": Mode("the kernel's way", daemon='fast_path = "require"\n', kernel=True),
    "poll": Mode("workers never sleep", daemon='idle = "poll"\n'),
    "plain": Mode("one copying send a datagram: the yardstick", arguments=("--plain",)),
    "wait": Mode("gathers for up to 20 us", daemon='batch_wait = "20us"\n'),
    "recvmsg": Mode("frame by frame", interface='ingress = "recvmsg"\n'),
    "mmap": Mode("a ring of blocks, which wait", interface='ingress = "mmap"\n'),
}
# GRO as the cell wants it, where this build has the key; ethtool has set the same before.
GRO_KEY = {"single": 'gro = "off"\n', "frames": 'gro = "off"\n', "superframe": 'gro = "off"\n',
           "gro": 'gro = "on"\n'}
WORKER_KEY = 'fast_path = "off"\n'  # where this build has the key

SILENT_GROUP = "239.1.3.255"  # nobody sends there

COMPILED = re.compile(r"rules?\b.* in ([0-9.]+) ms")  # in the log at start


def rule_text(name, group, outputs, inspect="none", merge=""):
    inputs = f'input = {{ interface = "r0", group = "{group}", port = {IN_PORT} }}\n'
    if merge:
        legs = ", ".join(f'{{ interface = "r0", group = "{g}", port = {IN_PORT} }}' for g in (group, SILENT_GROUP))
        by = '{ sequence = { offset = 8, bytes = 8, order = "little" } }'  # of mcr gen's datagrams
        inputs = f'inputs = [ {legs} ]\nmerge = {{ by = {by}, order = "{merge}" }}\n'
    text = ", ".join(f'{{ interface = "r1", group = "{g}", port = {p} }}' for g, p in outputs)
    return (
        f'[[rule]]\nname = "{name}"\n'
        f"{inputs}"
        f"outputs = [ {text} ]\n"
        + (f'inspect = "{inspect}"\n' if inspect != "none" else "") + "\n"
    )


def rules_text(case):
    """The rules with traffic stand in the middle of the idle ones."""
    busy = [
        rule_text(f"busy-{s}", in_group(s), [(out_group(s), p) for p in case.ports()], case.inspect,
                  case.merge)
        for s in range(case.streams)
    ]
    idle = [
        rule_text(f"idle-{n}", idle_group(n), [("239.2.9.9", OUT_PORT)])
        for n in range(case.idle_rules)
    ]
    half = len(idle) // 2
    reflector = '[[reflector]]\nname = "mdns"\nkind = "mdns"\ninterfaces = ["r0", "r1"]\n'
    return "".join(idle[:half] + busy + idle[half:]) + (reflector if case.reflector else "")


class Mcr:
    def __init__(self, line, mode="mcr", receive_buffer=None):
        self.line, self.world, self.name = line, line.world, mode
        self.mode = MODES[mode]
        # The program in the kernel takes frames before nftables sees them.
        self.judged_from_ingress = self.counted_at_ingress = not self.mode.kernel
        self.interface_lines = self.mode.interface
        if receive_buffer:
            self.interface_lines += f'receive_buffer = "{receive_buffer}"\n'
        self.daemon = None
        self.compile_ms = None

    def out(self, stream):
        return out_group(stream), OUT_PORT

    def config(self, cell, newer=True):
        # One worker has the relay's core to itself; more share the generator's: that judges
        # correctness, not speed.
        cpus = [self.line.relay_cpu, self.line.gen_cpu]
        cpus = [cpus[i % 2] for i in range(cell.workers)]
        text = f"[daemon]\nworkers = {cell.workers}\ncpus = {cpus}\n{self.mode.daemon}"
        text += WORKER_KEY if newer and not self.mode.kernel else ""
        interface = self.interface_lines + (GRO_KEY[cell.input] if newer else "")
        if interface:
            text += f"[interface.r0]\n{interface}"
        return text + "\n"

    def _refused(self, cell, newer):
        path = self.world.write("probe.toml", self.config(cell, newer))
        done = self.world.call("check", "-c", path)
        if done.returncode == 0:
            return ""
        return done.stderr.strip().splitlines()[-1].split(": ", 1)[-1]

    def unavailable(self, cell):
        self._newer = not self._refused(cell, True)
        refused = "" if self._newer else self._refused(cell, False)
        help_text = self.world.call("run", "--help").stdout
        refused = refused or ", ".join(a for a in self.mode.arguments if a not in help_text)
        return f"this build has no such mode ({refused})" if refused else ""

    def start(self, cell):
        text = self.config(cell, self._newer) + rules_text(cell.case)
        self.daemon = Daemon(self.world, text, name=f"{self.name}-{len(self.world.daemons)}")
        self.daemon.process = self._launch(cell)
        until(lambda: self.daemon._answers() or self._skipped(),
              lambda: f"mcr answers: {self.daemon.log()[-2000:]}", 20)
        self.daemon.wait_active(30)
        self.compile_ms = max(map(float, COMPILED.findall(self.daemon.log())), default=None)

    def _skipped(self):
        log = self.daemon.log()
        if self.mode.kernel and not self.daemon.process.running and "fast_path" in log:
            self.world.daemons.remove(self.daemon)
            self.daemon = None
            raise Skip(log.strip().splitlines()[-1][-200:])

    def _launch(self, cell):
        args = ["run", "-c", self.daemon.file, "--socket", self.daemon.socket, *self.mode.arguments]
        process = self.world.start(self.daemon.name, args, "relay")
        if cell.workers == 1:  # the control thread, too, stays on the relay's core
            subprocess.run(["taskset", "-apc", str(self.line.relay_cpu), str(process.pid)],
                           capture_output=True, check=False)
        return process

    def pids(self):
        return [self.daemon.process.pid]

    def resident_kib(self):
        return self.daemon.resident_kib()

    def settle(self):
        pass  # account() waits

    def ask(self):
        """One `mcr status`, whatever it says."""
        self.daemon.status()

    def account(self):
        status = self.daemon.status()
        for _ in range(100):  # a zero-copy notification may be late
            if not any(o["in_flight"] for r in status["rules"] for o in r["outputs"]):
                break
            if not self.daemon.process.running:
                raise Failure(f"mcr has ended: {self.daemon.log()[-2000:]}")
            status = self.daemon.status()
        return status

    def audit(self, cell, delta, before, after):
        wrong = []
        try:
            internal(after)
        except Failure as failure:
            wrong.append(str(failure))
        t, u = before["totals"], after["totals"]
        received = u["rx_datagrams"] - t["rx_datagrams"]
        dropped = u["kernel_drops"] - t["kernel_drops"]
        self._audit_input(cell, delta, before, after, received, dropped, wrong)
        self._audit_outputs(delta, before, after, wrong)
        kinds = {
            kind: u[key][kind] - t[key][kind]
            for key in ("drops", "tx_drops") for kind in u[key] if u[key][kind] != t[key][kind]
        }
        if dropped:
            kinds["kernel_drops"] = dropped
        return wrong, ", ".join(f"{kind} {count}" for kind, count in kinds.items())

    @staticmethod
    def _audit_input(cell, delta, before, after, received, dropped, wrong):
        frames = sum(
            i["rx_frames"] * sign
            for status, sign in ((after, 1), (before, -1))
            for i in status["interfaces"] if i["name"] == "r0"
        )
        missing = delta.offered.frames - frames - dropped
        if missing and not (cell.relay == "kernel" and 0 < missing <= delta.backlog):
            wrong.append(f"r0 counted {delta.offered.frames} frames, the relay received {frames}"
                         f" and has {dropped} kernel_drops")
        offered = delta.offered.payload // cell.payload
        most = 1 if cell.input in SINGLES else MOST_DATAGRAMS
        backlog = delta.backlog if cell.relay == "kernel" else 0
        if not explained(offered - received, dropped + backlog, most):
            wrong.append(f"r0 counted {offered} datagrams, the relay {received}, with {dropped}"
                         " frames dropped by the kernel")

    @staticmethod
    def _audit_outputs(delta, before, after, wrong):
        sent = {}
        for status, sign in ((after, 1), (before, -1)):
            for rule in status["rules"]:
                for output in rule["outputs"]:
                    sent[output["port"]] = sent.get(output["port"], 0) + sign * output["tx_bytes"]
        arrived = {port: count.payload for port, count in delta.delivered.items()}
        short = {p: n - arrived.get(p, 0) for p, n in sent.items() if n != arrived.get(p, 0)}
        if short and not (delta.lost_after and min(short.values()) > 0):
            some = ", ".join(f"port {p}: {n} B" for p, n in list(short.items())[:3])
            wrong.append(f"sent by the relay and not counted at s0: {some} ({len(short)} outputs),"
                         f" r1 dropped {delta.lost_after} frames")

    def stop(self):
        if not self.daemon:
            return
        self.daemon.stop()
        self.world.daemons.remove(self.daemon)
