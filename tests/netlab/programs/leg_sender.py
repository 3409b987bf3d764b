"""Sends one RTP stream by several legs, each with losses, delay and order of its own.

    leg_sender.py SEED COUNT RATE FIRST SSRC LEG...

A LEG is GROUP,PORT,INTERFACE,LOSS,DELAY[,BURST]: percent of datagrams, ms, and how many of them one call
hands over as a superframe (UDP_SEGMENT). Of a hundred datagrams of a leg one changes places with its
successor, and one comes twice (with SEED 0 not). The content follows from SSRC and number (content() below). At the end prints one
JSON object: sent (datagrams by leg), distinct, lost (numbers between the first and the last that no leg
brought).
"""

import hashlib
import json
import random
import socket
import struct
import sys
import time

SIZE, UDP_SEGMENT = 400, 103


def content(ssrc, number):
    """The whole datagram; `number` counts on where the 16 bits of the header wrap."""
    header = struct.pack("!BBHII", 0x80, 96, number & 0xFFFF, number * 90 & 0xFFFFFFFF, ssrc)
    seed = hashlib.sha256(f"{ssrc}/{number}".encode()).digest()
    return header + (seed * (SIZE // len(seed) + 1))[:SIZE - len(header)]


class Leg:
    def __init__(self, text):
        fields = text.split(",") + ["1"]
        self.group, self.port = fields[0], int(fields[1])
        self.loss, self.delay, self.burst = float(fields[3]), float(fields[4]) / 1000, int(fields[5])
        self.waiting = []
        index = socket.if_nametoindex(fields[2])
        if ":" in self.group:
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 16)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            request = struct.pack("=4s4si", bytes(4), bytes(4), index)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)

    def send(self, datagram):
        self.waiting.append(datagram)
        if len(self.waiting) >= self.burst:
            self.flush()

    def flush(self):
        if not self.waiting:
            return
        segments = [] if len(self.waiting) == 1 else [
            (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", SIZE))]
        self.socket.sendmsg([b"".join(self.waiting)], segments, 0, (self.group, self.port))
        self.waiting = []


def numbers_of(leg, dice, first, count, twice):
    """What the leg brings, in its order."""
    numbers = [n for n in range(first, first + count) if dice.random() * 100 >= leg.loss]
    for at in range(len(numbers) - 1):
        if dice.random() < 0.01:
            numbers[at], numbers[at + 1] = numbers[at + 1], numbers[at]
    return [n for n in numbers for _ in range(1 + (twice and dice.random() < 0.01))]


def run(content):
    """`content` makes a datagram of an SSRC and a number."""
    seed, count, rate, first, ssrc = map(int, sys.argv[1:6])
    dice = random.Random(seed)
    legs = [Leg(text) for text in sys.argv[6:]]
    brought = [numbers_of(leg, dice, first, count, seed != 0) for leg in legs]
    plan = sorted(((n - first) / rate + leg.delay, at, order, n)
                  for at, leg in enumerate(legs) for order, n in enumerate(brought[at]))
    # A swap is one of the order within a leg, not of the clock.
    turns = [iter(numbers) for numbers in brought]
    began = time.monotonic()
    print("ready", file=sys.stderr, flush=True)
    for due, at, _, _ in plan:
        wait = began + due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        legs[at].send(content(ssrc, next(turns[at])))
    for leg in legs:
        leg.flush()
    union = set().union(*brought)
    lost = set(range(min(union), max(union) + 1)) - union if union else set()
    print(json.dumps({"sent": [len(numbers) for numbers in brought], "distinct": len(union),
                      "lost": len(lost), "numbers": sorted(union)}))


if __name__ == "__main__":
    run(content)
