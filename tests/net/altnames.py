#!/usr/bin/env python3
"""Interfaces by their alternative names: in rules, in [interface.NAME], in status and doctor.

    gen (g0) ---- (r0 = uplink) relay (r1 = a-name-that-is-longer-than-fifteen) ---- (s0) sink
"""

import json

from netlab.daemon import Daemon, config, rule
from netlab.expect import Skip, check, equal, phase, until
from netlab.traffic import Gen, Sink
from netlab.world import play

LONG = "a-name-that-is-longer-than-fifteen"


def interface(daemon, name):
    return next(i for i in daemon.status()["interfaces"] if i["name"] == name)


def story(world):
    world.line()
    if "unknown" in world.sh("ip -n relay link property add dev r0 altname uplink 2>&1", ok=False):
        raise Skip("no alternative names here")
    text = config(rule("one", "239.1.1.1", 5000, [(LONG, "239.2.1.1")], interface="uplink"))
    text += '[interface.uplink]\nreceive_buffer = "1 MiB"\n'

    phase("a name that comes later")
    daemon = Daemon(world, text).start(active=False)
    until(lambda: daemon.rule("one")["reason"].endswith(f"interface {LONG} does not exist"),
          lambda: f"the rule waits: {daemon.rule('one')}")
    world.sh(f"ip -n relay link property add dev r1 altname {LONG}")
    daemon.wait_active()
    equal(world.igmp("relay", "r0"), {"239.1.1.1"}, "groups joined on r0")
    sink = Sink(world, "239.2.1.1", 5000)
    Gen(world, "239.1.1.1", 5000, rate=2000, size=200, count=500).wait()
    until(lambda: daemon.rule("one")["outputs"][0]["tx_datagrams"] == 500, "all is relayed")
    equal(sink.stop()["received"], 500, "datagrams at the sink")

    phase("both names are shown")
    check("uplink" in interface(daemon, "r0")["altnames"], interface(daemon, "r0"))
    equal(interface(daemon, "r0")["receive_buffer_asked"], 1 << 20, "receive_buffer_asked")
    equal(len(daemon.status()["interfaces"]), 2, "interfaces in status")
    page = world.call("status", "--socket", daemon.socket).stdout
    check("r0 = uplink" in page, page)
    check(f"r1 = {LONG}" in page, page)
    check("ip link shows the names" not in page, page)
    found = world.call("doctor", "-c", daemon.file).stdout
    check("does not exist" not in found, found)

    phase("an interface that has several names in use is one to doctor")
    daemon.configure(text + rule("two", "239.1.1.2", 5000, [("r1", "239.2.1.2")]))
    found = json.loads(world.call("doctor", "--json", "-c", daemon.file).stdout)["findings"]
    named = {f["subject"] for f in found if f["subject"].startswith("interface ")}
    equal(named, {"interface r0 = uplink", f"interface r1 = {LONG}"}, "interfaces that doctor tells of")

    phase("gen and sink by a long name")
    world.sh(f"ip -n gen link property add dev g0 altname {LONG}")
    world.sh(f"ip -n sink link property add dev s0 altname {LONG}")
    sink = Sink(world, "239.2.1.1", 5000, interface=LONG)
    Gen(world, "239.1.1.1", 5000, rate=2000, size=200, count=500, interface=LONG).wait()
    equal(sink.stop()["received"], 500, "datagrams by way of the long names")

    phase("the name goes")
    world.sh("ip -n relay link property del dev r0 altname uplink")
    until(lambda: daemon.rule("one")["state"] == "waiting", "the rule waits")


play(story, 60)
