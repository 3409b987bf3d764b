"""A Debian with systemd as process 1, where nothing that a test does lasts.

In a guest (`tools/guest --systemd`) that is the guest itself, with Debian's own kernel. Elsewhere it
is one in namespaces of this kernel, which boots in a second: its files are a layer of memory above a
bare system (debootstrap, kept in the cache). That needs root and a writable cgroup2.
MCR_SUITE names the release, MCR_PACKAGES what else the bare system has, with commas.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

from netlab.expect import PATIENCE, SKIP, Failure, Skip, until

CACHE = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mcr-package"
)
SUITE = os.environ.get("MCR_SUITE", "bookworm")
PACKAGES = ",".join(["systemd-sysv,iproute2", *filter(None, [os.environ.get("MCR_PACKAGES")])])
GUEST = os.environ.get("MCR_GUEST")
HERE = os.path.dirname(os.path.abspath(__file__))
BOOT = os.path.join(HERE, "boot")
TOP = os.path.dirname(os.path.dirname(HERE))


def run(*argv, ok=True, seconds=120, **options):
    done = subprocess.run(
        list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", timeout=seconds * PATIENCE, check=False, **options,
    )
    if ok and done.returncode != 0:
        raise Failure(f"`{' '.join(map(str, argv))}` exited {done.returncode}:\n"
                      f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done


def copy_checkout(folder):
    """What is checked out, as tools/package takes it, goes to a new folder."""
    os.mkdir(folder)
    pack = "git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar -c -T - .git"
    files = subprocess.Popen(["sh", "-c", pack], cwd=TOP, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "--no-same-owner", "-C", folder], stdin=files.stdout, check=True)
    if files.wait() != 0:
        raise Failure("the checkout cannot be copied")


def mirror():
    """Where this host's apt gets Debian from; every release is there."""
    uri = "$(REPO_URI) $(LABEL) $(COMPONENT)"
    listed = run("apt-get", "indextargets", "--format", uri, "Created-By: Packages").stdout
    found = next((line.split()[0] for line in listed.splitlines() if line.endswith(" Debian main")),
                 None)
    if not found:
        raise Skip("apt knows no archive of Debian")
    return found


def not_settings(folder, names):
    """Files of apt's settings that are none of this host's: Docker's, which delete what apt downloads, and
    those that packages bring. dpkg would ask whose to keep when such a package is installed there."""
    found = run("dpkg-query", "--search", *(os.path.join(folder, name) for name in names), ok=False).stdout
    packaged = {os.path.basename(line.partition(": ")[2]) for line in found.splitlines()}
    return {name for name in names if name in packaged or name.startswith("docker-")}


def bare_system():
    """The directory of a bare Debian; made, with debootstrap, if it is not in the cache."""
    source = mirror()
    recipe = hashlib.sha256((PACKAGES + source).encode()).hexdigest()[:8]
    root = os.path.join(CACHE, f"{SUITE}_{recipe}")
    if not os.path.isdir(root):
        print(f"making a bare Debian, {SUITE} (once)", flush=True)
        os.makedirs(CACHE, exist_ok=True)
        making = tempfile.mkdtemp(prefix="new.", dir=CACHE)
        os.chmod(making, 0o755)
        try:
            # What an interrupted debootstrap has mounted there must not be there for rmtree().
            made = run("unshare", "--mount", "debootstrap", "--variant=minbase",
                       f"--include={PACKAGES}", SUITE, making, source, ok=False, seconds=1800)
            if made.returncode != 0:
                raise Skip(f"debootstrap of {SUITE}: {(made.stderr or made.stdout)[-200:].strip()}")
            run("rm", "-rf", f"{making}/var/cache/apt/archives")
            os.makedirs(f"{making}/var/cache/apt/archives/partial")
            os.rename(making, root)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return root


class Machine:
    """What a test does with either kind."""

    def __init__(self, root, enter):
        self.root = root
        self._enter = enter  # what goes before a command that is to run there

    @property
    def booted(self):
        return self._enter is not None

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def call(self, *argv, seconds=60):
        """A command in the machine, to its end."""
        return run(*self._enter, *argv, ok=False, seconds=seconds)

    def sh(self, command, seconds=60):
        """A shell command that must not fail; its output."""
        done = self.call("sh", "-c", command, seconds=seconds)
        if done.returncode != 0:
            raise Failure(f"`{command}` exited {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def start(self, command):
        """A shell command in the background."""
        return subprocess.Popen(
            [*self._enter, "sh", "-c", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )


class Guest(Machine):
    """This very system. It has no network: what the package depends on is there already."""

    def __init__(self):
        super().__init__("/", [])

    def install(self, package):
        shutil.copy(package, "/root/")
        run("apt-get", "-q", "-y", "install", f"/root/{os.path.basename(package)}")

    def boot(self):
        """It is up."""

    def close(self):
        """It goes with all that was done to it."""


class Contained(Machine):
    """Made of the bare system at once; with systemd from boot() on."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skip("only root can make a machine")
        self._unshare = None
        self._cgroup = None
        self.bare = bare_system()
        self._work = tempfile.mkdtemp(prefix="mcr-machine.")
        run("mount", "-t", "tmpfs", "tmpfs", self._work)
        super().__init__(os.path.join(self._work, "root"), None)
        for name in ("root", "upper", "work"):
            os.mkdir(os.path.join(self._work, name))
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={self.bare},upperdir={self._work}/upper,workdir={self._work}/work", self.root)

    @contextlib.contextmanager
    def online(self):
        """Meanwhile apt works there: with this host's settings, and what it downloads is kept."""
        shutil.copytree("/etc/apt/apt.conf.d", self.path("/etc/apt/apt.conf.d"), dirs_exist_ok=True,
                        ignore=not_settings)
        if os.path.exists("/etc/resolv.conf"):
            shutil.copy("/etc/resolv.conf", self.path("/etc/resolv.conf"))
        kept = {"/var/cache/apt/archives": f"archives_{SUITE}", "/var/lib/apt/lists": f"lists_{SUITE}"}
        for folder, name in kept.items():
            os.makedirs(os.path.join(CACHE, name, "partial"), exist_ok=True)
            run("mount", "--bind", os.path.join(CACHE, name), self.path(folder))
        try:
            yield
        finally:
            for folder in kept:
                run("umount", self.path(folder))

    def install(self, package):
        """apt install, before the boot."""
        shutil.copy(package, self.path("/root/"))
        inside = ["chroot", self.root, "apt-get", "-q", "-y"]
        command = [*inside, "install", f"/root/{os.path.basename(package)}"]
        with self.online():
            if run(*command, ok=False, seconds=300).returncode != 0:
                run(*inside, "update", seconds=300)
                run(*command, seconds=300)

    def boot(self):
        """Starts systemd, in namespaces and a cgroup of its own."""
        hierarchy = next(
            (each for each in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
             if os.access(f"{each}/cgroup.procs", os.W_OK)), None,
        )
        if not hierarchy:
            raise Skip("no cgroup2 that can be written to")
        self._cgroup = tempfile.mkdtemp(prefix="mcr-machine.", dir=hierarchy)
        self._unshare = subprocess.Popen(
            ["sh", "-c",
             'echo $$ >"$0/cgroup.procs" && exec unshare --mount --uts --ipc --net --pid --cgroup'
             ' --fork --kill-child "$1" "$2"', self._cgroup, BOOT, self.root],
            stdin=subprocess.DEVNULL,
        )
        children = f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children"

        def init():
            with open(children, encoding="utf-8") as file:
                found = file.read().split()
            return int(found[0]) if found else None

        process1 = until(init, "the machine starts", 15)  # as this host numbers it
        self._enter = ["nsenter", "--all", "--target", str(process1)]
        until(lambda: self.call("systemctl", "is-system-running", "--wait").stdout.strip()
              in ("running", "degraded"), "systemd is up", 60)

    def close(self):
        if self._unshare:
            self._unshare.kill()
            self._unshare.wait()
            # What was killed is there for a moment still.
            until(lambda: run("find", self._cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}",
                              "+", ok=False).returncode == 0 or not os.path.exists(self._cgroup),
                  f"{self._cgroup} is empty", 15)
        run("umount", "--recursive", "--lazy", self._work, ok=False)
        os.rmdir(self._work)


@contextlib.contextmanager
def judged():
    """For a job without a machine: its exit code is 77 if it is skipped, 1 if it fails."""
    try:
        yield
    except Skip as skip:
        print(f"skipped: {skip}")
        sys.exit(SKIP)
    except (Failure, subprocess.SubprocessError) as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)


def play(story):
    """story(machine); exit 0 passed, 77 skipped, else failed."""
    machine = None
    try:
        machine = Guest() if GUEST else Contained()
        story(machine)
    except Skip as skip:
        print(f"skipped: {skip}")
        sys.exit(SKIP)
    except Failure as failure:
        print(f"FAILED: {failure}")
        if machine and machine.booted:
            print(machine.call("journalctl", "--no-pager", "-n", "60", "-u", "mcr*").stdout)
            print(f"FAILED: {failure}")
        sys.exit(1)
    finally:
        if machine:
            machine.close()
