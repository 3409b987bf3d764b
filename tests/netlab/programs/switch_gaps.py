"""Watches what port_swarm.py sends to each port of a group, until SIGTERM; then prints a JSON object.

    switch_gaps.py INTERFACE GROUP

{port: [texts in the order in which they came; the longest silence before a change of it, s; for how long of that
datagrams with the new text were sent and did not come, s]}, by the kernel's clock; "dropped": by the kernel.
"""

import json
import select
import signal
import socket
import struct
import sys

IPV4, SO_TIMESTAMPNS, SOL_PACKET, PACKET_STATISTICS = 0x0800, 35, 263, 6

interface, group = sys.argv[1], socket.inet_aton(sys.argv[2])
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
packets.bind((interface, IPV4))
packets.setblocking(False)
seen, ended = {}, []


def take(data, control):
    header = 4 * (data[0] & 15)
    if data[9] != socket.IPPROTO_UDP or data[16:20] != group:
        return
    seconds, ns = struct.unpack("qq", control[0][2])
    now = seconds + ns / 1e9
    length = struct.unpack_from("!H", data, header + 4)[0]
    text, before = data[header + 8:header + length].decode().split()
    port = seen.setdefault(struct.unpack_from("!H", data, header + 2)[0],
                           {"texts": [text], "gap": 0, "held": 0, "last": now})
    if port["texts"][-1] != text:
        port["texts"].append(text)
        port["gap"] = max(port["gap"], now - port["last"])
        port["held"] = max(port["held"], float(before) - port["last"])
    port["last"] = now


def drain():
    try:
        while True:
            data, control, _, address = packets.recvmsg(2048, 256)
            if address[2] != socket.PACKET_OUTGOING:
                take(data, control)
    except BlockingIOError:
        pass


signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
print("ready", file=sys.stderr, flush=True)
while not ended:
    select.select([packets], [], [], 0.05)
    drain()
drain()
result = {port: [one["texts"], one["gap"], one["held"]] for port, one in seen.items()}
result["dropped"] = struct.unpack("II", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
print(json.dumps(result), flush=True)
