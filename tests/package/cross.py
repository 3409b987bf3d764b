#!/usr/bin/env python3
"""MCR for another architecture, with Debian's cross compiler: cross.py DIRECTORY

The unit tests run under qemu's user mode; then the package is built, which has the same files as that
of this architecture. mcr_VERSION_arm64.deb goes to DIRECTORY.
"""

import glob
import os
import sys

from machine import play, run
from netlab.expect import check, equal, phase
from root import enter, furnish, install

ARCH, TRIPLET, CPU = "arm64", "aarch64-linux-gnu", "aarch64"
# pkg-config of that architecture is this one's program under a name that debhelper looks for.
LIBRARIES = ("pkg-config", "libbpf-dev", "libcap-ng-dev", "libfmt-dev", "libmnl-dev", "libsystemd-dev",
             "libtomlplusplus-dev", "liburing-dev")
HEADERS = ("libbitstream-dev", "libcli11-dev", "nlohmann-json3-dev", "catch2")
# What debhelper's own cross file lacks: what runs that architecture's programs.
EMULATOR = f"[binaries]\nexe_wrapper = '/usr/bin/qemu-{CPU}-static'\n"
CROSS = EMULATOR + f"""
c = '{TRIPLET}-gcc'
cpp = ['ccache', '{TRIPLET}-g++']
strip = '{TRIPLET}-strip'
pkgconfig = 'pkg-config'
[properties]
pkg_config_libdir = ['/usr/lib/{TRIPLET}/pkgconfig', '/usr/share/pkgconfig']
[host_machine]
system = 'linux'
cpu_family = '{CPU}'
cpu = '{CPU}'
endian = 'little'
"""


def tools(machine):
    enter(machine, "dpkg", "--add-architecture", ARCH)
    enter(machine, "apt-get", "-qq", "update")
    install(machine, "meson", "ninja-build", "pkg-config", "clang", "bpftool", "qemu-user-static",
            f"crossbuild-essential-{ARCH}", "${package_packages[@]}", *HEADERS,
            *(f"{each}:{ARCH}" for each in LIBRARIES))
    machine.write("/emulator.ini", EMULATOR)
    machine.write("/cross.ini", CROSS)


def unit_tests(machine):
    enter(machine, "meson", "setup", "--cross-file=/cross.ini", "-Doptimization=0", "-Ddebug=false",
          "-Dbenchmarks=disabled", "build")
    output = enter(machine, "meson", "test", "-C", "build", "--suite", "unit", "--timeout-multiplier", "8",
                   "--print-errorlogs")
    print("\n".join(line for line in output.splitlines() if ":" in line[-12:] or "OK" in line), flush=True)


def files(package):
    """The paths in a package."""
    listed = run("sh", "-c", 'dpkg-deb --fsys-tarfile "$0" | tar -t', package)
    return sorted(listed.stdout.splitlines())


def package(machine, target):
    enter(machine, "env", "MCR_CROSS_FILE=/emulator.ini", "tools/package", f"--arch={ARCH}", "dist")
    [built] = glob.glob(machine.path(f"/mcr/dist/mcr_*_{ARCH}.deb"))
    equal(run("dpkg-deb", "-f", built, "Architecture").stdout.strip(), ARCH, "its architecture")
    os.makedirs(target, exist_ok=True)
    run("cp", built, target)
    run("dpkg-deb", "-x", built, machine.path("/unpacked"))
    print(enter(machine, f"qemu-{CPU}-static", "/unpacked/usr/bin/mcr", "--version").strip())
    enter(machine, f"qemu-{CPU}-static", "/unpacked/usr/bin/mcr", "check", "-c", "/unpacked/etc/mcr/mcr.toml")
    return files(built)


def story(machine):
    target = sys.argv[1]
    furnish(machine)
    with machine.online():
        phase("the cross compiler and the libraries")
        tools(machine)
        phase("the unit tests")
        unit_tests(machine)
        phase("the package")
        have = package(machine, target)
    for native in glob.glob(os.path.join(os.path.dirname(target), "mcr_*.deb")):
        equal(have, files(native), "the files of the package")
    check("./usr/share/mcr/mcr.schema.json" in have, "the schema is in the package")


play(story)
