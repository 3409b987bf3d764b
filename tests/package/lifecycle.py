#!/usr/bin/env python3
"""The life of the package on a Debian with systemd: lifecycle.py mcr_VERSION_ARCH.deb

    gen (g0) ---- (r0) the machine: mcr.service (r1) ---- (s0) sink
    gen (g1) ---- (r0) east: mcr@east.service (r1) ---- (s1) sink

Installed by apt, started by systemd, carrying traffic under its own sandbox; reloaded, fed a broken
configuration, hung, upgraded, removed, purged.
"""

import json
import os
import re
import sys
import time

from machine import play, run
from netlab.expect import PATIENCE, check, equal, phase, until

CONFIG = """
[interface.r0]
receive_buffer = "16 MiB"
gro = "on"

[[rule]]
name = "one"
input = { interface = "r0", group = "239.1.1.1", port = 5000 }
outputs = [ { interface = "r1", group = "239.2.1.1", port = 6000, ttl = 8 } ]
"""
MORE = CONFIG.replace('"one"', '"two"').replace("239.1.1.1", "239.1.1.2")
MORE = MORE[MORE.index("[[rule]]"):]
GRO = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 2)  # this kernel lets us use it
# What dpkg and apt write about any package; nothing of it is the package's.
LEDGERS = re.compile(
    r"/(var/lib/(dpkg|apt|systemd)|var/cache/(apt|debconf|ldconfig)|var/log|root|etc/apt|run|tmp|proc"
    r"|sys|dev|var/tmp)(/|$)|/etc/(resolv\.conf|ld\.so\.cache|mtab|machine-id|passwd-?|group-?"
    r"|shadow-?|gshadow-?|subuid-?|subgid-?|\.pwd\.lock|\.updated)$|/var/\.updated$"
)


def files(machine):
    found = set()
    for folder, folders, names in os.walk(machine.root):
        def path(name):
            return os.path.normpath(os.path.join("/", os.path.relpath(folder, machine.root), name))
        folders[:] = [name for name in folders if not LEDGERS.match(path(name))]
        found.update(path(name) for name in folders + names if not LEDGERS.match(path(name)))
    return found


def unit(machine, what, name="mcr.service"):
    return machine.call("systemctl", "show", "--value", "-p", what, name).stdout.strip()


def status(machine, socket="/run/mcr/mcr.sock"):
    return json.loads(machine.sh(f"mcr status --json --socket {socket}"))


def active(machine, socket="/run/mcr/mcr.sock"):
    until(lambda: all(rule["state"] == "active" for rule in status(machine, socket)["rules"]),
          lambda: f"all rules active: {status(machine, socket)['rules']}", 15)


def traffic(machine, ends=("gen", "g0", "sink", "s0"), count=2000):
    """Every datagram, once, in order, intact."""
    source, g, target, s = ends
    sink = machine.start(
        f"ip netns exec {target} timeout -s INT {20 * PATIENCE} mcr sink --interface {s} --group 239.2.1.1 --port 6000"
        f" --count {count} --strict --json"
    )
    until(lambda: sink.stderr.readline(), "the sink is ready", 15)
    machine.sh(f"ip netns exec {source} mcr gen --interface {g} --group 239.1.1.1 --port 5000"
               f" --count {count} --rate {10000 // PATIENCE}")
    out, error = sink.communicate(timeout=40 * PATIENCE)
    equal(sink.returncode, 0, f"exit code of mcr sink --strict ({out}{error})")


def link(machine, a, a_interface, a_address, b, b_interface, b_address):
    into = {end: f"netns {end}" if end else "" for end in (a, b)}
    machine.sh(f"ip link add {a_interface} {into[a]} type veth peer name {b_interface} {into[b]}")
    for end, interface, address in ((a, a_interface, a_address), (b, b_interface, b_address)):
        ip = f"ip -n {end}" if end else "ip"
        machine.sh(f"{ip} addr add {address} dev {interface} && {ip} link set {interface} up")


def installed(machine):
    phase("what is installed: valid, idle, complete")
    for path in ("/usr/bin/mcr", "/etc/mcr/mcr.toml", "/etc/mcr/conf.d",
                 "/usr/share/man/man1/mcr.1.gz", "/usr/share/man/man1/mcr-status.1.gz",
                 "/usr/share/man/man5/mcr.toml.5.gz", "/usr/share/doc/mcr/copyright",
                 "/usr/share/bash-completion/completions/mcr",
                 "/usr/share/mcr/mcr.schema.json", "/usr/share/mcr/mcr.openapi.json", "/usr/share/mcr/container/seccomp.json",
                 "/usr/share/zsh/vendor-completions/_mcr",
                 "/usr/share/doc/mcr/examples/namespace.conf"):
        check(os.path.exists(machine.path(path)), f"{path} is installed")
    check("/etc/mcr/mcr.toml" in run("chroot", machine.root, "dpkg-query", "-W", "-f",
                                     "${Conffiles}", "mcr").stdout, "mcr.toml is a conffile")
    run("chroot", machine.root, "mcr", "check")


def idle(machine):
    phase("starts with the machine: idle, ready, as its own user")
    equal(unit(machine, "ActiveState"), "active", "state of mcr.service")
    equal(unit(machine, "StatusText"), "no rules: idle", "its status line")
    pid = unit(machine, "MainPID")
    fields = dict(line.split(":\t", 1) for line in
                  machine.sh(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    check(fields["Uid"].split()[0] != "0", "mcr runs as root")
    equal(int(fields["CapPrm"], 16), 1 << 10 | 1 << 12 | 1 << 13, "its capabilities")
    equal(machine.sh("stat -c '%U %G %a' /run/mcr/mcr.sock"), "mcr mcr 660", "the control socket")


def sandboxed(machine):
    phase("systemd-analyze: verify, security")
    for name in ("mcr.service", "mcr@.service"):
        path = f"/lib/systemd/system/{name}"
        done = machine.call("systemd-analyze", "verify", "--man=no", path)
        equal((done.returncode, done.stderr), (0, ""), f"systemd-analyze verify {name}")
        table = machine.sh(f"systemd-analyze security --offline=true --threshold=20 {path}")
        print(table.splitlines()[-1])


def serves(machine):
    phase("reload, traffic, a broken configuration")
    machine.write("/etc/mcr/mcr.toml", CONFIG)
    machine.sh("systemctl reload mcr.service")
    active(machine)
    until(lambda: unit(machine, "StatusText") == "1 rule active", "the status line says so", 15)
    traffic(machine)
    r0 = {each["name"]: each for each in status(machine)["interfaces"]}["r0"]
    with open("/proc/sys/net/core/rmem_max", encoding="utf-8") as file:
        most = int(file.read())
    check(r0["receive_buffer"] > 2 * most, f"CAP_NET_ADMIN: {r0['receive_buffer']} B granted")
    if GRO:
        equal(r0["gro"], "on", "CAP_NET_ADMIN: GRO of r0")
        check(machine.sh("ls /run/mcr/gro"), "a record of GRO is kept")
    pid = unit(machine, "MainPID")
    machine.write("/etc/mcr/mcr.toml", CONFIG + "[deamon]\n")
    check(machine.call("systemctl", "reload", "mcr.service").returncode != 0,
          "a refused configuration fails the reload")
    equal(unit(machine, "ActiveState"), "active", "state of mcr.service afterwards")
    check(f"mcr.toml:{CONFIG.count(chr(10)) + 1}:2" in machine.sh("journalctl --no-pager -u mcr.service"),
          "the journal has the mistake's position")
    traffic(machine)
    machine.write("/etc/mcr/mcr.toml", CONFIG)
    machine.write("/etc/mcr/conf.d/more.toml", MORE)
    machine.sh("systemctl reload mcr.service")
    equal(len(status(machine)["rules"]), 2, "rules with those of conf.d")
    equal(unit(machine, "MainPID"), pid, "the process after three reloads")
    machine.sh("rm /etc/mcr/conf.d/more.toml; systemctl reload mcr.service")
    check("<" not in machine.sh("journalctl --no-pager -o cat -u mcr.service | head -c 1"),
          "priorities are the journal's")


def hangs(machine):
    phase("a process that hangs is killed by the watchdog, and started again")
    machine.sh("mkdir -p /run/systemd/system/mcr.service.d && "
               "printf '[Service]\\nWatchdogSec=3\\nTimeoutAbortSec=1\\n'"
               " >/run/systemd/system/mcr.service.d/quick.conf && systemctl daemon-reload"
               " && systemctl restart mcr.service")
    pid = unit(machine, "MainPID")
    machine.sh(f"kill -STOP {pid}")
    until(lambda: unit(machine, "NRestarts") == "1" and unit(machine, "ActiveState") == "active",
          lambda: f"mcr.service is restarted: {unit(machine, 'ActiveState')}", 20)
    check("watchdog" in machine.sh("journalctl --no-pager -u mcr.service").lower(),
          "the journal names the watchdog")
    check(unit(machine, "MainPID") != pid, "another process runs")
    active(machine)
    traffic(machine)
    machine.sh("rm -r /run/systemd/system/mcr.service.d && systemctl daemon-reload")


def instance(machine):
    phase("an instance in a network namespace of its own")
    machine.sh("mkdir -p /etc/mcr/east /etc/systemd/system/mcr@east.service.d && "
               "cp /usr/share/doc/mcr/examples/namespace.conf /etc/systemd/system/mcr@east.service.d"
               " && systemctl daemon-reload")
    machine.sh("cp /usr/share/doc/mcr/examples/east.toml /etc/mcr/east/mcr.toml")
    machine.sh("systemctl start mcr@east.service", 30)
    active(machine, "/run/mcr/east.sock")
    traffic(machine, ("gen", "g1", "sink", "s1"))
    machine.sh("systemctl reload mcr@east.service")
    equal(unit(machine, "StatusText", "mcr@east.service"), "1 rule active", "its status line")


def upgraded(machine, package):
    phase("an upgrade: configuration kept, a restart of under a second")
    pids = [unit(machine, "MainPID", name) for name in ("mcr.service", "mcr@east.service")]
    machine.sh("useradd -r -M watcher && usermod -aG mcr watcher")
    machine.sh(f"dpkg -i /root/{os.path.basename(package)}", 120)
    times = {what: int(unit(machine, what)) for what in
             ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")}
    took = times["ActiveEnterTimestampMonotonic"] - times["InactiveExitTimestampMonotonic"]
    stopped = [json.loads(line) for line in machine.sh(
        "journalctl --no-pager -o json -u mcr.service").splitlines()]
    said = {each["MESSAGE"]: int(each["__MONOTONIC_TIMESTAMP"]) for each in stopped
            if isinstance(each.get("MESSAGE"), str)}
    began = said["Stopping mcr.service - Multicast relay..."]
    ended = said["Started mcr.service - Multicast relay."]
    print(f"away for {(ended - began) / 1e6:.2f} s, of these {took / 1e6:.2f} s to start")
    check(ended > began and ended - began < 1e6 * PATIENCE, "the restart took a second or more")
    for name, pid in zip(("mcr.service", "mcr@east.service"), pids):
        equal(unit(machine, "ActiveState", name), "active", f"{name} after the upgrade")
        check(unit(machine, "MainPID", name) != pid, f"{name} is restarted")
    equal(machine.sh("cat /etc/mcr/mcr.toml"), CONFIG.strip(), "the configuration")
    active(machine)
    traffic(machine)
    machine.sh("setpriv --reuid=watcher --regid=watcher --init-groups mcr status >/dev/null")
    done = machine.call("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                        "mcr", "status")
    equal(done.returncode, 77, f"exit code of mcr status for others ({done.stderr.strip()})")
    machine.sh("userdel watcher")


def by_hand(machine):
    phase("root runs it by hand, where the service is stopped")
    machine.sh("systemctl stop mcr.service")
    equal(unit(machine, "Result"), "success", "result of mcr.service")
    equal(machine.sh("ls /run/mcr"), "east.sock\ngro", "what is in /run/mcr")
    process = machine.start("exec mcr run")
    until(lambda: machine.call("mcr", "status").returncode == 0, "it answers", 15)
    machine.sh(f"kill -INT {status(machine)['pid']}")
    equal(process.wait(10 * PATIENCE), 0, "exit code of mcr run")
    machine.sh("systemctl start mcr.service")
    active(machine)


def gone(machine, before):
    phase("remove keeps the configuration, purge leaves nothing")
    machine.sh("apt-get -q -y remove mcr", 120)
    equal(machine.call("systemctl", "is-active", "mcr@east.service").stdout.strip(), "inactive",
          "the instance")
    equal(machine.sh("grep -lsx mcr /proc/[0-9]*/comm || echo none"), "none", "processes of mcr")
    check(os.path.exists(machine.path("/etc/mcr/mcr.toml")), "the configuration is kept")
    machine.sh("rm -r /etc/systemd/system/mcr@east.service.d")
    machine.sh("apt-get -q -y purge mcr && apt-get -q -y autoremove --purge", 120)
    equal(sorted(files(machine) - before), [], "what is left after the purge")
    equal(machine.sh("ls /run | grep mcr || echo none"), "none", "what is left in /run")
    for kind in ("passwd", "group"):
        equal(machine.sh(f"getent {kind} mcr || echo none"), "none", f"mcr in {kind}")


def story(machine):
    package = sys.argv[1]
    before = files(machine)
    phase("apt install")
    machine.install(package)
    installed(machine)
    machine.boot()
    idle(machine)
    sandboxed(machine)
    machine.sh("for each in gen sink east; do ip netns add $each; done")
    link(machine, "gen", "g0", "10.1.0.2/24", "", "r0", "10.1.0.1/24")
    link(machine, "sink", "s0", "10.2.0.2/24", "", "r1", "10.2.0.1/24")
    link(machine, "gen", "g1", "10.3.0.2/24", "east", "r0", "10.3.0.1/24")
    link(machine, "sink", "s1", "10.4.0.2/24", "east", "r1", "10.4.0.1/24")
    serves(machine)
    hangs(machine)
    instance(machine)
    upgraded(machine, package)
    by_hand(machine)
    gone(machine, before)


began = time.monotonic()
play(story)
print(f"passed in {time.monotonic() - began:.1f} s")
