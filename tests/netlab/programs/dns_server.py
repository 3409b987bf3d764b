"""A DNS server on 127.0.0.1 with the names of a file: dns_server.py FILE

A line is NAME ADDRESS..., or NAME and what happens to questions about it: `silent` (no answer) or
`broken` (SERVFAIL). All other names do not exist. The file is read anew for each question, and each
question is printed.
"""

import ipaddress
import socket
import struct
import sys

TYPES = {1: 4, 28: 6}  # A, AAAA
SERVFAIL, NXDOMAIN = 2, 3


def question(message):
    """Its name, its type, and where it ends."""
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1:at + 1 + length].decode().lower())
        at += 1 + length
    return ".".join(labels), struct.unpack_from("!H", message, at + 1)[0], at + 5


def answer(message, end, code, addresses):
    head = struct.pack("!2sHHHHH", message[:2], 0x8180 | code, 1, len(addresses), 0, 0)
    return head + message[12:end] + b"".join(
        struct.pack("!HHHIH", 0xC00C, {4: 1, 6: 28}[a.version], 1, 0, len(a.packed)) + a.packed
        for a in addresses)


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", file=sys.stderr, flush=True)
while True:
    asked, client = server.recvfrom(512)
    name, kind, end = question(asked)
    print(name, flush=True)
    with open(sys.argv[1], encoding="utf-8") as file:
        zone = {words[0]: words[1:] for words in map(str.split, file) if words}
    if zone.get(name) == ["silent"]:
        continue
    if zone.get(name) == ["broken"] or name not in zone:
        code = SERVFAIL if name in zone else NXDOMAIN
        server.sendto(answer(asked, end, code, []), client)
        continue
    known = [ipaddress.ip_address(word) for word in zone[name]]
    server.sendto(answer(asked, end, 0, [a for a in known if a.version == TYPES.get(kind)]), client)
