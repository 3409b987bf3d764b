#!/usr/bin/env python3
"""`mcr status`: exactly the promised names in JSON, the reasons in words for people.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import json

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.traffic import Gen, exact
from netlab.world import play

RX_DROPS = ("not_ip not_udp truncated bad_length bad_checksum fragment own_source source_denied loop standby"
            " duplicate late")
TX_DROPS = ("ttl_expired rate_limited send_queue_full egress_full no_memory too_big output_down"
            " send_error filtered carried")
KEYS = {
    "": "version pid uptime_s generation config shard rules_elsewhere memory_locked metrics standby host workers"
        " interfaces rules reflectors membership totals fast_path",
    "workers": "id cpu last_cpu cpu_use idle state rx_datagrams tx_datagrams batches",
    "interfaces": "name altnames index state mtu gro gro_reason gro_wait_ns receive_buffer receive_buffer_asked receive_ring send_buffer"
                  " send_buffer_asked rx_frames rx_datagrams kernel_drops link_rx_missed"
                  " link_rx_dropped link_tx_dropped",
    "rules": "name state reason comment path path_reason latency expect allow_loop input inputs"
             " rx_datagrams rx_bytes rate_pps rate_bps last_seen_s last_source drops outputs errno",
    "membership": "joins_attempted joins_succeeded joins_failed leaves helper_sockets groups",
    "groups": "interface group source excluded state error errno",
    "fast_path": "runs reason errno rx_datagrams tx_datagrams",
    "totals": "rx_datagrams matched unmatched drops kernel_drops tx_datagrams tx_drops"
              " capture_missed",
}
OUTPUT = ("interface {} port ttl dscp source source_port loopback segmentation max_pps max_bps state reason error errno"
          " matched tx_datagrams tx_bytes in_flight zerocopy copied unreachable drops")


def keys(entry, expected, what):
    equal(sorted(entry), sorted(expected.split()), f"keys of {what}")


def names(status):
    keys(status, KEYS[""], "the status")
    for kind in ("workers", "interfaces", "rules"):
        check(status[kind], f"there are {kind}")
        for entry in status[kind]:
            keys(entry, KEYS[kind], kind)
    for entry in status["rules"]:
        keys(entry["drops"], RX_DROPS, "a rule's drops")
        equal(entry["inputs"][0], entry["input"], "a rule's first input")
        for output in entry["outputs"]:
            kind = "address" if "address" in output else "group"
            keys(output, OUTPUT.format(kind), "an output")
            keys(output["drops"], TX_DROPS, "an output's drops")
    keys(status["membership"], KEYS["membership"], "membership")
    for entry in status["membership"]["groups"]:
        keys(entry, KEYS["groups"], "a group")
    keys(status["totals"], KEYS["totals"], "totals")
    keys(status["fast_path"], KEYS["fast_path"], "fast_path")
    keys(status["totals"]["drops"], RX_DROPS, "totals.drops")
    keys(status["totals"]["tx_drops"], TX_DROPS, "totals.tx_drops")


def values(daemon, status):
    equal(status["pid"], daemon.process.pid, "pid")
    equal(status["config"], daemon.file, "config")
    equal([w["id"] for w in status["workers"]], [0, 1], "ids of the workers")
    shown = {i["name"]: i for i in status["interfaces"]}
    equal((shown["r0"]["state"], shown["r0"]["mtu"]), ("up", 1500), "state and mtu of r0")
    equal(shown["nowhere0"]["state"], "missing", "state of an interface that is not there")
    states = {r["name"]: r["state"] for r in status["rules"]}
    equal(states, {"one": "active", "239.1.1.2": "active", "lost": "waiting"}, "their states")
    equal(status["totals"]["tx_drops"]["output_down"], 0, "output_down in all")


def unwanted(world, daemon):
    """LLDP, PTP and a VLAN in a VLAN: the kernel counts them as rx_dropped."""
    def r0():
        return next(i for i in daemon.status()["interfaces"] if i["name"] == "r0")
    before = r0()
    payload = bytes(50)
    destination = bytes.fromhex("0180c200000e020000000001")
    world.inject("gen", "g0", [destination + bytes.fromhex(kind) + payload
                               for kind in ("88cc", "88f7", "88a8000a8100000a0800") * 5])
    until(lambda: r0()["link_rx_dropped"] >= before["link_rx_dropped"] + 15,
          lambda: f"the kernel counts them: {r0()}")
    equal(r0()["link_rx_missed"], before["link_rx_missed"], "link_rx_missed")
    text = world.call("status", "--socket", daemon.socket).stdout
    check("no room" not in text, f"status speaks of a loss:\n{text}")


def story(world):
    world.line()
    lost = rule("lost", "239.1.1.3", 5000, [("r1", "239.2.1.3")], interface="nowhere0")
    daemon = Daemon(
        world,
        config(
            rule("one", "239.1.1.1", 5000, [
                ("r1", "239.2.1.1"),
                '{ interface = "r1", address = "10.2.0.2", port = 9 }',
            ]),
            rule("239.1.1.2", "239.1.1.2", 5000, [("r1", "239.2.1.2")]),
            lost,
            workers=2,
        ),
    ).start(active=False)
    until(lambda: daemon.rule("one")["state"] == "active", "the rule starts")

    phase("names and values in JSON")
    names(daemon.status())
    values(daemon, daemon.status())

    phase("counters and rates under traffic")
    ledger = Ledger(world, daemon, size=600)
    count = scaled(2000)
    exact(world, ledger, "239.1.1.2", 5000, count, 4000, size=600, out=("239.2.1.2", 5000))
    entry = daemon.rule("239.1.1.2")
    check(entry["rx_bytes"] == entry["rx_datagrams"] * 600, f"bytes are payload: {entry}")
    rate = scaled(1000)
    gen = Gen(world, "239.1.1.2", 5000, rate=rate, size=600, duration=30)
    until(lambda: abs(daemon.rule("239.1.1.2")["rate_pps"] - rate) < rate / 4,
          lambda: f"rate_pps is about {rate}: {daemon.rule('239.1.1.2')}")
    entry = daemon.rule("239.1.1.2")
    check(abs(entry["rate_bps"] - rate * 600 * 8) < rate * 600 * 8 / 2, f"rate_bps: {entry}")
    check(entry["last_seen_s"] < 2, f"last_seen_s: {entry['last_seen_s']}")
    equal(entry["last_source"].split(":")[0], "10.1.0.2", "last_source")
    gen.stop()
    ledger.settle()
    until(lambda: daemon.rule("239.1.1.2")["rate_pps"] == 0, "the rate falls to 0")

    phase("frames that nobody on the host wants are no loss")
    unwanted(world, daemon)

    phase("for people")
    text = world.call("status", "--socket", daemon.socket)
    equal(text.returncode, 0, "exit code of mcr status")
    for word in ("one", "active", "lost", "waiting", "nowhere0"):
        check(word in text.stdout, f"{word!r} is in the output:\n{text.stdout}")
    one = world.call("status", "one", "--socket", daemon.socket).stdout
    for word in ("239.1.1.1", "239.2.1.1", "10.2.0.2", "r0", "r1"):
        check(word in one, f"{word!r} is in the output of `status one`:\n{one}")
    single = json.loads(world.call("status", "lost", "--json", "--socket", daemon.socket).stdout)
    check("lost" in json.dumps(single), "`status RULE --json` shows the rule")


play(story, 45)
