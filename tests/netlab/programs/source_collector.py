"""Prints the source addresses of streams, once a datagram of each stream has arrived.

    source_collector.py INTERFACE NETWORK STREAMS SECONDS

NETWORK: the first three bytes of the streams' groups, as in 239.2.2. The program fails if SECONDS pass
without a datagram before every stream has sent one.
"""

import socket
import sys

interface, network, wanted, seconds = sys.argv[1:]
network = bytes(map(int, network.split(".")))
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
packets.bind((interface, 0x0800))
packets.settimeout(float(seconds))
streams, sources = set(), set()
while len(streams) < int(wanted):
    packet = packets.recv(65536)
    if packet[16:19] == network:
        streams.add(packet[19])
        sources.add(socket.inet_ntoa(packet[12:16]))
print(*sources)
