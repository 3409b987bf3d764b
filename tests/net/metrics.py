#!/usr/bin/env python3
"""Metrics: what Prometheus reads is what status says; the address follows a reload.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import json
import os
import re
import shutil
import subprocess

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.ledger import Ledger
from netlab.process import program
from netlab.traffic import exact
from netlab.world import play

TOOLS = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "metrics")


def fetch(world, port=9464, method="GET", path="/metrics", headers=()):
    """Status code and body; 0 where nobody listens."""
    done = subprocess.run(
        ["ip", "netns", "exec", "relay", *program("http_client", port, method, path, *headers)],
        capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        return 0, done.stderr
    code, _, body = done.stdout.partition("\n")
    return int(code), body


def samples(text):
    """{(name, labels): value}"""
    lines = re.findall(r'^(\w+)(?:\{(.*)\})? (\S+)$', text, re.M)
    return {(name, labels): float(value) for name, labels, value in lines}


def compare(daemon, found):
    """Status and metrics, both at rest."""
    status = daemon.status()
    for entry in status["rules"]:
        label = f'rule="{entry["name"]}"'
        equal(found["mcr_rule_rx_datagrams_total", label], entry["rx_datagrams"], label)
        equal(found["mcr_rule_rx_bytes_total", label], entry["rx_bytes"], label)
        seen = entry["last_seen_s"]
        equal(("mcr_rule_last_seen_seconds", label) in found, seen is not None, f"{label} seen")
        for state in ("active", "waiting", "failed", "silent", "degraded", "looping", "disabled"):
            equal(found["mcr_rule_state", f'{label},state="{state}"'], entry["state"] == state,
                  f"{label} {state}")
        for output in entry["outputs"]:
            place = (f'{label},interface="{output["interface"]}",'
                     f'destination="{output.get("group") or output["address"]}:{output["port"]}"')
            for key in ("matched", "tx"):
                figure = "matched" if key == "matched" else "tx_datagrams"
                equal(found[f"mcr_output_{key}_datagrams_total", place], output[figure], place)
            for reason, drops in output["drops"].items():
                sample = "mcr_output_drops_total", f'{place},reason="{reason}"'
                equal(found.get(sample, 0), drops, f"{place} {reason}")
    for reason, drops in status["totals"]["tx_drops"].items():
        equal(found["mcr_tx_drops_total", f'reason="{reason}"'], drops, reason)
    for name, key in (("rx", "rx_datagrams"), ("matched", "matched"), ("tx", "tx_datagrams")):
        equal(found[f"mcr_{name}_datagrams_total", ""], status["totals"][key], key)
    for each in status["interfaces"]:
        equal(found["mcr_interface_rx_frames_total", f'interface="{each["name"]}"'],
              each["rx_frames"], each["name"])
    equal(found["mcr_membership_groups", 'state="joined"'],
          sum(g["state"] == "joined" for g in status["membership"]["groups"]), "groups")


def promtool(world, *args, text=None):
    done = subprocess.run(["promtool", *args], input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    equal(done.returncode, 0, f"promtool {' '.join(args)}: {done.stdout}{done.stderr}")


def tools_name_only_what_is_there(text):
    """Every metric that the dashboard and the alerts ask for is one that we have."""
    with open(os.path.join(TOOLS, "dashboard.json"), encoding="utf-8") as file:
        asked = " ".join(t["expr"] for panel in json.load(file)["panels"] for t in panel["targets"])
    with open(os.path.join(TOOLS, "alerts.yml"), encoding="utf-8") as file:
        asked += "\n".join(line for line in file if "mcr_" in line)
    have = set(re.findall(r"^# TYPE (\w+)", text, re.M))
    have |= {f"{name}_bucket" for name in re.findall(r"^# TYPE (\w+) histogram", text, re.M)}
    missing = set(re.findall(r"\bmcr_\w+", asked)) - have
    check(not missing, f"tools/metrics asks for what is not there: {missing}")


def text_of(address, *rules):
    return config(*rules, extra=f'metrics = "{address}"\nmetrics_hosts = ["relay.example"]' if address else "")


def two_inputs(name, first, how):
    inputs = ", ".join(f'{{ interface = "r0", group = "239.1.1.{n}", port = 5000 }}'
                       for n in (first, first + 1))
    return (f'[[rule]]\nname = "{name}"\ninputs = [{inputs}]\n'
            f'outputs = [{{ interface = "r1", group = "239.2.1.{first}" }}]\n{how}\n\n')


def story(world):
    world.line()
    world.sh("ip -n relay link set lo up")
    rules = (
        rule('one \\"quoted\\"', "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
        rule("two", "239.1.1.2", 5000, [("r1", "239.2.1.2"), ("nowhere0", "239.2.1.2")])
        + 'inspect = "auto"\n\n',
        rule("lost", "239.1.1.3", 5000, [("r1", "239.2.1.3")], interface="nowhere0"),
        two_inputs("merged", 4, 'merge = { by = "rtp", order = "first" }'),
        two_inputs("either", 6, "failover = {}"),
    )
    daemon = Daemon(world, text_of("127.0.0.1:9464", *rules)).start(active=False)
    until(lambda: daemon.rule("two")["state"] == "active", "the rule starts")

    phase("the values of status, after traffic and drops")
    ledger = Ledger(world, daemon, size=400)
    exact(world, ledger, "239.1.1.2", 5000, scaled(1000), 4000, size=400, out=("239.2.1.2", 5000))
    until(lambda: "mcr_stream_sources{" in fetch(world)[1], "inspection has looked")
    code, text = fetch(world)
    equal(code, 200, "status of GET /metrics")
    found = {(name, labels.replace('\\"', '"')): v for (name, labels), v in samples(text).items()}
    check(found["mcr_rule_rx_datagrams_total", 'rule="two"'] > 0, "datagrams are counted")
    compare(daemon, found)
    check(found["process_resident_memory_bytes", ""] > 1e6, "the process's memory")
    lost = ('rule="two",interface="nowhere0",destination="239.2.1.2:5000",reason="output_down"')
    check(found["mcr_output_drops_total", lost] > 0, "the drops of an output that is not there")

    phase("the same by /v1")
    until(lambda: json.loads(fetch(world, path="/v1/status")[1])["rules"][1]["outputs"]
          == daemon.rule("two")["outputs"], "status by HTTP is status")
    equal(json.loads(fetch(world, path="/v1/rules/two")[1])["name"], "two", "one rule")
    equal(fetch(world, path="/v1/rules/three")[0], 404, "a rule that is not there")

    phase("anything else is refused, and does no harm")
    check("/metrics" in fetch(world, path="/")[1], "the page at / links to the metrics")
    equal(fetch(world, path="/nothing")[0], 404, "GET /nothing")
    equal(fetch(world, method="HEAD")[0], 200, "HEAD /metrics")
    equal(fetch(world, method="POST")[0], 405, "POST /metrics")
    equal(fetch(world, method="PUT", path="/v1/rules/two")[0], 405, "PUT of a rule")
    evil = ["Host: evil.example:9464"]
    equal(fetch(world, path="/v1/status", headers=evil)[0], 421, "a page under a name of its own")
    equal(fetch(world, path="/v1/status", headers=["Host: Relay.example:9464"])[0], 200,
          "one of metrics_hosts")
    equal(fetch(world, headers=evil)[0], 200, "Prometheus asks by any name")
    equal(fetch(world, path="/v1/status", headers=["Origin: http://evil.example"])[0], 403,
          "a page of another site")
    world.run_program("tcp_rubbish", 9464, namespace="relay", ok=False)
    equal(fetch(world)[0], 200, "GET after a client that sent rubbish")

    phase("a reload moves the endpoint, refuses one that is taken, and ends it")
    daemon.reload(text_of("127.0.0.1:9465", *rules))
    equal(fetch(world)[0], 0, "the old address is closed")
    equal(fetch(world, 9465)[0], 200, "the new one answers")
    daemon.reload(text_of("0.0.0.0:9465", *rules))
    equal(fetch(world, 9465)[0], 200, "the same port, on all addresses")
    daemon.reload(text_of("127.0.0.1:9465", *rules))
    equal(fetch(world, 9465)[0], 200, "and on one again")
    daemon.configure(text_of("127.0.0.1:9466", *rules[:1]))
    holder = world.start_program("tcp_port_holder", 9466, namespace="relay")
    refused = daemon.try_reload()
    equal(refused.returncode, 78, "exit code of a reload to an address that is taken")
    check("127.0.0.1:9466: Address already in use" in refused.stderr, refused.stderr)
    holder.kill()
    equal(len(daemon.status()["rules"]), len(rules), "rules after the refused reload")
    equal(fetch(world, 9465)[0], 200, "the endpoint stays")
    daemon.reload(text_of(None, *rules))
    equal(fetch(world, 9465)[0], 0, "no endpoint without the key")

    phase("what Prometheus' own tools say")
    tools_name_only_what_is_there(text)
    if shutil.which("promtool") is None:
        print("   left out: there is no promtool (Debian package prometheus)")
        return
    promtool(world, "check", "metrics", text=text)
    promtool(world, "check", "rules", os.path.join(TOOLS, "alerts.yml"))
    promtool(world, "test", "rules", os.path.join(TOOLS, "alerts_test.yml"))


play(story, 45)
