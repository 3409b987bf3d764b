"""A program that a test runs in the background. It dies with the test."""

import ctypes
import os
import signal
import subprocess
import sys

from netlab.expect import PATIENCE, Failure

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


def program(name, *args):
    """The command line of a Python program in netlab/programs."""
    return [sys.executable, os.path.join(PROGRAMS, name + ".py"), *map(str, args)]


class Process:
    """A program running in a namespace; its output goes to files."""

    def __init__(self, directory, name, argv):
        self.name = name
        self.argv = argv
        self.out_path = os.path.join(directory, name + ".out")
        self._err_path = os.path.join(directory, name + ".err")
        with open(self.out_path, "wb") as out, open(self._err_path, "wb") as err:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=_die_with_parent
            )

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen.poll() is None

    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def err(self):
        with open(self._err_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def signal(self, number):
        if self.running:
            self.popen.send_signal(number)

    def wait(self, seconds):
        """The exit code (negative: the signal it died of)."""
        try:
            return self.popen.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(
                f"{self.name} still ran after {seconds * PATIENCE} s: {self.err()[-2000:]}"
            ) from None

    def kill(self):
        if self.running:
            self.popen.kill()
            self.popen.wait()
