#!/usr/bin/env python3
"""The kernel says no: every call that the relay leans on fails once, at the worst time.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
                           (r2) ---- (s1) sink

Refused at the start: a message with operation, subject and reason, the right exit code, and
nothing left behind. What one input or output needs: it waits with the reason, the rest runs, and it
is tried again. What can be done without: the relay starts, and says so. Refused in a reload,
or when an interface comes: nothing changes, and rule `one` loses nothing meanwhile; when the
kernel says yes again the relay goes on by itself, or at the next reload.

Completions of io_uring cannot be refused from outside: rx_completion_test.cpp and
tx_completion_test.cpp in tests/unit/dataplane have them.
Not injected, and why:
  close, munmap, io_uring_cancel     nothing to be done about it
  poll, epoll_wait, signalfd reads   their own descriptors, five at most: fail for EFAULT and EINVAL
  read of /proc, /sys, stat          facts for people: absent ones are left out
  reading the configuration          test `errors`
  no CAP_NET_RAW, no CAP_NET_ADMIN   tests `errors`, `privileges`
  kernel.io_uring_disabled           the same EPERM of io_uring_setup; it is the whole host's
  no multishot receive, no vnet header in superframes   come with kernels that have no DEFER_TASKRUN
                                     (EINVAL of io_uring_setup), or test `before_6_2`
  link down, ENETDOWN, ENODEV of a link that goes   for real, in test `interfaces`
"""

import errno
import os
import re
import socket
import time
from typing import NamedTuple

from netlab.daemon import Daemon, config, rule
from netlab.expect import SANITIZED, Skip, check, equal, phase, scaled, until
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger
from netlab.offload import is_on, switch
from netlab.seccomp import UNSUPPORTED, Seccomp
from netlab.traffic import FLAWLESS, Gen, Sink, exact, faults
from netlab.world import play

# bits of linux/if_packet.h, linux/io_uring.h, linux/in.h, linux/netlink.h, asm/socket.h
SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VNET_HDR, PACKET_FANOUT = 263, 5, 6, 15, 18
SO_ATTACH_FILTER, SO_SNDBUFFORCE, SO_RCVBUFFORCE = 26, 32, 33
MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP, IP_RECVERR, NETLINK_GENERIC = 42, 45, 11, 16
REGISTER_ENABLE_RINGS, REGISTER_PBUF_RING = 12, 22
OUR_MAPPING = {2: 0x3, 3: 0x4022}  # read and write; private, anonymous, no reserve
RING_MAPPING = {3: 0x8001}  # shared, populated
UNIX_ADDRESS, PACKET_ADDRESS, NETLINK_ADDRESS, IPV4_ADDRESS = 110, 20, 12, 16  # bytes of a sockaddr
CREATE_RECORD = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


def family(domain, kind):
    return {0: domain, 1: kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK}


def option(level, name):
    return {1: level, 2: name}


class Row(NamedTuple):
    call: str
    arguments: dict
    error: int
    words: tuple
    code: int = 71
    after: int = 0


PACKET_SOCKET = {0: socket.AF_PACKET}
ATTACH_FILTER = option(socket.SOL_SOCKET, SO_ATTACH_FILTER)
READ_NETLINK = {2: 65536}
UDP_SOCKET = family(socket.AF_INET, socket.SOCK_DGRAM)

START = (
    Row("io_uring_setup", {}, errno.ENOSYS, ("no io_uring",), 69),
    Row("io_uring_setup", {}, errno.EPERM, ("io_uring_disabled", "seccomp", "container"), 69),
    Row("io_uring_setup", {}, errno.EINVAL, ("kernel is too old",), 69),
    Row("io_uring_setup", {}, errno.ENOMEM, ("set up io_uring: Cannot allocate memory",)),
    Row("io_uring_setup", {}, errno.EMFILE, ("set up io_uring: Too many open files",), after=1),
    Row("io_uring_register", {1: REGISTER_PBUF_RING}, errno.ENOMEM, ("register receive buffers:",)),
    Row("io_uring_register", {1: REGISTER_ENABLE_RINGS}, errno.EPERM, ("seccomp", "container"), 69),
    Row("io_uring_register", {1: REGISTER_ENABLE_RINGS}, errno.ENOMEM, ("enable io_uring:",),
        after=1),
    Row("mmap", OUR_MAPPING, errno.ENOMEM, (r"map \d+ bytes of memory: Cannot allocate memory",)),
    Row("mmap", RING_MAPPING, errno.ENOMEM, ("set up io_uring: Cannot allocate memory",)),
    Row("clone3", {}, errno.EAGAIN, ("start the thread of the log: Resource temporarily",)),
    Row("clone3", {}, errno.EAGAIN, ("start the thread of worker 0: Resource temporarily",),
        after=1),
    Row("clone3", {}, errno.EAGAIN, ("start the thread of worker 1: Resource temporarily",),
        after=2),
    Row("clone3", {}, errno.EAGAIN, ("start the thread that looks at inputs: Resource temporarily",),
        after=3),
    Row("eventfd2", {}, errno.EMFILE, ("create eventfd for inputs to join: Too many open files",)),
    Row("eventfd2", {}, errno.EMFILE, ("create eventfd of a worker: Too many open files",), after=1),
    Row("capset", {}, errno.EPERM, ("drop capabilities: Operation not permitted",), 77),
    Row("prctl", {0: 38}, errno.EINVAL, ("set no_new_privs: Invalid argument",)),
    Row("signalfd4", {}, errno.EMFILE, ("create signalfd: Too many open files",)),
    Row("timerfd_create", {}, errno.ENOMEM, ("create timerfd: Cannot allocate memory",)),
    # The control socket.
    Row("socket", family(socket.AF_UNIX, socket.SOCK_STREAM), errno.EMFILE,
        ("open control socket: Too many open files",)),
    Row("bind", {2: UNIX_ADDRESS}, errno.EACCES, (r"bind control socket .*\.sock: Perm",), 77),
    Row("listen", {}, errno.EOPNOTSUPP, (r"listen on control socket .*\.sock: Operation not",)),
    Row("epoll_create1", {}, errno.EMFILE, ("create epoll for clients: Too many open files",)),
    Row("epoll_ctl", {}, errno.ENOSPC, ("No space left on device",)),
    # Netlink.
    Row("socket", {0: socket.AF_NETLINK}, errno.EMFILE, ("open netlink: Too many open files",)),
    Row("bind", {2: NETLINK_ADDRESS}, errno.EPERM, ("bind netlink: Operation not permitted",), 77),
    Row("recvfrom", READ_NETLINK, errno.ENOBUFS, ("read netlink: No buffer space available",)),
    # Where frames come in.
    Row("socket", PACKET_SOCKET, errno.EPERM, ("mcr run needs CAP_NET_RAW",), 77),
    Row("socket", PACKET_SOCKET, errno.EAFNOSUPPORT, ("open packet socket: Address family",)),
    # The relay's own source port.
    Row("socket", UDP_SOCKET, errno.EMFILE, ("open UDP socket to hold a source port: Too many",)),
    Row("bind", {2: IPV4_ADDRESS}, errno.EPERM, ("find a free source port: Operation not",), 77),
    Row("getsockname", {}, errno.ENOBUFS, ("read the port of a socket: No buffer",)),
)

# What one input, one output or the endpoint for metrics needs: it waits, and everything else runs.
WAITS = (
    Row("socket", PACKET_SOCKET, errno.ENOBUFS, ("open packet socket on r0: No buffer space",),
        after=2),
    Row("setsockopt", option(SOL_PACKET, PACKET_VNET_HDR), errno.ENOPROTOOPT,
        ("ask for segment sizes on r0: Protocol not available",)),
    Row("bind", {2: PACKET_ADDRESS}, errno.ENODEV, ("bind packet socket to r0: No such device",)),
    Row("setsockopt", option(SOL_PACKET, PACKET_FANOUT), errno.ENOMEM,
        ("make a fanout group on r0: Cannot allocate memory",)),
    Row("setsockopt", option(SOL_PACKET, PACKET_FANOUT), errno.ENOSPC,
        ("join the fanout group on r0: No space left",), after=1),
    Row("getsockopt", option(SOL_PACKET, PACKET_FANOUT), errno.ENOPROTOOPT,
        ("read the fanout group of r0: Protocol not available",)),
    Row("setsockopt", option(SOL_PACKET, PACKET_RX_RING), errno.ENOMEM,
        ("make a receive ring on r2: Cannot allocate memory",)),
    Row("setsockopt", ATTACH_FILTER, errno.ENOMEM, ("attach packet filter on r0: Cannot alloc",),
        after=2),
    Row("setsockopt", ATTACH_FILTER, errno.ENOMEM, ("attach packet filter on r0: Cannot alloc",),
        after=10),
    Row("socket", UDP_SOCKET, errno.ENFILE, ("open UDP socket for r1: Too many open files",),
        after=1),
    Row("setsockopt", option(socket.IPPROTO_IP, IP_RECVERR), errno.ENOPROTOOPT,
        ("ask for send errors for r1: Protocol not available",)),
    Row("bind", {2: IPV4_ADDRESS}, errno.EADDRINUSE,
        (r"bind source port \d+ for r1: Address already in use",), after=2),
)
ENDPOINT_WAITS = (
    Row("socket", family(socket.AF_INET, socket.SOCK_STREAM), errno.EMFILE,
        ("open socket for metrics at 127.0.0.1:9464: Too many open files",)),
    Row("listen", {}, errno.EADDRINUSE, ("listen for metrics at 127.0.0.1:9464: Address",),
        after=1),
)

# What the relay does without: (row, what its log says)
WITHOUT = (
    Row("setsockopt", option(socket.SOL_SOCKET, SO_RCVBUFFORCE), errno.EPERM,
        ("receive buffer smaller than asked for: interface=r0 asked=67108864 granted=",)),
    Row("setsockopt", option(socket.SOL_SOCKET, SO_SNDBUFFORCE), errno.EPERM,
        ("send buffer smaller than asked for: interface=r1 asked=67108864 granted=",)),
    Row("socket", {0: socket.AF_NETLINK, 2: NETLINK_GENERIC}, errno.EPROTONOSUPPORT, ()),
    Row("setsockopt", option(SOL_PACKET, PACKET_RX_RING), errno.ENOMEM, ()),
    Row("sched_setaffinity", {}, errno.EINVAL, ("cannot pin a worker to CPU .*: Invalid",)),
)
if superframes_are_described():  # GRO is of use, then
    WITHOUT += (Row("openat", {2: CREATE_RECORD}, errno.EROFS,
                    ("UDP GRO stays as it is: interface=r0 reason=\"open record .*: Read-only",)),)

# What a new interface needs while the relay runs.
GROWTH = (
    Row("recvfrom", READ_NETLINK, errno.ENOBUFS, ("read netlink: No buffer space available",)),
    Row("socket", PACKET_SOCKET, errno.ENOBUFS, ("open packet socket on r2: No buffer space",)),
    Row("socket", PACKET_SOCKET, errno.EMFILE, ("open packet socket on r2: Too many open",),
        after=1),
    Row("bind", {2: PACKET_ADDRESS}, errno.ENETDOWN,
        ("bind packet socket to r2: Network is down",)),
    Row("setsockopt", option(SOL_PACKET, PACKET_FANOUT), errno.ENOSPC,
        ("(make a|join the) fanout group on r2: No space",), after=1),
    Row("setsockopt", ATTACH_FILTER, errno.ENOMEM, ("attach packet filter on r2: Cannot alloc",)),
    Row("setsockopt", ATTACH_FILTER, errno.ENOMEM, ("attach packet filter on r2: Cannot alloc",),
        after=4),
    Row("socket", UDP_SOCKET, errno.ENOMEM, ("open UDP socket for r2: Cannot allocate memory",)),
    Row("bind", {2: IPV4_ADDRESS}, errno.EACCES, (r"bind source port \d+ for r2: Permission",)),
)
METRICS = (
    Row("socket", family(socket.AF_INET, socket.SOCK_STREAM), errno.EMFILE,
        ("open socket for metrics at 127.0.0.1:9464: Too many open files",)),
    Row("epoll_create1", {}, errno.EMFILE, ("create epoll for clients: Too many open files",)),
)

# Joins: tried again after 1 s, 2 s and so on; what the kernel says is the rule's reason.
JOINS = (
    Row("setsockopt", option(socket.IPPROTO_IP, MCAST_JOIN_GROUP), errno.ENOBUFS,
        ("join 239.1.1.9 on r0: No buffer space available",)),
    Row("setsockopt", option(socket.IPPROTO_IP, MCAST_JOIN_GROUP), errno.EPERM,
        ("join 239.1.1.9 on r0: Operation not permitted",)),
    Row("socket", {0: socket.AF_INET, 1: socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 2: 17},
        errno.EMFILE, ("join 239.1.1.9 on r0: Too many open files",)),
)

# After the new rules run, when the old ones' things are put away: the reload succeeded all the same.
AFTERWARDS = (
    Row("getsockopt", option(SOL_PACKET, PACKET_STATISTICS), errno.ENOBUFS,
        ("step=\"read packet statistics\" subject=r2 error=\".*No buffer space",)),
    Row("setsockopt", ATTACH_FILTER, errno.EPERM,
        ("step=\"narrow packet filter\" subject=r2 error=\"attach packet filter on r2: Oper",)),
    Row("setsockopt", option(socket.IPPROTO_IP, MCAST_LEAVE_GROUP), errno.ENOBUFS,
        ("leave failed: group=239.1.1.2 interface=r2 error=\"No buffer space",)),
    Row("socket", {0: socket.AF_NETLINK, 2: NETLINK_GENERIC}, errno.EPERM,
        ("UDP GRO not put back: interface=r2",)),
)

CALLS = sorted({row.call for row in (*START, *WAITS, *ENDPOINT_WAITS, *WITHOUT, *GROWTH, *METRICS, *JOINS, *AFTERWARDS)} | {"accept4"})
ENDPOINT = 'metrics = "127.0.0.1:9464"'
BIG_BUFFERS = "".join(
    f'[interface.{name}]\nreceive_buffer = "64 MiB"\nsend_buffer = "64 MiB"\n'
    for name in ("r0", "r1")
)
ONE = rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
TWO = rule("two", "239.1.1.2", 5000, [("r2", "239.2.1.2")], interface="r2")
ONE_AND_LATER = rule("one", "239.1.1.1", 5000, [
    ("r1", "239.2.1.1"), '{ interface = "r1", group = "239.2.1.3", source = "10.2.0.9" }'])
NINE = rule("nine", "239.1.1.9", 5000, [("r1", "239.2.1.9")])


def missing(row, said):
    """The words that a message lacks."""
    return [word for word in row.words if not re.search(word, said)]


def title(row):
    arguments = ", ".join(f"argument {at} {value:#x}" for at, value in row.arguments.items())
    after = f"after {row.after} of them" if row.after else ""
    which = ", ".join(filter(None, (arguments, after)))
    return f"{row.call} {f'({which})' if which else ''} {errno.errorcode[row.error]}"


def refuse(kernel, row):
    return kernel.refuse(row.call, row.error, row.arguments, row.after)


def check_nothing_left(world, path, what):
    check(not os.path.exists(path), f"{what}: the control socket is left behind")
    for interface in ("r0", "r2"):
        equal(world.igmp("relay", interface), set(), f"{what}: groups still joined on {interface}")
        check(not is_on(world, "relay", interface, "rx-udp-gro-forwarding"),
              f"{what}: UDP GRO of {interface} is left on")
    records = "/run/mcr/gro"
    check(not os.path.exists(records) or not os.listdir(records), f"{what}: a GRO record is left")


def starts(world, kernel):
    path = world.path("start.sock")
    file = world.write("start.toml", config(
        ONE, TWO, workers=2,
        extra=ENDPOINT + '\n[interface.r2]\ningress = "mmap"\nreceive_buffer = "1 MiB"\n'))
    wrong = []
    for row in START:
        if row.call == "mmap" and SANITIZED:  # theirs, too
            continue
        with refuse(kernel, row) as refusal:
            done = world.call("run", "-c", file, "--socket", path, prefix=kernel.prefix(*CALLS))
        said = done.stderr.strip()
        if done.returncode == UNSUPPORTED and said.startswith("seccomp: "):
            raise Skip(said)
        print(f"{title(row)}: exit {done.returncode}, {said.splitlines()[-1] if said else ''}")
        if not refusal.count:
            wrong.append(f"{title(row)}: never called")
        if done.returncode != row.code or missing(row, said) or "Sanitizer" in said:
            wrong.append(f"{title(row)}: exit {done.returncode}, not {row.code}, or lacks"
                         f" {missing(row, said)}: {said[-3000:]}")
        check_nothing_left(world, path, title(row))
    check(not wrong, "\n".join(wrong))


def waits(world, kernel):
    """Refused at the start: a rule waits with the reason, and runs when the kernel says yes."""
    text = config(ONE, TWO, workers=2,
                  extra='[interface.r2]\ningress = "mmap"\nreceive_buffer = "1 MiB"\n')
    for number, row in enumerate(WAITS):
        with refuse(kernel, row) as refusal:
            daemon = Daemon(world, text, f"waits-{number}", prefix=kernel.prefix(*CALLS))
            daemon.start(active=False)
            found = {r["name"]: (r["state"], r["reason"]) for r in daemon.status()["rules"]}
        print(f"{title(row)}: {found}")
        check(refusal.count, f"{title(row)}: never called")
        reasons = " ".join(reason for _, reason in found.values())
        equal(missing(row, reasons), [], f"{title(row)}: not in {reasons!r}")
        check("waiting" in (state for state, _ in found.values()), f"{title(row)}: a rule waits")
        daemon.wait_active()
        daemon.stop()
        check_nothing_left(world, daemon.socket, title(row))


def endpoint_waits(world, kernel):
    for number, row in enumerate(ENDPOINT_WAITS):
        with refuse(kernel, row) as refusal:
            daemon = Daemon(world, config(ONE, extra=ENDPOINT), f"endpoint-{number}",
                            prefix=kernel.prefix(*CALLS)).start()
            until(lambda r=row: not missing(r, daemon.log()), "the log says why")
        check(refusal.count, f"{title(row)}: never called")
        print(f"{title(row)}: {refusal.count} times, and it relays")
        until(lambda: "metrics after all" in daemon.log(), "it is tried again")
        daemon.stop()


def without(world, kernel):
    for number, row in enumerate(WITHOUT):
        with refuse(kernel, row) as refusal:
            daemon = Daemon(world, config(ONE, extra=BIG_BUFFERS), f"without-{number}",
                            prefix=kernel.prefix(*CALLS)).start()
            ledger = Ledger(world, daemon, size=1400)
            exact(world, ledger, "239.1.1.1", 5000, scaled(500), 5000, out=("239.2.1.1", 5000))
            ledger.close()
            daemon.stop()
        print(f"{title(row)}: {refusal.count} times, and it relays")
        check(refusal.count, f"{title(row)}: never called")
        equal(missing(row, daemon.log()), [], f"{title(row)}: not in the log: {daemon.log()}")
        check_nothing_left(world, daemon.socket, title(row))


class Steady:
    """The stream of rule `one`, from here on; `end` shows that it lost nothing."""

    def __init__(self, world, daemon):
        self.ledger = Ledger(world, daemon, size=600)
        self.sink = Sink(world, "239.2.1.1", 5000)
        self.gen = Gen(world, "239.1.1.1", 5000, rate=scaled(2000), size=600, duration=120)
        until(lambda: daemon.rule("one")["rate_pps"] > 0, "stream 1 runs")

    def end(self):
        self.gen.stop()
        seen = self.ledger.settle(gone=[("239.2.1.3", 5000)])
        got = self.sink.stop()
        offered = seen["in"]["239.1.1.1", 5000].payload // 600
        equal(seen["kernel_drops"], [0], "frames that the relay's socket had no room for")
        equal({"received": got["received"], **faults(got)}, {"received": offered, **FLAWLESS},
              "what stream 1 lost meanwhile")
        self.ledger.close()
        print(f"stream 1: {offered} datagrams, none lost")


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def lasting(daemon):
    """Its descriptors without the socket that a look at frames has for a second."""
    counts = []
    began = time.monotonic()
    while time.monotonic() < began + 1.5:
        counts.append(descriptors(daemon))
        time.sleep(0.05)
    return min(counts)


def reloads(world, daemon, kernel):
    before = daemon.status()["generation"], daemon.groups("r2"), lasting(daemon)
    more = [(row, config(ONE, TWO, workers=2)) for row in GROWTH]
    more += [(row, config(ONE, workers=2, extra=ENDPOINT)) for row in METRICS]
    for row, text in more:
        daemon.configure(text)
        with refuse(kernel, row) as refusal:
            done = daemon.try_reload()
        said = done.stdout + done.stderr
        print(f"{title(row)}: exit {done.returncode}, {said.splitlines()[0] if said else ''}")
        check(refusal.count, f"{title(row)}: never called")
        check(done.returncode != 0, f"{title(row)}: the reload is refused")
        equal(missing(row, said), [], f"{title(row)}: not said: {said}")
        until(lambda: (daemon.status()["generation"], daemon.groups("r2"), descriptors(daemon))
              == before, lambda: f"all is as before: {before}, descriptors {descriptors(daemon)}")
        equal([r["name"] for r in daemon.status()["rules"]], ["one"], "rules")
        equal(world.igmp("relay", "r2"), set(), "groups joined on r2")
    daemon.reload(config(ONE, TWO, workers=2))
    daemon.wait_active()
    check("resource busy" not in daemon.log(), "a dump that was given up disturbs no other")


def afterwards(world, daemon, kernel):
    """Rule two goes, and what it had cannot be put away: no client hears that it was refused."""
    index = world.sh("ip -n relay -o link show r2").partition(":")[0]

    def packet_sockets():
        lines = world.sh("cat /proc/net/packet", "relay").splitlines()[1:]
        return sum(line.split()[4] == index for line in lines)

    for row in AFTERWARDS:
        daemon.reload(config(ONE, TWO, workers=2))
        daemon.wait_active()
        check(packet_sockets(), "packet sockets on r2")
        generation = daemon.status()["generation"]
        daemon.configure(config(ONE, workers=2))
        with refuse(kernel, row) as refusal:
            done = daemon.try_reload()
            until(lambda r=refusal: r.count, f"{title(row)}: called")
            said = done.stdout + done.stderr
            print(f"{title(row)}: exit {done.returncode}, {said.splitlines()[0] if said else ''}")
            equal(done.returncode, 0, f"{title(row)}: exit code of the reload ({said})")
            found = daemon.status()
            equal([r["name"] for r in found["rules"]], ["one"], f"{title(row)}: rules")
            equal(found["generation"], generation + 1, f"{title(row)}: generation")
            until(lambda r=row: not missing(r, daemon.log()), f"{title(row)}: in the log")
        until(lambda: not world.igmp("relay", "r2"), "the group on r2 is left after all", 10)
        until(lambda: not packet_sockets(), "the sockets on r2 are closed after all")


def arrivals(world, daemon, kernel):
    """r2 comes while the kernel refuses what it needs; the address that comes then is noticed."""
    world.sh("ip -n relay link del r2")
    daemon.reload(config(ONE_AND_LATER, TWO, workers=2))

    def later():
        return daemon.rule("one")["outputs"][1]["state"]

    for row in GROWTH:
        until(lambda: (daemon.rule("two")["state"], later()) == ("waiting", "waiting"),
              "rule two and an output wait")
        with refuse(kernel, row) as refusal:
            world.link("relay", "r2", "10.3.0.1/24", "sink", "s1", "10.3.0.2/24")
            until(lambda r=refusal: r.count, f"{title(row)}: called")
            world.sh("ip -n relay address add 10.2.0.9/24 dev r1")
            if row.call == "recvfrom":  # nothing can be known
                until(lambda r=row: not missing(r, daemon.log()), "the log says why")
            else:
                until(lambda: later() == "up", "the output starts")
                found = daemon.rule("two")
                print(f"{title(row)}: rule {found['state']}, {found['reason']}")
                equal(found["state"], "waiting", f"{title(row)}: state of the rule")
                equal(missing(row, found["reason"]), [], f"not in {found['reason']!r}")
        until(lambda: (daemon.rule("two")["state"], later()) == ("active", "up"), "both start")
        world.sh("ip -n relay link del r2; ip -n relay address del 10.2.0.9/24 dev r1")
    with kernel.refuse("socket", errno.ENOBUFS, PACKET_SOCKET) as refusal:
        world.link("relay", "r2", "10.3.0.1/24", "sink", "s1", "10.3.0.2/24")
        until(lambda: daemon.rule("two")["reason"].startswith("open packet socket"), "refused")
        world.sh("ip -n relay address add 10.2.0.9/24 dev r1")
        until(lambda: later() == "up", "the output starts")
        first, began = refusal.count, time.monotonic()
        until(lambda: refusal.count >= first + 3, "control tries again")
        check(time.monotonic() - began > 1, "it tries at each second, not without a pause")


def half_a_filter(world, daemon, kernel):
    """The second worker's socket gets no filter: the first one's must become as it was."""
    block = rule("block", "239.1.7.0/28", 5000, [("r1", "239.2.7.0/28")])
    daemon.reload(config(ONE, workers=2))
    daemon.configure(config(ONE, block, workers=2))
    for error, times in ((errno.EPERM, 1), (errno.ENOMEM, 7)):  # one at once, one after fallbacks
        with kernel.refuse("setsockopt", error, ATTACH_FILTER, 1, times) as refusal:
            check(daemon.try_reload().returncode != 0, "the reload is refused")
        equal(refusal.count, times, "refused filters")
    before = daemon.status()["totals"]["unmatched"]
    Gen(world, "239.1.7.0", 5000, streams=16, rate=scaled(2000), count=160).wait()
    equal(daemon.status()["totals"]["unmatched"], before, "datagrams that pass without a rule")


def joins(world, daemon, kernel):
    for row in JOINS:
        with refuse(kernel, row) as refusal:
            daemon.reload(config(ONE, NINE, workers=2))
            found = daemon.rule("nine")
        check(refusal.count, f"{title(row)}: never called")
        equal(found["state"], "failed", f"{title(row)}: state of the rule")
        equal(missing(row, found["reason"]), [], f"{title(row)}: not in {found['reason']!r}")
        print(f"{title(row)}: rule {found['state']}, {found['reason']}")
        daemon.wait_active()
        daemon.reload(config(ONE, workers=2))


def enter(world, kernel):
    """The packet loop's own call: what it has and what it wants waits for the next one."""
    daemon = Daemon(world, config(ONE), "enter", prefix=kernel.prefix("io_uring_enter")).start()
    ledger = Ledger(world, daemon, size=600)
    for error in (errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ENOMEM):
        with kernel.refuse("io_uring_enter", error, after=50, times=300) as refusal:
            exact(world, ledger, "239.1.1.1", 5000, scaled(500), 2000, size=600,
                  out=("239.2.1.1", 5000))
        equal(refusal.count, 300, f"refused with {errno.errorcode[error]}")
    ledger.close()
    with kernel.refuse("io_uring_enter", errno.EAGAIN):
        daemon.stop()


def clients(world, daemon, kernel):
    """Who asks meanwhile is answered later; control does not turn in circles."""
    for error in (errno.EMFILE, errno.ENOMEM):
        with kernel.refuse("accept4", error) as refusal:
            asking = world.start("status", ["status", "--timeout", "30", "--socket", daemon.socket], "relay")
            until(lambda: refusal.count >= 3, "control tries again")
            check(asking.running, "the client still waits")
            check(refusal.count < 20, f"calls of accept4 in about 3 s: {refusal.count}")
        equal(asking.wait(5), 0, "exit code of mcr status, answered after all")


def story(world):
    world.line()
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s1", "10.3.0.2/24")
    for interface in ("r0", "r2"):
        switch(world, "relay", interface, rx_udp_gro_forwarding=False)
    kernel = Seccomp(world.path("kernel.sock"))
    phase("refused at the start")
    starts(world, kernel)
    phase("refused at the start: it waits")
    waits(world, kernel)
    endpoint_waits(world, kernel)
    phase("done without")
    without(world, kernel)

    daemon = Daemon(world, config(ONE, workers=2), prefix=kernel.prefix(*CALLS)).start()
    steady = Steady(world, daemon)
    phase("refused in a reload")
    reloads(world, daemon, kernel)
    phase("refused after a reload")
    afterwards(world, daemon, kernel)
    phase("refused when an interface comes")
    arrivals(world, daemon, kernel)
    phase("refused half-way")
    half_a_filter(world, daemon, kernel)
    phase("joins")
    joins(world, daemon, kernel)
    phase("control clients")
    clients(world, daemon, kernel)
    steady.end()
    daemon.stop()
    phase("the packet loop")
    enter(world, kernel)


play(story, 230)
