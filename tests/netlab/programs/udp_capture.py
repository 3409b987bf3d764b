"""Prints each UDP packet that arrives at an interface, from its IP header on, in hex.

    udp_capture.py INTERFACE
"""

import socket
import sys

IPV4, IPV6, ALL = 0x0800, 0x86DD, 3  # <linux/if_ether.h>

packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
packets.bind((sys.argv[1], ALL))
print("ready", file=sys.stderr, flush=True)
while True:
    data, (_, protocol, kind, *_) = packets.recvfrom(65536)
    carried = {IPV4: data[9], IPV6: data[6]}.get(protocol)
    if kind != socket.PACKET_OUTGOING and carried == socket.IPPROTO_UDP:
        print(data.hex(), flush=True)
