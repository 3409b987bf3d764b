"""Prints when each UDP datagram to a group came, by the kernel's clock, and its payload in hex.

    timed_capture.py INTERFACE GROUP PORT
"""

import socket
import struct
import sys

IPV4, SO_TIMESTAMPNS = 0x0800, 35

interface, group, port = sys.argv[1:4]
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
packets.bind((interface, IPV4))
print("ready", file=sys.stderr, flush=True)
while True:
    data, control, _, address = packets.recvmsg(65536, 256)
    header = 4 * (data[0] & 15)
    to = socket.inet_ntoa(data[16:20]), struct.unpack_from("!H", data, header + 2)[0]
    if address[2] == socket.PACKET_OUTGOING or data[9] != socket.IPPROTO_UDP or to != (group, int(port)):
        continue
    seconds, ns = struct.unpack("qq", control[0][2])
    length = struct.unpack_from("!H", data, header + 4)[0]
    payload = data[header + 8:header + length]
    print(f"{seconds + ns / 1e9:.6f} {payload.hex()}", flush=True)
