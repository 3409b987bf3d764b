"""Forwards a stream and harms it on the way; counts what it did by definitions of its own.

    stream_injector.py PORT GROUP GROUP_PORT INTERFACE_ADDRESS SEED

Reads datagrams from 127.0.0.1:PORT and sends them to the group. Of a hundred one is dropped, one
sent twice, one swapped with its successor, and one gets a wrong UDP checksum, which nobody may take;
of two more one TS packet is harmed: by transport_error_indicator, by a wrong sync byte.
SIGTERM: prints one JSON object about what arrives: sent lost duplicated reordered cc_errors tei
sync_errors; and how many have a wrong checksum: corrupt.
"""

import collections
import json
import os
import random
import signal
import socket
import struct
import sys

SYNC = 0x47


def rtp_header(datagram):
    return 12 if datagram[0] >> 6 == 2 else 0


def rtp_number(datagram):
    return int.from_bytes(datagram[2:4], "big") if rtp_header(datagram) else None


def packets(datagram):
    body = datagram[rtp_header(datagram):]
    return [body[at:at + 188] for at in range(0, len(body) - 187, 188)]


def sequence_faults(numbers):
    """Lost, duplicated and reordered, of 16-bit numbers."""
    if not numbers:
        return 0, 0, 0
    seen, highest, reordered = set(), None, 0
    for number in numbers:
        if highest is not None:
            number = highest + (number - highest + 0x8000) % 0x10000 - 0x8000
            reordered += number < highest and number not in seen
        seen.add(number)
        highest = number if highest is None else max(highest, number)
    return max(seen) - min(seen) + 1 - len(seen), len(numbers) - len(seen), reordered


def ts_faults(sent):
    """Continuity errors (ISO/IEC 13818-1, 2.4.3.3: packets with a payload count; one may come
    twice), packets that bear an error, and packets that are none by their sync byte."""
    errors, tei, syncs, last, twice = 0, 0, 0, {}, set()
    for packet in (packet for datagram in sent for packet in packets(datagram)):
        if packet[0] != SYNC:
            syncs += 1
            continue
        pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
        if pid == 0x1FFF:
            continue
        counter, control = packet[3] & 15, packet[3] >> 4 & 3
        if packet[1] & 0x80:
            tei += 1
            last[pid] = counter
            continue
        payload = control & 1
        announced = control & 2 and packet[4] and packet[5] & 0x80
        if pid in last and not announced:
            repeated = payload and counter == last[pid]
            right = counter == (last[pid] + payload) % 16
            errors += not right and not (repeated and pid not in twice)
            (twice.add if repeated else twice.discard)(pid)
        last[pid] = counter
    return errors, tei, syncs


def with_error(datagram):
    harmed = bytearray(datagram)
    harmed[rtp_header(datagram) + 1] |= 0x80
    return bytes(harmed)


def without_sync(datagram):
    """The third packet has none: two wrong ones in a row would lose the synchronisation."""
    harmed = bytearray(datagram)
    at = rtp_header(datagram) + 2 * 188
    if at < len(harmed):
        harmed[at] ^= 0xFF
    return bytes(harmed)


class Group:
    """The group, to send to: as any program does, or with a wrong checksum of UDP."""

    def __init__(self, group, port, address):
        self.to, self.address = (group, port), address
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 0))
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        for each in self.udp, self.raw:
            each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)

    def send(self, datagram):
        self.udp.sendto(datagram, self.to)

    def send_corrupt(self, datagram):
        group, port = self.to
        length = 8 + len(datagram)
        header = struct.pack("!HHH", self.udp.getsockname()[1], port, length)
        pseudo = (socket.inet_aton(self.address) + socket.inet_aton(group)
                  + struct.pack("!HH", socket.IPPROTO_UDP, length))
        summed = pseudo + header + datagram + b"\0" * (length % 2)
        total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        wrong = (~total & 0xFFFF) ^ 0x0101
        self.raw.sendto(header + struct.pack("!H", wrong or 0x0202) + datagram, (group, 0))


def main():
    port, group, group_port, address, seed = sys.argv[1:6]
    dice = random.Random(int(seed))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # what one CPU sends stays in order
    arriving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    arriving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    arriving.bind(("127.0.0.1", int(port)))
    leaving = Group(group, int(group_port), address)
    sent, held, corrupt = [], collections.deque(), 0

    def send(datagram):
        leaving.send(datagram)
        sent.append(datagram)

    def end(*_):
        numbers = [number for number in map(rtp_number, sent) if number is not None]
        lost, duplicated, reordered = sequence_faults(numbers)
        errors, tei, syncs = ts_faults(sent)
        print(json.dumps({"sent": len(sent), "lost": lost, "duplicated": duplicated,
                          "reordered": reordered, "cc_errors": errors, "tei": tei,
                          "sync_errors": syncs, "corrupt": corrupt}))
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("ready", file=sys.stderr, flush=True)
    while True:
        datagram = arriving.recv(65536)
        fault = dice.randrange(100) if len(sent) > 20 else 99
        if held:
            send(datagram)
            send(held.popleft())
        elif fault == 0:
            continue
        elif fault == 1:
            send(datagram)
            send(datagram)
        elif fault == 2:
            held.append(datagram)
        elif fault == 3:
            send(with_error(datagram))
        elif fault == 4:
            send(without_sync(datagram))
        elif fault == 5:
            leaving.send_corrupt(datagram)
            corrupt += 1
        else:
            send(datagram)


main()
