"""Sends to GROUP and the groups after it, each at a rate of its own that swings: what a plot is for.

    swinging_sender.py INTERFACE_ADDRESS GROUP PORT GROUPS
"""

import ipaddress
import math
import socket
import sys
import time

address, group, port, groups = sys.argv[1], ipaddress.ip_address(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
print("ready", file=sys.stderr, flush=True)
began = before = time.monotonic()
due = [0.0] * groups
while True:
    now = time.monotonic()
    for i in range(groups):
        swing = math.sin((now - began) / (3 + 2 * i)) + 0.4 * math.sin((now - began) * 1.7 + i)
        due[i] += (60 + 25 * i) * (1 + 0.1 * (1 + i % 4) * swing) * (now - before)
        while due[i] >= 1:
            sender.sendto(bytes(1316), (str(group + i), port))
            due[i] -= 1
    before = now
    time.sleep(0.02)
