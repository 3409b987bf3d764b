"""Sends datagrams without a UDP checksum, 2,000 a second, until it is killed or 20 s are over.

    unsummed_stream.py ADDRESS GROUP PORT
"""

import socket
import sys
import time

SO_NO_CHECK = 11  # <asm-generic/socket.h>
BURST, BURSTS, PAUSE = 20, 2000, 0.01

address, group, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
print("ready", file=sys.stderr, flush=True)
for _ in range(BURSTS):
    for _ in range(BURST):
        sender.sendto(bytes(1000), (group, port))
    time.sleep(PAUSE)
