"""Raw Ethernet frames, built by name: what `mcr gen` cannot send."""

import socket
import struct

MORE_FRAGMENTS = 0x2000
VLAN = 0x8100  # 802.1Q
SERVICE_VLAN = 0x88A8  # 802.1ad


def checksum_of(data):
    """RFC 1071: 0 over data that bears its right checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(source, group, port, payload, checksum=None, udp_length=None, ip_length=None, ttl=16,
        fragment=0, tos=0, source_port=40000):
    """A multicast UDP datagram in one frame; by default all of it is right.

    `checksum`: 0 for none, else what is put in place of the right one's complement of 0.
    """
    length = udp_length or 8 + len(payload)
    header = struct.pack("!HHHH", source_port, port, length, 0)
    ends = socket.inet_aton(source) + socket.inet_aton(group)
    if checksum is None:
        pseudo = ends + struct.pack("!BBH", 0, socket.IPPROTO_UDP, length)
        checksum = checksum_of(pseudo + header + payload) or 0xFFFF
    datagram = struct.pack("!HHHH", source_port, port, length, checksum) + payload
    total = ip_length or 20 + len(datagram)
    ip = struct.pack("!BBHHHBBH", 0x45, tos, total, 1, fragment, ttl, socket.IPPROTO_UDP, 0) + ends
    ip = ip[:10] + struct.pack("!H", checksum_of(ip)) + ip[12:]
    low = socket.inet_aton(group)
    destination = bytes((0x01, 0x00, 0x5E, low[1] & 0x7F, low[2], low[3]))
    return destination + bytes.fromhex("020000000001") + b"\x08\x00" + ip + datagram


HOP_BY_HOP, FRAGMENT, OPTIONS = 0, 44, 60  # IPv6 extension headers (RFC 8200)


def udp6(source, group, port, payload, checksum=None, udp_length=None, hops=16, extensions=(),
         source_port=40000):
    """The same over IPv6. `extensions`: (protocol, bytes) in order; the first byte is filled in."""
    length = udp_length or 8 + len(payload)
    header = struct.pack("!HHHH", source_port, port, length, 0)
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, group)
    if checksum is None:
        pseudo = ends + struct.pack("!II", length, socket.IPPROTO_UDP)
        checksum = checksum_of(pseudo + header + payload) or 0xFFFF
    protocol, chain = socket.IPPROTO_UDP, b""
    for kind, content in reversed(extensions):
        chain = bytes((protocol,)) + content[1:] + chain
        protocol = kind
    chain += struct.pack("!HHHH", source_port, port, length, checksum) + payload
    ip = struct.pack("!IHBB", 6 << 28, len(chain), protocol, hops) + ends
    destination = b"\x33\x33" + ends[-4:]
    return destination + bytes.fromhex("020000000001") + b"\x86\xdd" + ip + chain


def right_checksum(frame):
    """The UDP checksum that stands in a frame made by `udp`."""
    return struct.unpack("!H", frame[40:42])[0]


def right_checksum6(frame):
    """The same of `udp6`, without extension headers."""
    return struct.unpack("!H", frame[60:62])[0]


# Where a field stands in a frame of `udp` or `udp6` without extension headers: offset, format.
FIELDS = {
    "version and IHL": (14, "!B"), "total length": (16, "!H"), "flags and offset": (20, "!H"),
    "protocol": (23, "!B"), "UDP length": (38, "!H"), "UDP checksum": (40, "!H"),
}
FIELDS6 = {
    "version": (14, "!B"), "payload length": (18, "!H"), "next header": (20, "!B"),
    "UDP length": (58, "!H"), "UDP checksum": (60, "!H"),
}


def with_field(frame, fields, name, value):
    """The frame with another value in one field; an IPv4 header's checksum is made right again."""
    offset, form = fields[name]
    frame = frame[:offset] + struct.pack(form, value) + frame[offset + struct.calcsize(form):]
    if fields is FIELDS6:
        return frame
    head = frame[14:24] + b"\0\0" + frame[26:34]
    return frame[:24] + struct.pack("!H", checksum_of(head)) + frame[26:]


def with_options(frame, options):
    """A frame of `udp` with IPv4 options (a multiple of 4 bytes), all lengths right."""
    words, total = len(options) // 4, struct.unpack("!H", frame[16:18])[0]
    frame = with_field(frame, FIELDS, "total length", total + len(options))
    head = bytes((0x45 + words,)) + frame[15:24] + b"\0\0" + frame[26:34] + options
    head = head[:10] + struct.pack("!H", checksum_of(head)) + head[12:]
    return frame[:14] + head + frame[34:]


def tagged(frame, vlan, protocol=VLAN, priority=0):
    """The frame with one more tag, outside of those it has."""
    return frame[:12] + struct.pack("!HH", protocol, priority << 13 | vlan) + frame[12:]


def fragments(frame, size, number=7):
    """The frames of a datagram cut into fragments of `size` bytes (a multiple of 8) of IP payload.

    `number`: the IP identification that holds them together.
    """
    link, ip, rest = frame[:14], frame[14:34], frame[34:]
    frames = []
    for start in range(0, len(rest), size):
        part = rest[start:start + size]
        more = MORE_FRAGMENTS if start + size < len(rest) else 0
        head = ip[:2] + struct.pack("!HHH", 20 + len(part), number, more | start // 8) + ip[8:10]
        head += b"\0\0" + ip[12:]
        head = head[:10] + struct.pack("!H", checksum_of(head)) + head[12:]
        frames.append(link + head + part)
    return frames
