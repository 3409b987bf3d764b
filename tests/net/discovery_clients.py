#!/usr/bin/env python3
"""Real programs of discovery find each other through a reflector.

    lan (l0 10.1.0.2) ---- (r0 10.1.0.1) relay (r1 10.2.0.1) ---- (i0 10.2.0.2) iot
                                         relay (r2 10.3.0.1) ==== (g0 10.3.0.2) guest

r2 and g0 are the ends of a WireGuard tunnel where the kernel has it (the guest), else of a veth.

- Avahi publishes on each segment, and is browsed and resolved on the others. `mcr inspect` lists
  what it publishes by segment.
- python-zeroconf publishes on each segment, and is found and resolved on the others.
- The same while each segment loses a tenth of what comes, which nftables sees to. Of 40 browsers as
  many find what is published behind the relay as do on one segment, where no relay is:

    one (x0 10.9.0.1) ---- (y0 10.9.0.2) other
- GSSDP (the library of GNOME) is a device of UPnP; GSSDP and upnpc of MiniUPnP find it, each on
  another segment than the device.
- wsdd finds a host of wsdd, in both directions.
A program that is not installed is skipped, and said so.
"""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import subprocess

from netlab import wireguard
from netlab.daemon import Daemon, config
from netlab.expect import Skip, check, equal, phase, scaled, until
from netlab.ledger import internal
from netlab.world import play

HOSTS = {"lan": ("l0", "10.1.0.2/24", "r0", "10.1.0.1/24"),
         "iot": ("i0", "10.2.0.2/24", "r1", "10.2.0.1/24"),
         "guest": ("g0", "10.3.0.2/24", "r2", "10.3.0.1/24")}
WAYS = [(here, there) for here in HOSTS for there in HOSTS if here != there]
KINDS = ("mdns", "ssdp", "ws-discovery")
REFLECTORS = "".join(f'[[reflector]]\nname = "{kind}"\nkind = "{kind}"\ninterfaces = ["r0", "r1", "r2"]\n'
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


def address_of(place):
    return HOSTS[place][1].split("/")[0]


EVERYWHERE = [end for place, (interface, _, ours, _) in HOSTS.items()
              for end in ((place, interface), ("relay", ours))]


@contextlib.contextmanager
def loss(world, ends=EVERYWHERE):
    """Each of these ends loses a tenth of all UDP that comes."""
    for namespace, device in ends:
        script = f"""
table netdev loss_{device} {{
  chain ingress {{
    type filter hook ingress device {device} priority -500;
    meta l4proto udp numgen random mod 10 0 counter drop
  }}
}}
"""
        world.sh(f"nft -f {world.write(f'loss-{device}.nft', script)}", namespace)
    yield
    lost = 0
    for namespace, device in ends:
        table = world.sh(f"nft list table netdev loss_{device}", namespace)
        lost += int(re.search(r"packets (\d+)", table)[1])
        world.sh(f"nft delete table netdev loss_{device}", namespace)
    print(f"lost: {lost} datagrams")
    check(lost > 0, "some were lost")


class Avahi:
    """A daemon of Avahi on each host."""

    def __init__(self, world):
        self.hosts = {name: Host(world, name) for name in HOSTS}
        for name, host in self.hosts.items():
            bus(host)
            text = (f"[server]\nhost-name={name}\nuse-ipv6=no\nallow-interfaces={HOSTS[name][0]}\n"
                    "allow-point-to-point=yes\nenable-dbus=yes\n[publish]\npublish-workstation=no\n[reflector]\n[rlimits]\n")
            path = world.write(f"avahi-{name}.conf", text)
            host.start("avahi-daemon", "--no-drop-root", "--no-chroot", "-f", path)
            until(lambda h=host: "Server startup complete" in h.logs(),
                  lambda h=host: f"avahi: {h.logs()}", 20)

    def inside(self, place):
        return ["nsenter", "-t", str(self.hosts[place].processes[1].pid), "-m", "-n"]

    def publish(self, place, name):
        return subprocess.Popen([*self.inside(place), "avahi-publish", "-s", name, "_ipp._tcp", "631"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def browse(self, place):
        return subprocess.run([*self.inside(place), "avahi-browse", "-rtp", "_ipp._tcp"],
                              capture_output=True, text=True, timeout=20, check=False).stdout

    def resolves(self, place, name, published_at):
        """True if the browser at one place finds what the other one publishes, with its address."""
        return any(line.startswith("=") and name.replace(" ", "\\032") in line and
                   address_of(published_at) in line for line in self.browse(place).split("\n"))

    def close(self):
        for host in self.hosts.values():
            host.close()


def avahi(world, daemon):
    if not all(shutil.which(p) for p in ("avahi-daemon", "avahi-browse", "dbus-daemon")):
        print("skipped: no Avahi here (avahi-daemon, avahi-utils, dbus)")
        return 0
    there_is = Avahi(world)
    phase("Avahi: published on each segment, browsed and resolved on the others")
    publishers = [there_is.publish(place, f"printer of {place}") for place in HOSTS]
    for here, there in WAYS:
        until(lambda h=here, t=there: there_is.resolves(t, f"printer of {h}", h),
              lambda h=here, t=there: f"printer of {h} is resolved on {t}: {there_is.browse(t)}", 30)
    inspected(world, daemon)
    for publisher in publishers:
        publisher.kill()
        publisher.wait()
    phase("Avahi, where a tenth is lost")
    with loss(world):
        name = "hardy printer of lan"
        publisher = there_is.publish("lan", name)
        for place in ("iot", "guest"):
            until(lambda p=place: there_is.resolves(p, name, "lan"),
                  lambda p=place: f"{name} is resolved on {p}: {there_is.browse(p)}", 40)
        publisher.kill()
        publisher.wait()
    there_is.close()
    return 1


def inspected(world, daemon):
    """`mcr inspect` lists what is published where: text of 80 columns, and JSON."""
    def heard():
        listed = json.loads(world.call("inspect", "mdns", "--json", "--socket", daemon.socket).stdout)
        return {(s["interface"], s["type"], s["name"], s["from"]) for s in listed["services"]}
    wanted = {(ours, "_ipp._tcp", f"printer of {place}", address_of(place))
              for place, (_, _, ours, _) in HOSTS.items()}
    until(lambda: wanted <= heard(), lambda: f"services by segment: {heard()}")
    text = world.call("inspect", "mdns", "--socket", daemon.socket).stdout
    check(all(len(line) <= 80 for line in text.split("\n")), f"80 columns: {text}")
    check("printer of iot" in text and "r1: 1 service heard" in text, f"the list: {text}")


def zeroconf(world, _):
    program = shutil.which("python3", path="/usr/bin") or "python3"
    have = subprocess.run([program, "-c", "import zeroconf"], capture_output=True, check=False)
    if have.returncode != 0:
        print("skipped: no python3-zeroconf here")
        return 0
    publish = world.write("publish.py", """
import socket, sys, time
from zeroconf import IPVersion, ServiceInfo, Zeroconf
address, name = sys.argv[1:]
zeroconf = Zeroconf(interfaces=[address], ip_version=IPVersion.V4Only)
zeroconf.register_service(ServiceInfo("_http._tcp.local.", f"{name}._http._tcp.local.", 80,
    addresses=[socket.inet_aton(address)], server=f"{name}.local."))
print("ready", flush=True)
time.sleep(120)
""")
    find = world.write("find.py", """
import os, socket, sys
from zeroconf import IPVersion, Zeroconf
address, name = sys.argv[1:]
zeroconf = Zeroconf(interfaces=[address], ip_version=IPVersion.V4Only)
info = zeroconf.get_service_info("_http._tcp.local.", f"{name}._http._tcp.local.", 15000)
print(socket.inet_ntoa(info.addresses[0]) if info else "nothing", flush=True)
os._exit(0)
""")
    def published(place, name):
        process = subprocess.Popen(["ip", "netns", "exec", place, program, publish, address_of(place), name],
                                   stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    def found(place, name):
        return world.sh(f"{program} {find} {address_of(place)} {name}", place, seconds=30).strip()

    def resolved(place, name, published_at):
        equal(found(place, name), address_of(published_at), f"{name}, resolved on {place}")

    phase("python-zeroconf: published on each segment, resolved on the others")
    publishers = [published(place, f"lamp-of-{place}") for place in HOSTS]
    for here, there in WAYS:
        resolved(there, f"lamp-of-{here}", here)
    phase("python-zeroconf, where a tenth is lost")
    with loss(world):
        publishers.append(published("iot", "hardy-lamp"))
        for place in ("lan", "guest"):  # it asks for 15 s, at longer and longer intervals; then once more
            until(lambda p=place: found(p, "hardy-lamp") == address_of("iot"),
                  f"hardy-lamp is resolved on {place}", 30)
    for publisher in publishers:
        publisher.kill()
        publisher.wait()
    in_proportion(world, program, publish)
    return 1


def in_proportion(world, program, publish):
    """A tenth is lost at the hosts. Browsers that begin anew, each with some seconds: as many find
    the lamp through the relay as on one segment, or as few less as chance explains."""
    tries, share = scaled(40, 20), {}
    phase(f"python-zeroconf, where a tenth is lost: {tries} browsers, with a relay and without")
    world.namespace("one", "other")
    world.link("one", "x0", "10.9.0.1/24", "other", "y0", "10.9.0.2/24")
    browse = world.write("browse.py", """
import os, sys
from zeroconf import IPVersion, Zeroconf
address, name, tries = sys.argv[1:]
found = 0
for _ in range(int(tries)):
    zeroconf = Zeroconf(interfaces=[address], ip_version=IPVersion.V4Only)
    if zeroconf.get_service_info("_http._tcp.local.", f"{name}._http._tcp.local.", 4000):
        found += 1
    zeroconf.close()
print(found, flush=True)
os._exit(0)
""")
    pairs = {"relay": ("iot", address_of("iot"), "lan", address_of("lan")),
             "no relay": ("one", "10.9.0.1", "other", "10.9.0.2")}
    processes, browsers = [], {}
    for there, address, _, _ in pairs.values():
        processes.append(subprocess.Popen(["ip", "netns", "exec", there, program, publish, address, "rare-lamp"],
                                          stdout=subprocess.PIPE))
        processes[-1].stdout.readline()
    with loss(world, [("iot", "i0"), ("lan", "l0"), ("one", "x0"), ("other", "y0")]):
        for what, (_, _, here, address) in pairs.items():
            browsers[what] = subprocess.Popen(["ip", "netns", "exec", here, program, browse, address, "rare-lamp",
                                               str(tries)], stdout=subprocess.PIPE)
        for what, browser in browsers.items():
            share[what] = int(browser.communicate(timeout=200)[0])
    for process in processes:
        process.kill()
        process.wait()
    print(f"found by {share['relay']} of {tries} through the relay, by {share['no relay']} without one")
    mean = (share["relay"] + share["no relay"]) / (2 * tries)
    chance = 3 * math.sqrt(2 * mean * (1 - mean) * tries)
    check(share["relay"] >= share["no relay"] - max(chance, 1), f"a relay costs nothing that chance does not: {share}")
    check(share["no relay"] > tries / 2, f"and without it most find it: {share}")


def gssdp(world, _):
    program = shutil.which("python3", path="/usr/bin") or "python3"
    have = subprocess.run([program, "-c", "import gi; gi.require_version('GSSDP', '1.6')"],
                          capture_output=True, check=False)
    if have.returncode != 0:
        print("skipped: no GSSDP here (gir1.2-gssdp-1.6, python3-gi)")
        return 0
    head = """
import sys, gi
gi.require_version("GSSDP", "1.6")
from gi.repository import GLib, GSSDP
interface, address = sys.argv[1:]
client = GSSDP.Client.new_full(interface, None, 0, GSSDP.UDAVersion.VERSION_1_0)
"""
    device = world.write("device.py", head + """
group = GSSDP.ResourceGroup.new(client)
group.set_available(False)
kind = "upnp:rootdevice"
group.add_resource_simple(kind, f"uuid:{address}::{kind}", f"http://{address}:80/device.xml")
group.set_available(True)
print("ready", flush=True)
GLib.MainLoop().run()
""")
    seeker = world.write("seeker.py", head + """
browser = GSSDP.ResourceBrowser.new(client, "ssdp:all")
browser.connect("resource-available", lambda _, usn, places: print(usn, *places, flush=True))
browser.set_active(True)
loop = GLib.MainLoop()
GLib.timeout_add_seconds(10, loop.quit)
loop.run()
""")
    # GSSDP finds no address on a point-to-point device, so guest has MiniUPnP only.
    for here, there, other in (("iot", "lan", "guest"), ("lan", "iot", "guest")):
        phase(f"SSDP: a device of GSSDP on {here}, found on {there} and {other}")
        process = subprocess.Popen(["ip", "netns", "exec", here, program, device, HOSTS[here][0],
                                    address_of(here)], stdout=subprocess.PIPE)
        check(process.stdout.readline() == b"ready\n", "the device is there")
        found = world.sh(f"timeout 15 {program} {seeker} {HOSTS[there][0]} {address_of(there)}", there)
        check(f"http://{address_of(here)}:80/device.xml" in found, f"GSSDP finds it: {found}")
        if shutil.which("upnpc"):
            found = world.sh(f"upnpc -m {HOSTS[other][0]} -l || true", other)
            check(f"http://{address_of(here)}:80/device.xml" in found, f"upnpc finds it: {found}")
        else:
            print("skipped: no upnpc here (miniupnpc)")
        process.kill()
        process.wait()
    return 1


def wsdd(world, _):
    if shutil.which("wsdd") is None:
        print("skipped: no wsdd here")
        return 0
    for here, there in (("iot", "lan"), ("lan", "guest")):
        phase(f"wsdd: a host of {here} is discovered on {there}")
        host = subprocess.Popen(["ip", "netns", "exec", here, "wsdd", "-4", "-i", HOSTS[here][0], "-n",
                                 "lamp", "-s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda h=here: ":3702" in world.sh("ss -uanH", h), "wsdd listens")
        log = world.path(f"wsdd-{there}.log")
        with open(log, "wb") as file:
            seeker = subprocess.Popen(["ip", "netns", "exec", there, "wsdd", "-4", "-i", HOSTS[there][0],
                                       "-D", "-o", "-v", "-v", "-v"], stdout=file, stderr=file)

        def logged(path=log):
            with open(path, errors="replace", encoding="utf-8") as file:
                return file.read()

        until(lambda: "ProbeMatches" in logged(), lambda: "the probe is answered: " + logged()[-2000:], 30)
        for process in (seeker, host):
            process.kill()
            process.wait()
    return 1


def story(world):
    world.namespace("relay", *HOSTS)
    for name, (interface, address, near, ours) in HOSTS.items():
        if name == "guest" and wireguard.is_there():
            world.link(name, "u0", "192.0.2.2/24", "relay", "u0", "192.0.2.1/24")
            wireguard.tunnel(world, [(name, interface, address, "192.0.2.1"), ("relay", near, ours, "192.0.2.2")],
                             ("0.0.0.0/0", "0.0.0.0/0"))
            print("guest is behind a WireGuard tunnel")
        else:
            world.link(name, interface, address, "relay", near, ours)
    daemon = Daemon(world, config(REFLECTORS)).start()
    judged = sum(judge(world, daemon) for judge in (avahi, zeroconf, gssdp, wsdd))
    internal(daemon.status())
    if judged == 0:
        raise Skip("none of the programs is installed")


play(story, 220)
