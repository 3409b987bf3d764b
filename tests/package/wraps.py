#!/usr/bin/env python3
"""The wraps of subprojects/: everything is built with what they bring, and the unit tests run.

Each wrap fetches a tag of its upstream's git repository. Those may be out of reach, so the repositories
that git talks to here are made of Debian's source packages, with that one tag. For toml++, which is
headers alone, Debian's package of the headers serves as well.
"""

import glob
import json
import os
import tempfile

from machine import CACHE, TOP, copy_checkout, judged, mirror, run
from netlab.expect import Skip, check, equal, phase

# wrap -> Debian's name of the source, and the version that the wrap's tag is of
SOURCES = {
    "catch2": ("catch2", "3.7.1"),
    "cli11": ("cli11", "2.4.1"),
    "fmt": ("fmtlib", "10.1.1"),
    "libcap-ng": ("libcap-ng", "0.8.5"),
    "liburing": ("liburing", "2.9"),
    "nlohmann_json": ("nlohmann-json3", "3.11.3"),
    "tomlplusplus": ("libtomlplusplus-dev", "3.4.0"),
}
RELEASE = "trixie"  # has these versions


class Archive:
    """apt's view of one release, beside that of this host."""

    def __init__(self, folder):
        self.folder = os.path.join(CACHE, "sources")
        os.makedirs(self.folder, exist_ok=True)
        source = mirror()
        with open(f"{folder}/sources.list", "w", encoding="utf-8") as file:
            for kind in ("deb", "deb-src"):
                file.write(f"{kind} {source} {RELEASE} main\n")
        os.makedirs(f"{folder}/lists/partial")
        self._apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={folder}/sources.list",
                     "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={folder}/lists",
                     "-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root"]
        run(*self._apt, "update", seconds=300)

    def fetch(self, package, version):
        """The file with the sources; None if it cannot be had. apt has compared its digest."""
        headers = package.endswith("-dev")
        pattern = f"{package}_{version}*.deb" if headers else f"{package}_{version}*.orig.tar.*"
        command = ["download", package] if headers else ["source", "--download-only", package]
        if not self._found(pattern):
            run(*self._apt, *command, ok=False, seconds=300, cwd=self.folder)
        return self._found(pattern)

    def _found(self, pattern):
        files = [each for each in glob.glob(f"{self.folder}/{pattern}") if not each.endswith(".asc")]
        return files[0] if files else None


def wrap(name):
    """The settings of a wrap file that a fetch needs."""
    with open(f"{TOP}/subprojects/{name}.wrap", encoding="utf-8") as file:
        lines = [line.split(" = ") for line in file.read().splitlines() if " = " in line]
    return {each[0]: each[1] for each in lines}


def make_repository(folder, file, tag):
    """A git repository of the sources in a file, with the tag."""
    os.makedirs(folder)
    if file.endswith(".deb"):
        run("dpkg-deb", "-x", file, f"{folder}/unpacked")
        run("mv", f"{folder}/unpacked/usr/include", folder)
        run("rm", "-r", f"{folder}/unpacked")
    else:
        run("tar", "-x", "--strip-components=1", "-C", folder, "-f", file)
    git = ["git", "-C", folder, "-c", "user.name=test", "-c", "user.email=test@localhost"]
    run(*git, "init", "-q")
    run(*git, "add", "--all", "--force")
    run(*git, "commit", "-q", "-m", tag)
    run(*git, "tag", tag)


def redirected(places):
    """The environment in which git takes local repositories for those of the wraps."""
    environment = dict(os.environ, GIT_CONFIG_COUNT=str(len(places) + 1),
                       GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*",
                       CXX="ccache g++", CC="ccache gcc")
    for number, (url, folder) in enumerate(places.items(), 1):
        environment[f"GIT_CONFIG_KEY_{number}"] = f"url.file://{folder}.insteadOf"
        environment[f"GIT_CONFIG_VALUE_{number}"] = url
    return environment


def build(tree, names, environment):
    """mcr and the unit tests, linked to what the wraps brought."""
    done = run("meson", "setup", "build", "--wrap-mode=forcefallback", "-Doptimization=0",
               "-Ddebug=false", "-Dbenchmarks=disabled", ok=False, seconds=600, cwd=tree,
               env=environment)
    check(done.returncode == 0, f"meson setup failed:\n{done.stdout[-3000:]}")
    project = json.loads(run("meson", "introspect", "--projectinfo", "build", cwd=tree).stdout)
    equal(sorted(each["name"] for each in project["subprojects"]), sorted(names),
          "the subprojects that meson took")
    done = run("meson", "test", "-C", "build", "--suite", "mcr:unit", ok=False, seconds=3000,
               cwd=tree, env=environment)
    check(done.returncode == 0, f"the unit tests failed:\n{done.stdout[-6000:]}")
    run("ninja", "-C", "build", "mcr", seconds=1800, cwd=tree, env=environment)
    libraries = run("ldd", "build/mcr", cwd=tree).stdout
    for each in ("libfmt", "libtomlplusplus", "liburing", "libcap-ng"):
        check(each not in libraries, f"mcr is linked to the host's {each}")


def main():
    equal(sorted(SOURCES), sorted(os.path.basename(each)[:-5] for each in
                                  glob.glob(f"{TOP}/subprojects/*.wrap")), "the wraps")
    with tempfile.TemporaryDirectory() as work:
        phase("the sources")
        archive = Archive(work)
        places, missing = {}, []
        copy_checkout(f"{work}/tree")
        for name, (package, version) in SOURCES.items():
            file = archive.fetch(package, version)
            if file:
                places[wrap(name)["url"]] = f"{work}/repositories/{name}"
                make_repository(f"{work}/repositories/{name}", file, wrap(name)["revision"])
            else:
                missing.append(name)
                os.remove(f"{work}/tree/subprojects/{name}.wrap")
        phase("the build")
        build(f"{work}/tree", set(SOURCES) - set(missing), redirected(places))
    if missing:
        raise Skip(f"the archive has no sources for {' '.join(missing)}; all others passed")


with judged():
    main()
