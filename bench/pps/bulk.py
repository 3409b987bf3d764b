"""Sends full superframes, evenly paced: each message as many datagrams as UDP_SEGMENT takes.

    bulk.py INTERFACE_ADDRESS GROUP PORT STREAMS SIZE RATE SECONDS CPU

`mcr gen` paces datagrams, so its superframes are small at a modest rate. This sender paces whole
messages. Prints `sent`, `seconds` and `errors` as JSON, as `mcr gen` does.
"""

import ctypes
import ipaddress
import json
import os
import socket
import sys
import time

UDP_SEGMENT = 103  # <linux/udp.h>
PR_SET_TIMERSLACK = 29
MOST_SEGMENTS = 64
MOST_BYTES = 65507
GIVE_UP_NS = 20_000_000  # being later than this is not made good: the schedule moves


def open_socket(address, size):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    return sock


def segments_of(size):
    return min(MOST_SEGMENTS, MOST_BYTES // size)


def main():
    address, group, port, streams, size, rate, seconds, cpu = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    streams, size = int(streams), int(size)
    sock = open_socket(address, size)
    first = ipaddress.ip_address(group)
    targets = [(str(first + n), int(port)) for n in range(streams)]
    segments = segments_of(size)
    message = bytes(n * 7 % 251 for n in range(segments * size))
    interval = segments / float(rate) * 1e9
    start = due = time.monotonic_ns()
    end, sent = start + float(seconds) * 1e9, 0
    while due < end:
        now = time.monotonic_ns()
        if now >= end:
            break
        if now < due:
            time.sleep((due - now) / 1e9)
        elif now > due + GIVE_UP_NS:
            due = now
        sock.sendto(message, targets[sent % streams])
        sent += 1
        due += interval
    took = max(time.monotonic_ns() - start, float(seconds) * 1e9) / 1e9
    print(json.dumps({"sent": sent * segments, "seconds": took, "errors": 0}))


if __name__ == "__main__":
    main()
