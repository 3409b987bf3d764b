"""Sends one MoldUDP64 feed by several legs: as leg_sender.py, with messages instead of RTP.

    feed_sender.py SEED COUNT RATE FIRST SESSION LEG...

Each datagram has one message.
"""

import struct

from leg_sender import SIZE, run

HEADER, LENGTH = 20, 2


def content(session, number):
    message = (number.to_bytes(8, "big") * SIZE)[:SIZE - HEADER - LENGTH]
    return struct.pack("!10sQHH", f"S{session:09}".encode(), number + 1, 1, len(message)) + message


run(content)
