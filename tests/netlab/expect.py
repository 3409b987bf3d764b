"""What a test expects, and how it fails: nothing sleeps for luck, `until` waits for a condition."""

import os
import time

SKIP = 77  # exit code of a test that cannot be played here
# Sanitized builds are slower: meson passes a factor for rates and counts (1 on the plain build).
# An emulated guest (tools/guest without KVM) is slower still.
EMULATED = os.environ.get("MCR_GUEST") == "emulated"
SCALE = float(os.environ.get("MCR_TEST_SCALE", "1")) * (0.1 if EMULATED else 1)
SANITIZED = os.environ.get("MCR_TEST_SANITIZE", "none") != "none"
PATIENCE = (3 if SANITIZED else 1) * (8 if EMULATED else 1)  # factor for deadlines


class Failure(Exception):
    """The program did not do what it must."""


class Skip(Exception):
    """This host cannot play the test; the text says why."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def equal(actual, expected, what):
    check(actual == expected, f"{what}: expected {expected!r}, actual {actual!r}")


def phase(text):
    print(f"-- {text}", flush=True)


def scaled(number, least=1):
    """A rate or count of the plain build, fitted to this one."""
    return max(least, int(number * SCALE))


def busy():
    """Others want the CPUs, too: a program is woken late."""
    return EMULATED or SANITIZED or os.getloadavg()[0] > os.cpu_count()


def until(condition, what, seconds=10):
    """Waits until condition() is true (its value is returned); else fails with `what`."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise Failure(f"not within {seconds * PATIENCE} s: {text}")
        time.sleep(0.02)
