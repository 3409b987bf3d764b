"""Counts the datagrams of dying_legs.py to a group, superframes or not, until SIGTERM; then prints a JSON object.

    number_tally.py INTERFACE GROUP PORT SIZE

distinct (numbers that came), twice (datagrams that came again), twice_s (from the first of these to the last),
silence_s (the longest), by the kernel's clock; late_s (how late this program was woken, at most); other (not of this
size), dropped (by the kernel).
"""

import json
import select
import signal
import socket
import struct
import sys
import time

IPV4, SO_TIMESTAMPNS, SOL_PACKET, PACKET_STATISTICS = 0x0800, 35, 263, 6

interface, group, port, size = sys.argv[1], socket.inet_aton(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
packets.bind((interface, IPV4))
packets.setblocking(False)
numbers = struct.Struct(f"!4xI{size - 8}x")
seen, times, again = set(), [], []
tally = {"distinct": 0, "twice": 0, "twice_s": 0, "silence_s": 0, "late_s": 0, "other": 0, "dropped": 0}


def take(data, control):
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
    seconds, ns = struct.unpack("qq", control[0][2])
    now, twice = seconds + ns / 1e9, len(came) - (len(seen) - before)
    tally["silence_s"] = max(tally["silence_s"], now - (times[-1] if times else now))
    tally["late_s"] = max(tally["late_s"], time.time() - now)
    times[:] = [now]
    if twice:
        tally["twice"] += twice
        again.append(now)


def drain():
    try:
        while True:
            data, control, _, address = packets.recvmsg(65536, 256)
            if address[2] != socket.PACKET_OUTGOING:
                take(data, control)
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
tally["twice_s"] = again[-1] - again[0] if again else 0
tally["dropped"] = struct.unpack("II", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
print(json.dumps(tally), flush=True)
