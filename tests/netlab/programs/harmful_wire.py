"""A wire from w0 to w1 that harms UDP in known ways: harmful_wire.py HARM...

    lose      the 10th, 11th and 50th datagram of each stream
    double    the 80th datagram of each stream
    swap      the 90th and 91st of stream 1
    corrupt   a bit in the 70th and 71st of each stream

A stream is known by the last byte of its group.
"""

import socket
import sys

LOST, DOUBLED, SWAPPED, CORRUPTED = (10, 11, 50), 80, 90, (70, 71)


def open_on(interface):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    packets.bind((interface, 0x0800))
    return packets


harm = set(sys.argv[1:])
left, right = open_on("w0"), open_on("w1")
print("ready", file=sys.stderr, flush=True)
seen, kept = {}, None
while True:
    frame, address = left.recvfrom(65536)
    if address[2] == socket.PACKET_OUTGOING or frame[23] != socket.IPPROTO_UDP:
        continue
    frame = bytearray(frame)
    frame[40:42] = b"\0\0"  # no UDP checksum: the receiving kernel must not judge
    stream = frame[33]
    n = seen[stream] = seen.get(stream, 0) + 1
    if "lose" in harm and n in LOST:
        continue
    if "corrupt" in harm and n in CORRUPTED:
        frame[-1] ^= 0x40
    if "swap" in harm and stream == 1 and n == SWAPPED:
        kept = frame
        continue
    right.send(frame)
    if "double" in harm and n == DOUBLED:
        right.send(frame)
    if kept and stream == 1:
        right.send(kept)
        kept = None
