#!/usr/bin/env python3
"""A relay whose memory is paged out while it carries a stream: a test pages it out and measures.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
        2,000/s

process_madvise(2) with MADV_PAGEOUT takes what the relay has mapped, again and again, as a host does
that is short of memory. A page that is touched afterwards is read from the disk: a major fault. The
relay runs from copies of its program and libraries, since the kernel leaves pages alone that others
have mapped, too.

What each lock promises: "no" nothing, and there workers must be seen to read from the disk, or the
test shows nothing; "code" that the program stays, and what workers call of libraries; "all" that
everything stays. A page is locked when it is first touched, so files that lie in the cache are left there
where something is locked. Root of the host alone may page out others.
"""

import ctypes
import errno
import glob
import os
import re
import shutil
import sys
import tempfile
import time

from netlab.expect import SKIP

if os.geteuid() != 0:
    print("skipped: only root may page out another process")
    sys.exit(SKIP)
os.environ["MCR_FAST_PATH"] = "off"  # not in a user namespace; and the subject is the worker

# pylint: disable=wrong-import-position
from netlab.daemon import Daemon, config, rule
from netlab.expect import Failure, Skip, check, equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import FLAWLESS, Gen, Sink, faults
from netlab.world import play

GROUP, OUT, PORT, SIZE, RATE, SECONDS = "239.1.1.1", "239.2.1.1", 5000, 600, 2000, 3
MOST_CODE = 5_500_000  # bytes; of a larger program 8 MiB have no room beside what it calls of libraries
TEXT = config(rule("one", GROUP, PORT, [("r1", OUT)]), workers=2)
PIDFD_OPEN, PROCESS_MADVISE, MADV_PAGEOUT = 434, 440, 21  # the same on all architectures
LIBC = ctypes.CDLL(None, use_errno=True)


class Range(ctypes.Structure):
    """struct iovec"""

    _fields_ = [("base", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def copies(world, folder):
    """Copies program and libraries to a folder on a disk; what starts it with these."""
    shutil.copy(world.mcr, folder)
    for path in re.findall(r"=> (/\S+)", world.sh(f"ldd {world.mcr}")):
        shutil.copy(path, folder)
    world.sh(f"sync {folder}/*")  # pages that are not on the disk yet cannot be given up
    world.mcr = os.path.join(folder, os.path.basename(world.mcr))
    return ("env", f"LD_LIBRARY_PATH={folder}")


class Pager:
    """Pages out a daemon, and counts what its workers read from the disk since."""

    def __init__(self, daemon, files):
        self.pid, self.files = daemon.process.pid, files
        self.handle = LIBC.syscall(PIDFD_OPEN, self.pid, 0)
        check(self.handle >= 0, f"pidfd_open: {os.strerror(ctypes.get_errno())}")
        self.before = self._count()

    def _count(self):
        counts = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/stat", encoding="utf-8") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            if name.startswith("mcr-worker"):
                counts[thread] = int(rest.split()[9])  # majflt
        return counts

    def faults(self):
        return sum(self._count().values()) - sum(self.before.values())

    def page_out(self):
        """All of it, or what is mapped of some files and never written."""
        with open(f"/proc/{self.pid}/maps", encoding="utf-8") as file:
            for line in file:
                first, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
                if "[v" in line:  # [vdso], [vvar], [vsyscall] are the kernel's
                    continue
                if self.files and (rights[1] == "w" or line.split()[-1] not in self.files):
                    continue
                one = Range(int(first, 16), int(end, 16) - int(first, 16))
                done = LIBC.syscall(PROCESS_MADVISE, self.handle, ctypes.byref(one), 1, MADV_PAGEOUT, 0)
                # EINVAL: the range is locked, which is what it is locked for.
                if done < 0 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
                    raise Skip(f"process_madvise: {os.strerror(ctypes.get_errno())}")

    def close(self):
        os.close(self.handle)


def cached(folder, wanted):
    """Whether the files of a folder are in the cache of the kernel."""
    for path in glob.glob(f"{folder}/*"):
        with open(path, "rb") as file:
            if wanted:
                file.read()
            else:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def paged(world, folder, prefix, lock, files=()):
    """The major faults of the workers, while all of the relay, or of `files`, is paged out."""
    cached(folder, True)
    daemon = Daemon(world, TEXT, prefix=prefix).start()
    equal(daemon.status()["memory_locked"], lock, "what status says is locked")
    words = {"no": "its memory may be paged out", "code": "only its code is locked in memory"}
    said = " ".join(world.call("status", "--socket", daemon.socket).stdout.split())
    for each, text in words.items():
        equal(text in said, each == lock, f"status says '{text}': {said}")
    ledger = Ledger(world, daemon, size=SIZE)
    sink = Sink(world, OUT, PORT)
    pager = Pager(daemon, files)
    gen = Gen(world, GROUP, PORT, rate=scaled(RATE), size=SIZE, duration=SECONDS)
    rounds = 0
    while gen.process.running:
        pager.page_out()
        if lock == "no":
            cached(folder, False)
        rounds += 1
        time.sleep(0.05)  # the workers touch their pages again
    sent = gen.wait()["sent"]
    seen = ledger.settle()
    got = sink.stop()
    ledger.close()
    count = pager.faults()
    pager.close()
    print(f"locked: {lock}; paged out {rounds} times: {count} major faults of workers,"
          f" latency {got['latency_us']} us, {got['received']} of {sent}", flush=True)
    check(rounds > 5, f"it was paged out again and again: {rounds} times")
    if lock != "no":
        equal(seen["kernel_drops"], [0], "frames that the relay's socket had no room for")
        equal({"received": got["received"], **faults(got)}, {"received": sent, **FLAWLESS}, "what came")
        equal(count, 0, f"major faults of workers, locked: {lock}")
    daemon.stop()
    return count


def limited(limit, *more):
    """Somebody without CAP_IPC_LOCK, unless it is among `more`; no other process of his locks anything."""
    rights = ",".join(("+net_raw", "+net_admin", *more))
    return ("prlimit", f"--memlock={limit}:{limit}", "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups",
            f"--inh-caps={rights}", f"--ambient-caps={rights}")


def story(world):
    world.line()
    with tempfile.TemporaryDirectory(prefix="mcr-paged-", dir="/var/tmp") as folder:
        own = copies(world, folder)
        for each in (folder, world.directory):
            os.chmod(each, 0o777)  # the relay is somebody else's
        phase("64 KiB: nothing is locked, the workers read from the disk")
        if paged(world, folder, (*limited(64 << 10), *own), "no") == 0:
            raise Skip("the kernel pages nothing out here")
        phase("8 MiB: the program is locked, and what workers call of libraries")
        code = int(world.sh(f"size {world.mcr}").splitlines()[1].split()[0])  # and constants
        if code < MOST_CODE:
            paged(world, folder, (*limited(8 << 20), *own), "code", glob.glob(f"{folder}/*"))
        else:
            print(f"   left out: a program of {code} bytes is no build for users (coverage, sanitizers)")
        phase("2 MiB: not all of it can be locked, and status does not say that it is")
        paged(world, folder, (*limited(2 << 20), *own), "no")
        phase("8 MiB with CAP_IPC_LOCK: program and libraries are locked")
        paged(world, folder, (*limited(8 << 20, "+ipc_lock"), *own), "code", glob.glob(f"{folder}/*"))
        phase("no limit: everything is locked")
        try:
            world.sh("prlimit --memlock=unlimited:unlimited true")
        except Failure:
            return print("   left out: the limit cannot be raised here (CAP_SYS_RESOURCE)")
        paged(world, folder, ("prlimit", "--memlock=unlimited:unlimited", *own), "all")
        return None


play(story, 90)
