#!/usr/bin/env python3
"""`container`: the relay under the very restrictions of tools/container.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

The seccomp profile, the capabilities of the compose file and of the DaemonSet, and a read-only root.
Without what the profile adds to the engines' default it does not start, and says what to do.
"""

import json
import os
import re
import sys

from confine import UNSUPPORTED
from netlab.daemon import Daemon, config, rule
from netlab.expect import Skip, check, equal, phase, scaled
from netlab.ledger import Ledger
from netlab.traffic import exact
from netlab.world import play

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "..", "..", "tools", "container")
PROFILE = os.path.join(FOLDER, "seccomp.json")
OURS = {"io_uring_setup", "io_uring_enter", "io_uring_register", "bpf"}
RULE = rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
WAITING = rule("two", "239.1.1.2", 5000, [("r1", "239.2.1.2")], interface="absent0")
# What the restrictions forbid, each tried by itself; prints what was possible all the same.
FORBIDDEN = """
import ctypes, socket
libc = ctypes.CDLL(None)
def tries(what, do):
    try:
        if do(): print(what)
    except OSError: pass
tries("write to /", lambda: open("/mcr-was-here", "w"))
tries("unshare", lambda: libc.unshare(0x20000) == 0)
tries("mount", lambda: libc.mount(b"none", b"/run", b"tmpfs", 0, None) == 0)
tries("AF_ALG", lambda: socket.socket(38, socket.SOCK_SEQPACKET))
tries("AF_VSOCK", lambda: socket.socket(40, socket.SOCK_STREAM))
"""


def capabilities(file, key):
    """As the file names them: `key: [NET_RAW, ...]`."""
    with open(os.path.join(FOLDER, file), encoding="utf-8") as opened:
        return re.search(rf"\b{key}: \[(.*?)\]", opened.read()).group(1).replace(" ", "").lower()


def confined(profile, kept):
    return (sys.executable, os.path.join(HERE, "confine.py"), "container", profile, kept)


def probe(world, prefix):
    """The restrictions are there."""
    done = world.sh(" ".join(prefix) + f" {sys.executable} -c '{FORBIDDEN}'; echo $?", "relay")
    if done.strip().endswith(str(UNSUPPORTED)):
        raise Skip("no libseccomp.so.2")
    equal(done, "0\n", "what is possible in spite of the restrictions")


def relays(world, name, kept):
    phase(f"{name}: {kept}")
    prefix = confined(PROFILE, kept)
    probe(world, prefix)
    daemon = Daemon(world, config(RULE), name, prefix=prefix).start()
    ledger = Ledger(world, daemon, size=1400)
    exact(world, ledger, "239.1.1.1", 5000, scaled(2000), 20000, out=("239.2.1.1", 5000))
    ledger.close()

    def health():
        return world.call("status", "--health", "--socket", daemon.socket, prefix=prefix).returncode

    equal(health(), 0, "exit code of the health check, all rules active")
    daemon.reload(config(RULE, WAITING))
    check(health() != 0, "the health check fails while a rule waits")
    daemon.stop()


def default_profile(world, kept):
    phase("the engines' default profile: the message names it, and where ours is")
    with open(PROFILE, encoding="utf-8") as file:
        profile = json.load(file)
    for each in profile["syscalls"]:
        each["names"] = [name for name in each["names"] if name not in OURS]
    default = world.write("default.json", json.dumps(profile))
    file = world.write("default.toml", config(RULE))
    prefix = confined(default, kept)
    done = world.call("run", "-c", file, "--socket", world.path("no.sock"), prefix=prefix)
    equal(done.returncode, 69, f"exit code of mcr run without io_uring: {done.stderr}")
    doctor = world.call("doctor", "-c", file, prefix=prefix).stdout
    for text in (done.stderr, doctor):
        check("seccomp" in text and "/usr/share/mcr/container/seccomp.json" in text,
              f"says what to do: {text}")


def story(world):
    world.line()
    compose = capabilities("compose.yaml", "cap_add")
    relays(world, "compose", compose)
    relays(world, "daemonset", capabilities("daemonset.yaml", "add"))
    default_profile(world, compose)


play(story, 60)
