"""Sends raw Ethernet frames: frame_injector.py INTERFACE; each word of stdin is a frame in hex."""

import errno
import socket
import sys

TRIES = 10_000  # where something goes round, the queue of the next link is full now and then


def send(packets, frame):
    for tried in range(1, TRIES + 1):
        try:
            return packets.send(frame)
        except OSError as error:
            if error.errno != errno.ENOBUFS or tried == TRIES:
                raise


link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
link.bind((sys.argv[1], 0))
for line in sys.stdin:
    for word in line.split():
        send(link, bytes.fromhex(word))
