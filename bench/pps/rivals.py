"""The others: what a relay is measured against, each where it can do the job.

socat: one process for each stream and output, on the relay's core, with the largest receive buffer
that it can ask for (SO_RCVBUF up to net.core.rmem_max).

smcroute: the kernel routes in the softirq that receives, here on the generator's core, which
therefore slows the generator. It cannot change group or port, nor make copies onto the same
interface. smcroute-rps: the same with RPS, which moves that softirq to the relay's core; there
frames that come and frames that go share one backlog (net.core.netdev_max_backlog).

mcrd: another relay on AF_PACKET and io_uring, if whoever measures has put it into PATH.
"""

import json
import shutil

from netlab.expect import Skip, until
from netlab.process import Process

from .cases import IN_PORT, OUT_PORT, SINGLES, in_group, out_group
from .topology import MOST_DATAGRAMS
from .trial import explained

RECEIVE_BUFFER = 16 << 20
MOST_SOCATS = 50


class Rival:
    package = ""
    program = ""
    compile_ms = None
    counted_at_ingress = True

    def __init__(self, line):
        self.line, self.world = line, line.world
        self.processes = []

    def unavailable(self, cell):
        if not shutil.which(self.program):
            return f"not installed (apt install {self.package})"
        if cell.workers != 1:
            return "has no workers"
        return self.cannot(cell)

    def cannot(self, cell):
        return ""

    def run(self, name, argv):
        argv = ["ip", "netns", "exec", "relay", "taskset", "-c", str(self.line.relay_cpu), *argv]
        process = Process(self.world.directory, f"{name}-{len(self.world.processes)}", argv)
        self.world.processes.append(process)
        self.processes.append(process)
        return process

    def require_running(self):
        for process in self.processes:
            if not process.running:
                raise Skip(f"{self.program} ended: {process.err().strip()[-300:]}")

    def pids(self):
        return [p.pid for p in self.processes]

    def resident_kib(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        return total

    def settle(self):
        self.require_running()

    def stop(self):
        for process in self.processes:
            process.kill()
        self.processes = []


class Socat(Rival):
    name = program = package = "socat"
    judged_from_ingress = True

    def cannot(self, cell):
        if cell.case.idle_rules:
            return "no rules: a process for each"
        if cell.case.streams * cell.case.outputs > MOST_SOCATS:
            return f"more than {MOST_SOCATS} processes"
        return ""

    def out(self, stream):
        return out_group(stream), OUT_PORT

    def start(self, cell):
        for stream in range(cell.case.streams):
            group = in_group(stream)
            source = (f"UDP4-RECV:{IN_PORT},bind={group},ip-add-membership={group}:r0,reuseaddr,"
                      f"so-rcvbuf={RECEIVE_BUFFER}")
            for port in cell.case.ports():
                target = (f"UDP4-DATAGRAM:{out_group(stream)}:{port},ip-multicast-if=10.2.0.1,"
                          "ip-multicast-ttl=16,ip-multicast-loop=0")
                self.run("socat", ["socat", "-u", source, target])
        until(self._listening, "every socat listens", 15)

    def _listening(self):
        self.require_running()
        return len(self.world.sh("cat /proc/net/udp", "relay").splitlines()) > len(self.processes)

    def account(self):
        return self.world.udp_errors("relay")

    def audit(self, cell, delta, before, after):
        wanted = delta.offered.payload // cell.payload * cell.case.outputs
        out = delta.all_delivered().payload // cell.payload
        dropped = after - before
        drops = f"RcvbufErrors {dropped}" if dropped else ""
        missing = wanted - out - dropped
        if missing == 0 or explained(missing, delta.lost_after, 1):
            return [], drops
        return [f"wanted {wanted} out, counted {out}, full sockets {dropped},"
                f" r1 dropped {delta.lost_after} frames"], drops


class Smcroute(Rival):
    name = package = "smcroute"
    program = "smcrouted"
    steered = False
    judged_from_ingress = False  # what it cannot take is lost in the backlog before r0's counter

    def cannot(self, cell):
        if cell.case.outputs > 1:
            return "one copy an interface"
        if cell.case.idle_rules:
            return "not measured with 10,000 routes"
        return ""

    def out(self, stream):
        return in_group(stream), IN_PORT

    def start(self, cell):
        lines = ["phyint r0 enable ttl-threshold 1", "phyint r1 enable ttl-threshold 1"]
        for stream in range(cell.case.streams):
            group = in_group(stream)
            lines.append(f"mgroup from r0 group {group}")
            lines.append(f"mroute from r0 source 10.1.0.2 group {group} to r1")
        path = self.world.write("smcroute.conf", "\n".join(lines) + "\n")
        directory = self.world.directory
        self.run("smcrouted", ["smcrouted", "-n", "-N", "-f", path, "-P", f"{directory}/smc.pid",
                               "-u", f"{directory}/smc.sock"])
        self.world.sysctl("relay", "net.ipv4.igmp_max_memberships", 1000)
        until(lambda: self._routes() >= cell.case.streams, self._trouble, 10)
        if self.steered and not self.line.steer(True):
            raise Skip("RPS cannot be set here: it needs root outside of a user namespace")

    def _routes(self):
        self.require_running()
        return len(self.world.sh("cat /proc/net/ip_mr_cache", "relay").splitlines()) - 1

    def _trouble(self):
        return "routes are in the kernel: " + "; ".join(p.err()[-500:] for p in self.processes)

    def account(self):
        return None

    def audit(self, cell, delta, before, after):
        offered = delta.offered.payload // cell.payload
        out = delta.all_delivered().payload // cell.payload
        most = 1 if cell.input in SINGLES else MOST_DATAGRAMS
        if explained(offered - out, delta.lost_after, most):
            return [], ""
        return [f"r0 counted {offered}, s0 {out}, r1 dropped {delta.lost_after} frames"], ""

    def stop(self):
        super().stop()
        if self.steered:
            self.line.steer(False)


class SmcrouteRps(Smcroute):
    name = "smcroute-rps"
    steered = True


class Mcrd(Rival):
    """acooks/mcr, a relay in Rust, as it does best: one pinned worker, GRO off.

    It joins no group itself: another program must hold the memberships.
    """

    name = program = package = "mcrd"
    judged_from_ingress = True

    def unavailable(self, cell):
        if not shutil.which(self.program):
            return "not in PATH (github.com/acooks/mcr)"
        return super().unavailable(cell)

    def out(self, stream):
        return out_group(stream), OUT_PORT

    def start(self, cell):
        def hop(interface, group, port):
            return {"interface": interface, "group": group, "port": port}

        rules = [
            {"name": f"busy-{s}", "input": hop("r0", in_group(s), IN_PORT),
             "outputs": [hop("r1", out_group(s), p) for p in cell.case.ports()]}
            for s in range(cell.case.streams)
        ]
        text = json.dumps({"pinning": {"r0": [self.line.relay_cpu]}, "rules": rules})
        path = self.world.write("mcrd.json5", text)
        self.world.sysctl("relay", "net.ipv4.igmp_max_memberships", 1000)
        joins = ",".join(f"ip-add-membership={in_group(s)}:r0" for s in range(cell.case.streams))
        self.run("joins", ["socat", "-u", f"UDP4-RECV:{IN_PORT + 1},{joins}", "OPEN:/dev/null"])
        self.run("mcrd", ["mcrd", "supervisor", "--config", path])
        until(lambda: self._listens(), "mcrd has its packet socket", 15)

    def _listens(self):
        self.require_running()
        return len(self.world.sh("cat /proc/net/packet", "relay").splitlines()) > 1

    def account(self):
        return None

    def audit(self, cell, delta, before, after):
        return [], ""  # what it drops it does not say; nftables at both ends knows


RIVALS = {rival.name: rival for rival in (Socat, Smcroute, SmcrouteRps, Mcrd)}
