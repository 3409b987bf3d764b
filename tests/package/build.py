#!/usr/bin/env python3
"""MCR in another Debian release: MCR_SUITE=trixie build.py package DIRECTORY | compilers [CXX STANDARD]...

package: as its users find it. A bare root, where somebody without rights is told which packages are
missing, where root tests and so installs them, and where somebody then tests and plays the demo;
the package is built, installed and carries traffic. mcr_VERSION_ARCH.deb goes to DIRECTORY.
compilers: the program and the unit tests compile with each compiler and standard.
"""

import glob
import os
import sys

from machine import play, run
from netlab.expect import check, phase
from root import call, enter, furnish, install

STORIES = ("founding_case", "reload", "fanout")
SOMEBODY = ("setpriv", "--reuid=somebody", "--regid=somebody", "--init-groups", "env", "HOME=/home/somebody")
# What a login has by default (systemd), whatever the host of the test allows.
LOCKED = ("prlimit", "--memlock=8388608:8388608")
# The tests are of what is compiled, not of how well: quickly. The package is as it is for users.
QUICKLY = ("env", "CXXFLAGS=-O0 -g0 -U_FORTIFY_SOURCE")


def tested(output):
    """The summary of tools/test has tests in it."""
    last = output.splitlines()[-1]
    check(last.endswith(" skipped") and not last.startswith("0 passed"), f"tests ran: {output[-2000:]}")
    print(last, flush=True)


def as_users_do(machine):
    install(machine, "ccache")
    phase("without packages and rights: told what is missing")
    code, output = call(machine, *SOMEBODY, "tools/test", "unit")
    check(code == 69 and "apt-get install" in output and "libfmt-dev" in output,
          f"tools/test names the packages: exit code {code}: {output[-2000:]}")
    phase("root: tools/test unit")
    tested(enter(machine, *QUICKLY, "tools/test", "unit"))
    phase("somebody, with 8 MiB of locked memory: tools/test unit, kernel and net, tools/demo")
    enter(machine, "chown", "-R", "somebody:", "/mcr")
    for tests in (("unit",), ("kernel",), ("net", *STORIES)):
        tested(enter(machine, *LOCKED, *SOMEBODY, *QUICKLY, "tools/test", *tests))
    print(enter(machine, *SOMEBODY, "tools/demo", "2").splitlines()[-1], flush=True)
    enter(machine, "chown", "-R", "root:", "/mcr")


def package(machine, target):
    with machine.online():
        as_users_do(machine)
        phase("the package")
        enter(machine, "tools/package", "/mcr/dist")
    [built] = glob.glob(machine.path("/mcr/dist/mcr_*.deb"))
    os.makedirs(target, exist_ok=True)
    run("cp", built, target)
    machine.install(built)
    for name in STORIES:
        phase(f"network story {name}, with the installed program")
        enter(machine, "env", "MCR=/usr/bin/mcr", "PYTHONPATH=/mcr/tests:/mcr/bench",
              "PYTHONDONTWRITEBYTECODE=1", "python3", f"/mcr/tests/net/{name}.py", seconds=300)


def compilers(machine, *pairs):
    with machine.online():
        install(machine, "${build_packages[@]}", "ccache")
    # By an argument: meson 1.0 of Debian 12 has no cpp_std=c++23.
    for compiler, standard in zip(pairs[::2], pairs[1::2]):
        version = enter(machine, compiler, "--version").splitlines()[0]
        phase(f"{version}, {standard}")
        folder = f"build-{compiler}-{standard}"
        enter(machine, "env", f"CXX=ccache {compiler}", "meson", "setup", folder, "-Dcpp_std=none",
              f"-Dcpp_args=-std={standard}", "-Doptimization=0", "-Ddebug=false", "-Dbenchmarks=disabled")
        enter(machine, "bash", "-c", f"cd {folder} && ninja mcr "
              "$(ninja -t targets all | grep -o '^tests/unit-[a-z]*:' | tr -d :)")


def story(machine):
    what, *arguments = sys.argv[1:]
    furnish(machine)
    {"package": package, "compilers": compilers}[what](machine, *arguments)


play(story)
