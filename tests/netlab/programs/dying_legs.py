"""Sends one RTP stream by one leg or two, many datagrams a second, in superframes; two legs die by turns.

    dying_legs.py COUNT RATE SSRC DEATHS SIZE LEG [LEG]

SIZE is in bytes. A LEG is GROUP,PORT,INTERFACE,DELAY,BURST as leg_sender.py has them (ms, datagrams). The stream
has 2 * DEATHS + 1 parts of one length: in the second, the fourth ... one leg sends nothing, the first leg and the
second by turns. So both legs together bring each number. The timestamp of a datagram is its number, which does not
wrap.
"""

import socket
import struct
import sys
import time

UDP_SEGMENT = 103
HEADER = struct.Struct("!BBHII")


class Leg:
    def __init__(self, text, size):
        self.rest = bytes(size - HEADER.size)
        group, port, interface, delay, burst = text.split(",")
        self.to, self.delay, self.burst = (group, int(port)), float(delay) / 1000, int(burst)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        request = struct.pack("=4s4si", bytes(4), bytes(4), socket.if_nametoindex(interface))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
        self.socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)

    def send(self, numbers, ssrc):
        self.socket.sendto(b"".join(HEADER.pack(0x80, 96, n & 0xFFFF, n, ssrc) + self.rest for n in numbers), self.to)


def is_dead(leg, first, count, deaths):
    """The leg sends nothing of the superframe that begins with this number."""
    death, odd = divmod(first * (2 * deaths + 1) // count, 2)
    return odd == 1 and death % 2 == leg


def run():
    count, rate, ssrc, deaths, size = map(int, sys.argv[1:6])
    legs = [Leg(text, size) for text in sys.argv[6:]]
    plan = sorted((first / rate + leg.delay, at, first) for at, leg in enumerate(legs)
                  for first in range(0, count, leg.burst) if not is_dead(at, first, count, deaths))
    began = time.monotonic()
    print("ready", file=sys.stderr, flush=True)
    for due, at, first in plan:
        wait = began + due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        legs[at].send(range(first, min(first + legs[at].burst, count)), ssrc)
    print(f"{count / (time.monotonic() - began):.0f}")


run()
