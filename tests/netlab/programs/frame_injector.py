"""Sends raw Ethernet frames: frame_injector.py INTERFACE; each word of stdin is a frame in hex."""

import socket
import sys

packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
packets.bind((sys.argv[1], 0))
for line in sys.stdin:
    for frame in line.split():
        packets.send(bytes.fromhex(frame))
