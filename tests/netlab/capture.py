"""What arrives at an interface, header by header: the judge of everything that is no payload."""

import socket
import struct

from netlab.expect import check, until
from netlab.frames import checksum_of


class Packet:
    """A UDP packet as it came; a superframe is one, with the headers that all of it share.

    IPv6 is read without extension headers, and its header has no checksum.
    """

    def __init__(self, data):
        v6 = data[0] >> 4 == 6
        self.ttl, self.tos = (data[7], None) if v6 else (data[8], data[1])
        header, family, ends, end = (
            (40, socket.AF_INET6, data[8:40], 40 + struct.unpack_from("!H", data, 4)[0]) if v6 else
            (4 * (data[0] & 15), socket.AF_INET, data[12:20], struct.unpack_from("!H", data, 2)[0]))
        half = len(ends) // 2
        self.source, self.destination = (
            socket.inet_ntop(family, address) for address in (ends[:half], ends[half:]))
        self.source_port, self.port, length, self.checksum = struct.unpack_from("!HHHH", data, header)
        self.payload = data[header + 8:end]
        self.header_intact = v6 or checksum_of(data[:header]) == 0
        pseudo = ends + struct.pack("!IHH", length, 0, socket.IPPROTO_UDP)
        self.intact = checksum_of(pseudo + data[header:header + length]) == 0


class Capture:
    """Everything that comes in (or goes out) at an interface while this lives."""

    def __init__(self, world, namespace, interface):
        self._process = world.start_program("udp_capture", interface, namespace=namespace)

    def packets(self, group, port):
        lines = self._process.out().split("\n")[:-1]
        seen = map(Packet, map(bytes.fromhex, lines))
        return [p for p in seen if (p.destination, p.port) == (group, port)]

    def take(self, count, group, port, what):
        """The packets to one destination, once they are `count`, and no more than that."""
        until(lambda: len(self.packets(group, port)) >= count,
              lambda: f"{what}: {count} packets to {group}:{port} at the sink, "
                      f"{len(self.packets(group, port))} so far")
        seen = self.packets(group, port)
        check(len(seen) == count, f"{what}: {len(seen)} packets for {count} sent")
        return seen

    def close(self):
        self._process.kill()
