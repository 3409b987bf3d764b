"""The world a network test lives in: its own user, mount and network namespaces.

A test runs as anybody: it starts itself again under `unshare -Urnm` (as root too, so that what
passes for root passes for a user), mounts a tmpfs on /run and makes named network namespaces
joined by veth pairs. Everything it starts dies with it.

A test is a function of a World, handed to `play`:  exit 0 passed, 77 skipped, else failed.
"""

import atexit
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from netlab.expect import EMULATED, PATIENCE, SKIP, Failure, Skip, until
from netlab.process import Process, program

INSIDE = "MCR_TEST_WORLD"
FAST_PATH = os.environ.get("MCR_FAST_PATH", "")  # [daemon] fast_path of all relays; needs root
HOLD = "MCR_TEST_HOLD"  # set: a test that fails keeps its world until Ctrl-C


class World:
    """Namespaces, links between them, and the processes that live there."""

    def __init__(self, mcr):
        self.mcr = mcr
        self.directory = tempfile.mkdtemp(prefix="mcr-net.", dir="/run")
        self.processes = []
        self.daemons = []
        self.peer = {}  # (namespace, interface) -> (namespace, interface) at the other end
        self._serial = 0

    # -- namespaces and links

    def namespace(self, *names):
        for name in names:
            self.sh(f"ip netns add {name} && ip -n {name} link set lo up")

    def link(self, a, a_interface, a_address, b, b_interface, b_address, mtu=1500):
        """A veth pair between namespaces a and b, up, with an IPv4 address at either end."""
        self.sh(
            f"ip link add {a_interface} mtu {mtu} netns {a} type veth"
            f" peer name {b_interface} mtu {mtu} netns {b}"
        )
        ends = ((a, a_interface, a_address), (b, b_interface, b_address))
        for namespace, interface, address in ends:
            if address:
                self.sh(f"ip -n {namespace} addr add {address} dev {interface}")
            self.sh(f"ip -n {namespace} link set {interface} up")
        # The kernel opens a link's queue a moment after its carrier is there; till then it drops.
        for namespace, interface, _ in ends:
            until(lambda n=namespace, i=interface: "state UP" in self.sh(f"ip -n {n} link show {i}"),
                  f"{interface} is up")
        self.peer[a, a_interface] = (b, b_interface)
        self.peer[b, b_interface] = (a, a_interface)

    def line(self, mtu=1500, egress_mtu=None):
        """gen (g0)-(r0) relay (r1)-(s0) sink"""
        self.namespace("gen", "relay", "sink")
        self.link("gen", "g0", "10.1.0.2/24", "relay", "r0", "10.1.0.1/24", mtu)
        self.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24", egress_mtu or mtu)

    def dual_stack(self, *namespaces):
        """Makes IPv6 addresses of links to come usable at once (no duplicate detection)."""
        for namespace in namespaces:
            self.sysctl(namespace, "net.ipv6.conf.default.accept_dad", 0)

    def link_local(self, namespace, interface):
        """The link-local IPv6 address of an interface."""
        def found():
            return self.sh(f"ip -6 -o addr show dev {interface} scope link -tentative", namespace)
        until(found, f"{interface} has a link-local address")
        return found().split()[3].split("/")[0]

    # -- commands and processes

    def sh(self, command, namespace=None, ok=True, seconds=20):
        """Runs a shell command to its end; returns its stdout. A failure of it fails the test."""
        argv = ["sh", "-c", command]
        if namespace:
            argv = ["ip", "netns", "exec", namespace] + argv
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds * PATIENCE, check=False,
        )
        if ok and done.returncode != 0:
            raise Failure(f"`{command}` exited {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def call(self, *args, namespace="relay", prefix=(), seconds=20):
        """`mcr ARGS` to its end: CompletedProcess with returncode, stdout, stderr."""
        argv = ["ip", "netns", "exec", namespace, *prefix, self.mcr, *map(str, args)]
        try:
            return subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=seconds * PATIENCE, check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failure(f"`mcr {' '.join(map(str, args))}` hangs") from None

    def start(self, name, args, namespace, prefix=()):
        """`mcr ARGS` in the background.

        Where a CPU may stand still for long it keeps to one: what it has sent waits in a queue of
        the CPU it was sent from, and what it sends from another one would overtake that.
        """
        self._serial += 1
        argv = ["ip", "netns", "exec", namespace, *prefix, self.mcr, *map(str, args)]
        if EMULATED:
            argv = ["taskset", "-c", "1" if namespace == "gen" else "0", *argv]
        process = Process(self.directory, f"{name}{self._serial}", argv)
        self.processes.append(process)
        return process

    def start_program(self, name, *args, namespace):
        """A program of netlab/programs in the background; it has said that it is ready."""
        self._serial += 1
        argv = ["ip", "netns", "exec", namespace, *program(name, *args)]
        process = Process(self.directory, f"{name}{self._serial}", argv)
        self.processes.append(process)
        until(lambda: "ready" in process.err() or not process.running, f"{name} is ready")
        if "ready" not in process.err():  # a short one may have ended since
            raise Failure(f"{name} exited {process.wait(1)}: {process.err().strip()}")
        return process

    def run_program(self, name, *args, namespace, stdin="", ok=True, seconds=20):
        """A program of netlab/programs to its end; returns its stdout."""
        argv = ["ip", "netns", "exec", namespace, *program(name, *args)]
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, text=True,
                                  timeout=seconds * PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"{name} hangs") from None
        if ok and done.returncode != 0:
            raise Failure(f"{name} exited {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        """A file in the world's directory; returns its path."""
        path = self.path(name)
        with open(path, "wb" if isinstance(content, bytes) else "w") as file:
            file.write(content)
        return path

    # -- what the kernel knows

    def sysctl(self, namespace, key, value):
        self.sh(f"echo {value} > /proc/sys/{key.replace('.', '/')}", namespace)

    def igmp(self, namespace, interface):
        """The IPv4 groups joined on an interface, 224.0.0.1 aside (/proc/net/igmp)."""
        groups, device = set(), None
        for line in self.sh("cat /proc/net/igmp", namespace).splitlines()[1:]:
            fields = line.split()
            if not line.startswith("\t"):
                device = fields[1]
            elif device == interface:
                value = int(fields[0], 16)  # __be32 printed as a native integer
                octets = value.to_bytes(4, sys.byteorder)
                groups.add(".".join(map(str, octets)))
        return groups - {"224.0.0.1"}

    def igmp6(self, namespace, interface):
        """The IPv6 groups joined on an interface, without those of the host itself."""
        groups = set()
        for line in self.sh("cat /proc/net/igmp6", namespace).splitlines():
            fields = line.split()
            if fields[1] == interface:
                groups.add(str(ipaddress.IPv6Address(int(fields[2], 16))))
        return {
            g for g in groups if g not in ("ff01::1", "ff02::1") and not g.startswith("ff02::1:ff")
        }

    def udp_errors(self, namespace):
        """Datagrams that UDP sockets of a namespace had no room for."""
        names, values = (
            line.split() for line in self.sh("grep ^Udp: /proc/net/snmp", namespace).splitlines()
        )
        row = dict(zip(names[1:], map(int, values[1:])))
        six = dict(line.split() for line in self.sh("cat /proc/net/snmp6", namespace).splitlines())
        return (row["RcvbufErrors"] + row["MemErrors"] + int(six.get("Udp6RcvbufErrors", 0))
                + int(six.get("Udp6MemErrors", 0)))

    def udp_queued(self, namespace):
        """Whether datagrams wait in UDP sockets of a namespace for their program."""
        rows = self.sh("cat /proc/net/udp /proc/net/udp6", namespace).splitlines()
        queues = (row.split()[4] for row in rows if "local_address" not in row)
        return any(int(queue.split(":")[1], 16) for queue in queues)

    def inject(self, namespace, interface, frames):
        """Sends raw Ethernet frames (bytes), in order, with no offload flags."""
        text = "\n".join(frame.hex() for frame in frames)
        self.run_program("frame_injector", interface, namespace=namespace, stdin=text)

    def mac(self, namespace, interface):
        return self.sh(f"cat /sys/class/net/{interface}/address", namespace).strip()

    # -- the end

    def report(self):
        """What the daemons said and knew: printed when a test fails."""
        for daemon in self.daemons:
            print(f"== log of {daemon.name}:\n{daemon.log()[-6000:]}")
            print(f"== status of {daemon.name}:\n{daemon.status_text()[:8000]}")
        for process in self.processes:
            if process.err().strip() and not any(d.process is process for d in self.daemons):
                print(f"== {process.name}: {process.err()[-1500:]}")

    def close(self):
        for process in self.processes:
            process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def _enter():
    """Starts this program again inside fresh namespaces."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"  # ip, tc, nft
    environment = dict(os.environ, LC_ALL="C", PATH=path, **{INSIDE: "1"})
    # bpf(2) works for root of the host alone.
    if FAST_PATH and os.geteuid() != 0:
        print("skipped: MCR_FAST_PATH needs root")
        sys.exit(SKIP)
    tries = [] if FAST_PATH else [["unshare", "-Urnm"]]
    if os.geteuid() == 0:
        tries.append(["unshare", "-nm"])
    for command in tries:
        probe = subprocess.run(
            command + ["mount", "-t", "tmpfs", "tmpfs", "/run"], capture_output=True, check=False
        )
        if probe.returncode == 0:
            argv = command + [sys.executable, os.path.abspath(sys.argv[0])] + sys.argv[1:]
            os.execvpe(argv[0], argv, environment)
    reason = probe.stderr.decode(errors="replace").strip()
    print(f"skipped: user namespaces are not allowed here ({reason})")
    sys.exit(SKIP)


def _find_mcr():
    path = os.environ.get("MCR")
    if not path:
        top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
        path = os.path.join(top, "build", "mcr")
    if not os.access(path, os.X_OK):
        print(f"no mcr at {path}: build it, or name it in the environment variable MCR")
        sys.exit(1)
    return os.path.abspath(path)


def _alarm(*_):
    raise Failure("the test as a whole took too long")


def inside(make):
    """make(World) inside new namespaces, cleaned up whatever happens; returns its value."""
    mcr = _find_mcr()
    if INSIDE not in os.environ:
        _enter()
    subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = World(mcr)
    atexit.register(world.close)
    return make(world)


def _hold(world):
    """Keeps everything as it is, for whoever wants to look, until Ctrl-C."""
    print(f"held until Ctrl-C; files are in {world.directory}. To look around:\n"
          f"  nsenter --target {os.getpid()} --user --net --mount --preserve-credentials bash\n"
          "  ip netns exec relay bash", flush=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass


def play(story, seconds=60):
    """Runs a test and ends the program with its verdict."""

    def judged(world):
        signal.signal(signal.SIGALRM, _alarm)
        signal.alarm(int(seconds * PATIENCE))
        began = time.monotonic()
        try:
            story(world)
            for daemon in world.daemons:
                daemon.close()
        except Skip as skip:
            print(f"skipped: {skip}")
            return SKIP
        except Exception as error:  # whatever it is, the daemons' side of it is wanted
            signal.alarm(0)
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
            print(f"FAILED: {error}")
            world.report()
            print(f"FAILED: {error}", flush=True)
            if HOLD in os.environ:
                _hold(world)
            return 1
        print(f"passed in {time.monotonic() - began:.1f} s")
        return 0

    sys.exit(inside(judged))
