"""Starts a command under somebody's restrictions, beginning with a root that is read-only, all but /run:

    confine.py container PROFILE CAPABILITIES COMMAND...   as a container engine does
    confine.py service PROFILE CAPABILITIES COMMAND...     as systemd does for a user who is not root
    confine.py filter PROFILE COMMAND...                   the last step of both: the system calls alone

PROFILE is a seccomp profile (JSON, as of the OCI runtime specification; compiled by libseccomp). A call
whose action is SCMP_ACT_NOTIFY asks the Seccomp (netlab) at its `listenerPath`. CAPABILITIES, as
"net_raw,net_admin", are all that there are; a service has them as ambient ones, since being root gives
it none. The command lives in a mount namespace of its own already (`ip netns exec` makes one).
"""

import ctypes
import errno
import json
import os
import sys

from netlab.seccomp import ALLOW, ASK, UNSUPPORTED, hand_over

ERRNO = 0x00050000  # seccomp.h
COMPARE = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
ARCHITECTURES = {"SCMP_ARCH_X86_64": "x86_64", "SCMP_ARCH_X86": "x86", "SCMP_ARCH_X32": "x32",
                 "SCMP_ARCH_AARCH64": "aarch64", "SCMP_ARCH_ARM": "arm"}
MOUNT_SETATTR, RECURSIVE, READ_ONLY = 442, 0x8000, 1


class Comparison(ctypes.Structure):
    _fields_ = [("index", ctypes.c_uint), ("op", ctypes.c_int),
                ("value", ctypes.c_uint64), ("value_two", ctypes.c_uint64)]


def action(rule, name="action", code="errnoRet"):
    plain = {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_NOTIFY": ASK}
    return plain.get(rule[name], ERRNO | rule.get(code, errno.EPERM))


def check(result, what):
    if result not in (0, -errno.EEXIST):
        sys.exit(f"{what}: {os.strerror(-result)}")


def compiled(profile):
    """libseccomp and its filter."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        print(f"seccomp: {error}", file=sys.stderr)
        sys.exit(UNSUPPORTED)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(action(profile, "defaultAction",
                                                          "defaultErrnoRet")))
    for name in profile["architectures"]:
        token = library.seccomp_arch_resolve_name(ARCHITECTURES[name].encode())
        check(library.seccomp_arch_add(context, ctypes.c_uint32(token)), name)
    for rule in profile["syscalls"]:
        arguments = [Comparison(each["index"], COMPARE[each["op"]], each["value"],
                                each.get("valueTwo", 0)) for each in rule.get("args", [])]
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == -1:  # younger than this libseccomp; engines skip it, too
                continue
            check(library.seccomp_rule_add_array(
                context, ctypes.c_uint32(action(rule)), number, len(arguments),
                (Comparison * len(arguments))(*arguments)), name)
    return library, context


def load(profile):
    """Filters this process, and what it becomes."""
    library, context = compiled(profile)

    def install():
        check(library.seccomp_load(context), "seccomp_load")
        return library.seccomp_notify_fd(context)

    if "listenerPath" in profile:
        hand_over(profile["listenerPath"], install)
    else:
        install()


def mount_setattr(path, flags, added, removed):
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint64 * 4)(added, removed, 0, 0)
    if libc.syscall(MOUNT_SETATTR, -100, path, flags, attributes, ctypes.sizeof(attributes)) != 0:
        sys.exit(f"mount_setattr: {os.strerror(ctypes.get_errno())}")


def confine(kind, profile, capabilities, *command):
    mount_setattr(b"/", RECURSIVE, READ_ONLY, 0)
    mount_setattr(b"/run", 0, 0, READ_ONLY)
    only = "-all" + "".join(f",+{name}" for name in capabilities.split(","))
    options = {"container": ["--inh-caps=-all"],
               "service": ["--securebits=+noroot,+noroot_locked", f"--inh-caps={only}", f"--ambient-caps={only}"]}
    os.execvp("setpriv", ["setpriv", f"--bounding-set={only}", *options[kind], "--no-new-privs",
                          sys.executable, os.path.abspath(__file__), "filter", profile, *command])


def main(kind, profile, *rest):
    if kind != "filter":
        confine(kind, profile, *rest)
    with open(profile, encoding="utf-8") as opened:
        load(json.load(opened))
    os.execvp(rest[0], rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
