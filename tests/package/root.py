"""The root of a machine entered without booting it: what builds and tests programs there.

It is entered by pivot_root(2), for a program that is only chroot(2)ed may make no user namespace, and
the network tests want one.
"""

import os
import subprocess

from machine import CACHE, copy_checkout, run
from netlab.expect import Failure

ENTER = r"""
set -e
cd "$1"; shift
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mkdir -p old
pivot_root . old
umount -l old
cd /mcr
exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
  CCACHE_DIR=/ccache CCACHE_UMASK=000 DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-}" "$@"
"""


def call(machine, *argv, seconds=3600):
    """A command in the root, in namespaces of its own but this host's network: its exit code, output."""
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c", ENTER, "enter",
         machine.root, *argv],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", timeout=seconds, check=False,
    )
    return done.returncode, done.stdout


def enter(machine, *argv, seconds=3600):
    """The same, which must not fail: its output."""
    code, output = call(machine, *argv, seconds=seconds)
    if code != 0:
        raise Failure(f"`{' '.join(argv)}` exited {code}:\n{output[-30000:]}")
    return output


def furnish(machine):
    """The checkout, a memory for ccache that lasts, and somebody without rights."""
    copy_checkout(machine.path("/mcr"))
    cache = os.path.join(CACHE, "ccache")
    os.makedirs(cache, exist_ok=True)
    os.chmod(cache, 0o1777)
    os.mkdir(machine.path("/ccache"))
    run("mount", "--bind", cache, machine.path("/ccache"))
    enter(machine, "useradd", "--create-home", "somebody")


def install(machine, *names):
    """Packages, and the arrays of tools/packages, by apt: "libfoo", "${build_packages[@]}"."""
    quoted = " ".join(f'"{each}"' for each in names)
    enter(machine, "bash", "-c", f"top=/mcr; . tools/packages; install_packages {quoted}")
