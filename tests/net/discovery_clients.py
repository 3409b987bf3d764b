#!/usr/bin/env python3
"""Real programs of discovery find each other through a reflector.

    lan (l0 10.1.0.2) ---- (r0 10.1.0.1) relay (r1 10.2.0.1) ---- (i0 10.2.0.2) iot

- Avahi publishes on one segment, and is browsed and resolved on the other.
- python-zeroconf publishes, and Avahi finds it.
- wsdd finds a host of wsdd; gssdp-discover, where it is installed, finds a device.
A program that is not installed is skipped, and said so.
"""

import os
import shutil
import signal
import subprocess

from netlab.daemon import Daemon, config
from netlab.expect import Skip, check, phase, until
from netlab.ledger import internal
from netlab.world import play

HOSTS = {"lan": ("l0", "10.1.0.2/24", "r0", "10.1.0.1/24"),
         "iot": ("i0", "10.2.0.2/24", "r1", "10.2.0.1/24")}
KINDS = ("mdns", "ssdp", "ws-discovery")
REFLECTORS = "".join(f'[[reflector]]\nname = "{kind}"\nkind = "{kind}"\ninterfaces = ["r0", "r1"]\n'
                     for kind in KINDS)


class Host:
    """A namespace with its own D-Bus and Avahi; both live in a folder of their own."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.folder = world.path(f"host-{name}")
        self.processes = []

    def enter(self, *argv):
        """argv in the namespace, with a bus of its own; the user avahi is us, since there is no other."""
        os.makedirs(self.folder, exist_ok=True)
        users = self.world.write("passwd", "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/false\n")
        groups = self.world.write("group", "root:x:0:\navahi:x:0:\nnetdev:x:0:\n")
        script = (f"mkdir -p /run/dbus /run/avahi-daemon && mount --bind {self.folder} /run/dbus"
                  " && mount -t tmpfs -o mode=755 none /run/avahi-daemon"
                  f" && mount --bind {users} /etc/passwd && mount --bind {groups} /etc/group"
                  " && exec \"$@\"")
        return ["ip", "netns", "exec", self.name, "unshare", "-m", "sh", "-c", script, "sh", *argv]

    def start(self, *argv):
        log = open(os.path.join(self.folder, f"log{len(self.processes)}"), "wb")
        process = subprocess.Popen(self.enter(*argv), stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log)
        self.processes.append(process)
        return process

    def logs(self):
        texts = []
        for name in sorted(os.listdir(self.folder)):
            if name.startswith("log"):
                with open(os.path.join(self.folder, name), errors="replace", encoding="utf-8") as file:
                    texts.append(file.read())
        return "\n".join(texts)

    def close(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


def bus(host):
    """A system bus that lets everybody do everything: this is a test's own."""
    text = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>"""
    os.makedirs(host.folder, exist_ok=True)
    path = host.world.write(f"bus-{host.name}.conf", text)
    host.start("dbus-daemon", "--nofork", f"--config-file={path}")
    until(lambda: os.path.exists(os.path.join(host.folder, "system_bus_socket")),
          lambda: f"the bus runs: {host.logs()}")


def avahi(world):
    if not all(shutil.which(p) for p in ("avahi-daemon", "avahi-browse", "dbus-daemon")):
        print("skipped: no Avahi here (avahi-daemon, avahi-utils, dbus)")
        return 0
    hosts = [Host(world, name) for name in HOSTS]
    for host in hosts:
        interface = HOSTS[host.name][0]
        bus(host)
        text = (f"[server]\nhost-name={host.name}\nuse-ipv6=no\nallow-interfaces={interface}\n"
                "enable-dbus=yes\n[publish]\npublish-workstation=no\n[reflector]\n"
                "[rlimits]\n")
        path = world.write(f"avahi-{host.name}.conf", text)
        host.start("avahi-daemon", "--no-drop-root", "--no-chroot", "-f", path)
        until(lambda h=host: "Server startup complete" in h.logs(), lambda h=host: f"avahi: {h.logs()}", 20)

    def ask(host, *argv):
        inside = ["nsenter", "-t", str(host.processes[1].pid), "-m", "-n", *argv]
        return subprocess.run(inside, capture_output=True, text=True, timeout=20, check=False).stdout

    for here, there in (hosts, reversed(hosts)):
        phase(f"Avahi: published on {here.name}, browsed and resolved on {there.name}")
        name = f"printer of {here.name}"
        inside = ["nsenter", "-t", str(here.processes[1].pid), "-m", "-n"]
        publisher = subprocess.Popen([*inside, "avahi-publish", "-s", name, "_ipp._tcp", "631"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = HOSTS[here.name][1].split("/")[0]

        def resolved(host=there, wanted=address):
            found = ask(host, "avahi-browse", "-rtp", "_ipp._tcp")
            return any(line.startswith("=") and wanted in line for line in found.split("\n"))

        until(resolved, lambda h=there: f"{name} is resolved to {address}: {ask(h, 'avahi-browse', '-rtp', '_ipp._tcp')}\n{h.logs()[-1500:]}", 30)
        publisher.kill()
        publisher.wait()
    for host in hosts:
        host.close()
    return 1


def zeroconf(world):
    program = shutil.which("python3", path="/usr/bin") or "python3"
    have = subprocess.run([program, "-c", "import zeroconf"], capture_output=True, check=False)
    if have.returncode != 0:
        print("skipped: no python3-zeroconf here")
        return 0
    phase("python-zeroconf: published on iot, found and resolved on lan")
    publish = world.write("publish.py", """
import socket, time
from zeroconf import IPVersion, ServiceInfo, Zeroconf
zeroconf = Zeroconf(interfaces=["10.2.0.2"], ip_version=IPVersion.V4Only)
zeroconf.register_service(ServiceInfo("_http._tcp.local.", "lamp._http._tcp.local.", 80,
    addresses=[socket.inet_aton("10.2.0.2")], server="lamp.local."))
time.sleep(60)
""")
    find = world.write("find.py", """
import os
import socket
from zeroconf import IPVersion, Zeroconf
zeroconf = Zeroconf(interfaces=["10.1.0.2"], ip_version=IPVersion.V4Only)
info = zeroconf.get_service_info("_http._tcp.local.", "lamp._http._tcp.local.", 10000)
print(socket.inet_ntoa(info.addresses[0]) if info else "nothing", flush=True)
os._exit(0)
""")
    publisher = subprocess.Popen(["ip", "netns", "exec", "iot", program, publish])
    found = world.sh(f"{program} {find}", "lan", seconds=30)
    publisher.kill()
    publisher.wait()
    check(found.strip() == "10.2.0.2", f"lamp is resolved: {found}")
    return 1


def wsdd(world):
    if shutil.which("wsdd") is None:
        print("skipped: no wsdd here")
        return 0
    phase("wsdd: a host of iot is discovered on lan")
    host = subprocess.Popen(["ip", "netns", "exec", "iot", "wsdd", "-4", "-i", "i0", "-n", "lamp", "-s"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: ":3702" in world.sh("ss -uanH", "iot"), "wsdd listens")
    log = world.path("wsdd.log")
    seeker = None
    with open(log, "wb") as file:
        seeker = subprocess.Popen(["ip", "netns", "exec", "lan", "wsdd", "-4", "-i", "l0", "-D", "-o",
                                   "-v", "-v", "-v"], stdout=file, stderr=file)

    def found():
        with open(log, errors="replace", encoding="utf-8") as file:
            return "ProbeMatches" in file.read()

    until(found, lambda: "the probe is answered: " + open(log, errors="replace", encoding="utf-8").read()[-2000:], 30)
    for process in (seeker, host):
        process.kill()
        process.wait()
    return 1


def gssdp(world):
    if shutil.which("gssdp-discover") is None:
        print("skipped: no gssdp-discover here")
        return 0
    phase("gssdp-discover on lan finds a device of iot")
    world.start_program("ssdp_device", "ssdp", "i0", "10.2.0.2", namespace="iot")
    found = world.sh("timeout 8 gssdp-discover -i l0 --timeout=5 --target=ssdp:all || true", "lan",
                     seconds=20)
    check("10.2.0.2" in found, f"the device is found: {found}")
    return 1


def story(world):
    world.namespace("relay", *HOSTS)
    for name, (interface, address, near, ours) in HOSTS.items():
        world.link(name, interface, address, "relay", near, ours)
    daemon = Daemon(world, config(REFLECTORS)).start()
    judged = sum(judge(world) for judge in (avahi, zeroconf, wsdd, gssdp))
    internal(daemon.status())
    if judged == 0:
        raise Skip("none of the programs is installed")


play(story, 220)
