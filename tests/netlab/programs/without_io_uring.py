"""Runs a command with io_uring_setup(2) refused (EPERM), as container runtimes do by seccomp(2).

    without_io_uring.py COMMAND...
"""

import ctypes
import errno
import os
import struct
import sys

IO_URING_SETUP = 425
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # classic BPF
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
SET_SECCOMP, MODE_FILTER, SET_NO_NEW_PRIVS = 22, 2, 38  # <linux/prctl.h>

lines = ((LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP), (RETURN, 0, 0, REFUSE),
         (RETURN, 0, 0, ALLOW))
program = b"".join(struct.pack("HBBI", *line) for line in lines)
code = ctypes.create_string_buffer(program, len(program))
filters = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, MODE_FILTER, filters, 0, 0):
    sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
