"""Binds a UDP port as any program of the host may, and prints the first 3 bytes of each datagram.

    udp_listener.py ADDRESS PORT
"""

import socket
import sys

listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind((sys.argv[1], int(sys.argv[2])))
print("ready", file=sys.stderr, flush=True)
while True:
    print(listener.recv(65536)[:3].decode(), flush=True)
