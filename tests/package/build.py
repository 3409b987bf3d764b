#!/usr/bin/env python3
"""The package, built in another Debian release and tried there: MCR_SUITE=trixie build.py DIRECTORY

Its root is entered by pivot_root(2), for a program that is only chroot(2)ed may make no user
namespace, and the network tests want one. mcr_VERSION_ARCH.deb goes to DIRECTORY.
"""

import glob
import os
import subprocess
import sys

from machine import Contained, Failure, check, play

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORIES = ("founding_case", "reload", "fanout")
ENTER = r"""
set -e
cd "$1"; shift
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mkdir -p old
pivot_root . old
umount -l old
exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 CCACHE_DIR=/ccache "$@"
"""


def enter(machine, *argv, seconds=1800):
    """A command in the root, in namespaces of its own but this host's network."""
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c", ENTER, "enter",
         machine.root, *argv],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", timeout=seconds, check=False,
    )
    if done.returncode != 0:
        raise Failure(f"`{' '.join(argv)}` exited {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def copy_tree(machine):
    """What is checked out, as tools/package takes it: /mcr."""
    os.mkdir(machine.path("/mcr"))
    pack = "git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar -c -T - .git"
    files = subprocess.Popen(["sh", "-c", pack], cwd=TOP, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "--no-same-owner", "-C", machine.path("/mcr")], stdin=files.stdout,
                   check=True)
    check(files.wait() == 0, "the checkout is copied")


def story(machine):
    target = os.path.abspath(sys.argv[1])
    os.makedirs(target, exist_ok=True)
    copy_tree(machine)
    cache = os.path.join(os.path.dirname(machine.bare), "ccache")
    os.makedirs(cache, exist_ok=True)
    os.mkdir(machine.path("/ccache"))
    subprocess.run(["mount", "--bind", cache, machine.path("/ccache")], check=True)
    enter(machine, "git", "config", "--global", "--add", "safe.directory", "/mcr")
    enter(machine, "/mcr/tools/package", "/mcr/dist")
    [package] = glob.glob(machine.path("/mcr/dist/mcr_*.deb"))
    subprocess.run(["cp", package, target], check=True)
    machine.install(package)
    for name in STORIES:
        enter(machine, "env", "MCR=/usr/bin/mcr", "PYTHONDONTWRITEBYTECODE=1", "python3",
              f"/mcr/tests/net/{name}.py", seconds=300)


play(story)
