"""The restrictions of the packaged systemd unit, put on without systemd.

`settings` reads tools/systemd/common.conf, and `profile` makes of it a seccomp profile for
tests/net/confine.py: what the unit allows goes on, and each other call asks a `Recorder`, which
refuses it as systemd's filter would, and remembers it by name. Of the settings that narrow single
calls by their arguments those in NARROWED are there, and RestrictAddressFamilies; those that give
the service mounts of its own are not.
"""

import ctypes
import errno
import json
import os
import shutil
import socket
import subprocess
import sys

from netlab.expect import Failure, Skip
from netlab.seccomp import Seccomp

HERE = os.path.dirname(os.path.realpath(__file__))
COMMON = os.path.join(HERE, "..", "..", "tools", "systemd", "common.conf")
# linux/sched.h, sys/mman.h, sys/stat.h
NEW_NAMESPACES = 0x7E020000
WRITE, EXECUTE = 2, 4
SET_ID_BITS = 0o6000


def masked(index, mask, value=0):
    return {"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": mask, "valueTwo": value}


# Setting -> call -> what its arguments must be: one of these.
NARROWED = {
    "MemoryDenyWriteExecute": {
        "mmap": [masked(2, WRITE), masked(2, EXECUTE)],
        "mprotect": [masked(2, EXECUTE)],
        "pkey_mprotect": [masked(2, EXECUTE)],
    },
    "RestrictNamespaces": {
        "clone": [masked(0, NEW_NAMESPACES)],
        "clone3": [],  # its arguments lie in memory: the C library takes clone instead
        "unshare": [masked(0, NEW_NAMESPACES)],
        "setns": [],
    },
    "RestrictSUIDSGID": {
        "chmod": [masked(1, SET_ID_BITS)],
        "fchmod": [masked(1, SET_ID_BITS)],
        "fchmodat": [masked(2, SET_ID_BITS)],
        "mkdir": [masked(1, SET_ID_BITS)],
        "mkdirat": [masked(2, SET_ID_BITS)],
        "openat": [masked(2, os.O_CREAT), masked(3, SET_ID_BITS)],
    },
}


def settings():
    """Each key of the unit with all its values, in their order."""
    found = {}
    with open(COMMON, encoding="utf-8") as file:
        for line in file:
            key, equals, value = line.strip().partition("=")
            if equals and not key.startswith("#"):
                found.setdefault(key, []).append(value)
    return found


def groups():
    """systemd's sets of system calls, as its own program tells them: "@aio" -> its lines."""
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze, which knows systemd's sets of system calls")
    done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True,
                          check=False)
    found, members = {}, []
    for line in done.stdout.splitlines():
        if line.startswith("@"):
            members = found[line.strip()] = []
        elif line.startswith(" ") and not line.lstrip().startswith("#"):
            members.append(line.strip())
    if "@system-service" not in found:
        raise Skip(f"systemd-analyze does not tell systemd's sets of system calls: {done.stderr.strip()}")
    return found


def members(name, sets):
    """A call, or all of a set and the sets in it."""
    if not name.startswith("@"):
        return {name}
    if name not in sets:
        raise Failure(f"systemd-analyze knows no {name}")
    return set().union(*(members(each, sets) for each in sets[name]))


def allowed(unit, sets):
    """The calls that the lines of SystemCallFilter leave, and those that a line adds by their own names.

    What systemd adds to every list of allowed calls is there from the start (systemd.exec(5)).
    """
    calls, by_name = members("@default", sets), set()
    for line in unit["SystemCallFilter"]:
        words = set(line.lstrip("~").split())
        named = set().union(*(members(word, sets) for word in words))
        calls = calls - named if line.startswith("~") else calls | named
        if not line.startswith("~"):
            by_name |= {word for word in words if not word.startswith("@")}
    return calls, by_name & calls


def capabilities(unit):
    """Of the service, as setpriv(1) names them; what it gets is what it may have."""
    [bounding], [ambient] = unit["CapabilityBoundingSet"], unit["AmbientCapabilities"]
    if set(bounding.split()) != set(ambient.split()):
        raise Failure(f"the unit bounds capabilities otherwise than it gives them: {bounding} / {ambient}")
    return ",".join(name.removeprefix("CAP_").lower() for name in ambient.split())


def profile(unit, calls, listener):
    """As of the OCI runtime specification."""
    narrowed = {"socket": [{"index": 0, "op": "SCMP_CMP_EQ", "value": getattr(socket, family)}
                           for family in unit["RestrictAddressFamilies"][-1].split()]}
    for key, rules in NARROWED.items():
        if unit.get(key) == ["yes"]:
            narrowed.update(rules)
    rules = [{"names": sorted(calls - set(narrowed)), "action": "SCMP_ACT_ALLOW"}]
    rules += [{"names": [call], "action": "SCMP_ACT_ALLOW", "args": [condition]}
              for call, conditions in narrowed.items() if call in calls for condition in conditions]
    rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS})
    return {"defaultAction": "SCMP_ACT_NOTIFY", "architectures": [], "syscalls": rules, "listenerPath": listener}


class Recorder(Seccomp):
    """Lets the calls of `watched` go on, refuses all others, and remembers both by name."""

    def __init__(self, path, sets, watched=()):
        self._known = members("@known", sets)
        self._watched = set(watched)
        self._library = ctypes.CDLL("libseccomp.so.2")
        self._library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_char_p
        self.used = set()  # of those watched
        self.refused = []  # "capset(...) by mcr"
        super().__init__(path)

    def verdict(self, called, arguments, asking):
        name = (self._library.seccomp_syscall_resolve_num_arch(0, called) or b"%d" % called).decode()
        if name in self._watched:
            self.used.add(name)
            return 0
        self.refused.append(f"{name}({', '.join(f'{a:#x}' for a in arguments)}) by {_thread(asking)}")
        if name == "socket":
            return errno.EAFNOSUPPORT
        return errno.EPERM if name in self._known else errno.ENOSYS


class Unit:
    """Starts commands under the unit's restrictions (`prefix`), and tells what was called there (`recorder`).

    `added` are the calls that the unit allows by their own names; those in `without` it allows no more.
    """

    def __init__(self, world, name, without=()):
        unit, sets = settings(), groups()
        calls, by_name = allowed(unit, sets)
        self.added = by_name - set(without)
        listener = world.path(name + ".listener")
        self.recorder = Recorder(listener, sets, self.added)
        file = world.write(name + ".json", json.dumps(profile(unit, calls - by_name, listener)))
        self.prefix = (sys.executable, os.path.join(HERE, "..", "net", "confine.py"), "service", file,
                       capabilities(unit))


def _thread(identity):
    try:
        with open(f"/proc/{identity}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "a thread that is gone"
