"""Starts a command as a container engine would: confine.py PROFILE CAPABILITIES COMMAND...

The system calls of a seccomp profile (JSON, as of the OCI runtime specification; compiled by
libseccomp), these capabilities at most ("net_raw,net_admin"), and a root that is read-only, all but
/run. It lives in a mount namespace of its own already (`ip netns exec` makes one).
"""

import ctypes
import errno
import json
import os
import sys

UNSUPPORTED = 77
ALLOW, ERRNO = 0x7FFF0000, 0x00050000  # seccomp.h
COMPARE = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
ARCHITECTURES = {"SCMP_ARCH_X86_64": "x86_64", "SCMP_ARCH_X86": "x86", "SCMP_ARCH_X32": "x32",
                 "SCMP_ARCH_AARCH64": "aarch64", "SCMP_ARCH_ARM": "arm"}
MOUNT_SETATTR, RECURSIVE, READ_ONLY = 442, 0x8000, 1


class Comparison(ctypes.Structure):
    _fields_ = [("index", ctypes.c_uint), ("op", ctypes.c_int),
                ("value", ctypes.c_uint64), ("value_two", ctypes.c_uint64)]


def action(rule, name="action", code="errnoRet"):
    return ALLOW if rule[name] == "SCMP_ACT_ALLOW" else ERRNO | rule.get(code, errno.EPERM)


def check(result, what):
    if result not in (0, -errno.EEXIST):
        sys.exit(f"{what}: {os.strerror(-result)}")


def load(profile):
    """Filters this process, and what it becomes."""
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
    check(library.seccomp_load(context), "seccomp_load")


def mount_setattr(path, flags, added, removed):
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint64 * 4)(added, removed, 0, 0)
    if libc.syscall(MOUNT_SETATTR, -100, path, flags, attributes, ctypes.sizeof(attributes)) != 0:
        sys.exit(f"mount_setattr: {os.strerror(ctypes.get_errno())}")


def main(file, capabilities, *command):
    with open(file, encoding="utf-8") as opened:
        profile = json.load(opened)
    mount_setattr(b"/", RECURSIVE, READ_ONLY, 0)
    mount_setattr(b"/run", 0, 0, READ_ONLY)
    load(profile)
    kept = "".join(f",+{name}" for name in capabilities.split(","))
    os.execvp("setpriv", ["setpriv", f"--bounding-set=-all{kept}", "--inh-caps=-all",
                          "--no-new-privs", *command])


if __name__ == "__main__":
    main(*sys.argv[1:])
