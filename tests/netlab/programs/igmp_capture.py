"""Prints the first IGMP packet of a type that arrives at an interface, from its IP header on, in hex.

    igmp_capture.py INTERFACE TYPE
"""

import socket
import sys

ALL, SECONDS = 3, 9

interface, wanted = sys.argv[1], int(sys.argv[2])
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
packets.bind((interface, 0))
packets.settimeout(SECONDS)
print("ready", file=sys.stderr, flush=True)
while True:
    packet = packets.recv(2048)
    if packet[9] == socket.IPPROTO_IGMP and packet[4 * (packet[0] & 15)] == wanted:
        print(packet.hex())
        break
