"""Sends a superframe of 20 datagrams ten times a second, until it is killed.

    superframe_stream.py GROUP PORT SOURCE_PORT
"""

import socket
import sys
import time

UDP_SEGMENT = 103  # <linux/udp.h>
SIZE, DATAGRAMS = 1000, 20

group, port, source_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.1.0.2"))
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
sender.bind(("10.1.0.2", source_port))
print("ready", file=sys.stderr, flush=True)
while True:
    sender.sendto(bytes(DATAGRAMS * SIZE), (group, port))
    time.sleep(0.1)
