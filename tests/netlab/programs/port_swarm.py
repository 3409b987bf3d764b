"""Sends a datagram to each of many ports of a group, again and again.

    port_swarm.py INTERFACE GROUP FIRST_PORT PORTS PERIOD ORDER TEXT

Each port has one in PERIOD seconds: the text, a space, and when the one before it was sent (seconds; 0: it is the
first). ORDER 1: from the first port to the last one; -1: the other way.
"""

import socket
import struct
import sys
import time

interface, group, first, ports, period, order, text = sys.argv[1:]
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
request = struct.pack("=4s4si", bytes(4), bytes(4), socket.if_nametoindex(interface))
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
print("ready", file=sys.stderr, flush=True)
due, sent = time.monotonic(), {}
while True:
    for port in range(int(first), int(first) + int(ports))[::int(order)]:
        before, sent[port] = sent.get(port, 0), time.time()
        sender.sendto(f"{text} {before:.6f}".encode(), (group, port))
        due += float(period) / int(ports)
        wait = due - time.monotonic()
        if wait > 0.002:  # some at once: a sleep for each is too many
            time.sleep(wait)
