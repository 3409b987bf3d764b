"""Counts the datagrams of dying_legs.py to a group, superframes or not, until SIGTERM; then prints a JSON object.

    number_tally.py INTERFACE GROUP PORT SIZE

distinct (numbers that came), twice (datagrams that came again), other (not of this size), dropped (by the kernel).
"""

import json
import select
import signal
import socket
import struct
import sys

IPV4, SOL_PACKET, PACKET_STATISTICS = 0x0800, 263, 6

interface, group, port, size = sys.argv[1], socket.inet_aton(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
packets.bind((interface, IPV4))
packets.setblocking(False)
numbers = struct.Struct(f"!4xI{size - 8}x")
seen, tally = set(), {"distinct": 0, "twice": 0, "other": 0, "dropped": 0}


def take(data):
    header = 4 * (data[0] & 15)
    if data[9] != socket.IPPROTO_UDP or data[16:20] != group \
            or struct.unpack_from("!H", data, header + 2)[0] != port:
        return
    payload = data[header + 8:struct.unpack_from("!H", data, 2)[0]]
    if len(payload) % size:
        tally["other"] += 1
        return
    came = [number for number, in numbers.iter_unpack(payload)]
    before = len(seen)
    seen.update(came)
    tally["twice"] += len(came) - (len(seen) - before)


def drain():
    try:
        while True:
            data, address = packets.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                take(data)
    except BlockingIOError:
        pass


signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
ended = []
print("ready", file=sys.stderr, flush=True)
while not ended:
    select.select([packets], [], [], 0.05)
    drain()
drain()
tally["distinct"] = len(seen)
tally["dropped"] = struct.unpack("II", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
print(json.dumps(tally), flush=True)
