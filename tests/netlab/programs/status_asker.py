"""Asks the relay for status and metrics until SIGTERM; prints a line whenever it has got both.

    status_asker.py CONTROL_SOCKET METRICS_PORT RULE SECONDS

Fails if one of them does not name RULE, or takes longer than SECONDS.
"""

import http.client
import json
import signal
import socket
import sys
import time

path, port, rule, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])


def status():
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds)
        client.connect(path)
        client.sendall(b'{"command":"status"}\n')
        return json.load(client.makefile())


def metrics():
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode()


told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
while not told:
    rules = [entry["name"] for entry in status()["rules"]]
    assert rule in rules, rules
    assert f'mcr_rule_state{{rule="{rule}"' in metrics()
    print(len(rules), flush=True)
    print("ready", file=sys.stderr, flush=True)
    time.sleep(0.02)
