"""Joins a group and prints length and SHA-256 of each datagram: datagram_hasher.py GROUP PORT"""

import hashlib
import socket
import sys

group, port = sys.argv[1], int(sys.argv[2])
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
receiver.bind((group, port))
receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                    socket.inet_aton(group) + socket.inet_aton("10.2.0.2"))
print("ready", file=sys.stderr, flush=True)
while True:
    data = receiver.recv(65536)
    print(len(data), hashlib.sha256(data).hexdigest(), flush=True)
