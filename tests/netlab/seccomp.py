"""System calls of a program under test, refused at will: seccomp_unotify(2).

`prefix` is a command that starts another under a filter: the listed calls ask us first, and go on
unless a refusal of now matches them. So a call can be made to fail from its nth time on, for a
while, with any errno, while the program runs. What io_uring does for the program is no call of
its, and cannot be refused here.
"""

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import sys
import threading

# asm/unistd.h: (x86_64, the generic table of aarch64 and riscv64)
NUMBERS = {
    "accept4": (288, 242),
    "bind": (49, 200),
    "capset": (126, 91),
    "clone3": (435, 435),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "eventfd2": (290, 19),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "listen": (50, 201),
    "mmap": (9, 222),
    "openat": (257, 56),
    "prctl": (157, 167),
    "recvfrom": (45, 207),
    "sched_setaffinity": (203, 122),
    "seccomp": (317, 277),
    "setsockopt": (54, 208),
    "signalfd4": (289, 74),
    "socket": (41, 198),
    "timerfd_create": (283, 85),
}

SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER, NEW_LISTENER = 1, 1 << 3
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # classic BPF
ALLOW, ASK = 0x7FFF0000, 0x7FC00000
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
NOTIF = struct.Struct("=QIIiIQ6Q")  # id, pid, flags, nr, arch, instruction, arguments
RESPONSE = struct.Struct("=QqiI")  # id, value, -errno, flags
CONTINUE = 1
UNSUPPORTED = 77  # exit code of the prefix


def number(call):
    return NUMBERS[call][platform.machine() != "x86_64"]


class Refusal:
    """Calls that match fail with `error`, after the first `after` of them, so many `times`."""

    def __init__(self, call, error, arguments, after, times):
        self.number = number(call)
        self.error = error
        self.arguments = arguments
        self.count = 0  # refused so far
        self._after, self._times = after, times

    def takes(self, called, arguments):
        if called != self.number or self.count == self._times:
            return False
        if any(arguments[i] & 0xFFFFFFFF != value for i, value in self.arguments.items()):
            return False
        self._after -= 1
        self.count += self._after < 0
        return self._after < 0


class Seccomp:
    """Answers for the kernel, in a thread of its own, to all that was started with `prefix`."""

    def __init__(self, path):
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._refusals = []
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def prefix(self, *calls):
        return (sys.executable, os.path.abspath(__file__), self._path, ",".join(calls))

    @contextlib.contextmanager
    def refuse(self, call, error, arguments=None, after=0, times=None):
        """Until the end of the block. `arguments`: {position: value} to be matched."""
        refusal = Refusal(call, error, arguments or {}, after, times)
        with self._lock:
            self._refusals.append(refusal)
        try:
            yield refusal
        finally:
            with self._lock:
                self._refusals.remove(refusal)

    def verdict(self, called, arguments, _asking):
        """The errno that a call of a thread fails with; 0: it goes on."""
        with self._lock:
            refusal = next((r for r in self._refusals if r.takes(called, arguments)), None)
        return refusal.error if refusal else 0

    def _serve(self):
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            for ready, events in poll.poll():
                if ready == self._socket.fileno():
                    poll.register(_receive_descriptor(self._socket), select.POLLIN)
                elif not events & select.POLLIN or not self._answer(ready):
                    poll.unregister(ready)
                    os.close(ready)

    def _answer(self, listener):
        """False when nobody is left to ask."""
        request = bytearray(NOTIF.size)
        try:
            fcntl.ioctl(listener, NOTIF_RECV, request)
        except OSError as error:
            return error.errno in (errno.EINTR, errno.ENOENT)
        identity, asking, _, called, _, _, *arguments = NOTIF.unpack(request)
        error = self.verdict(called, arguments, asking)
        response = RESPONSE.pack(identity, 0, -error, 0 if error else CONTINUE)
        with contextlib.suppress(FileNotFoundError):  # it was killed, or a signal came in between
            fcntl.ioctl(listener, NOTIF_SEND, response)
        return True


def _receive_descriptor(listening):
    connection, _ = listening.accept()
    with connection:
        data = connection.recvmsg(1, socket.CMSG_SPACE(4))[1][0][2]
    return array.array("i", data)[0]


def _install(calls):
    """Filters this process and what it becomes; returns the descriptor that gets the questions."""
    lines = [(LOAD, 0, 0, 0)]
    for left, call in zip(range(len(calls), 0, -1), calls):
        lines.append((JUMP_IF_EQUAL, left, 0, number(call)))
    lines += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ASK)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    program = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener = libc.syscall(number("seccomp"), SET_MODE_FILTER, NEW_LISTENER, program)
    if listener < 0:
        print(f"seccomp: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        sys.exit(UNSUPPORTED)
    return listener


def hand_over(path, install):
    """Gives the descriptor that install() returns to the Seccomp at `path`, which answers from then on."""
    supervisor = socket.socket(socket.AF_UNIX)
    supervisor.connect(path)
    ancillary = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [install()]))
    supervisor.sendmsg([b"."], [ancillary])


def main(path, calls, *command):
    hand_over(path, lambda: _install(calls.split(",")))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
