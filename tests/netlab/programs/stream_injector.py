"""Forwards a stream and harms it on the way; counts what it did by definitions of its own.

    stream_injector.py PORT GROUP GROUP_PORT INTERFACE_ADDRESS SEED

Reads datagrams from 127.0.0.1:PORT and sends them to the group. Of a hundred one is dropped, one
sent twice, one swapped with its successor, and one has transport_error_indicator set in a packet.
SIGTERM: prints one JSON object about what it sent: sent lost duplicated reordered cc_errors tei.
"""

import collections
import json
import random
import signal
import socket
import sys


def rtp_number(datagram):
    return int.from_bytes(datagram[2:4], "big") if datagram[0] >> 6 == 2 else None


def packets(datagram):
    body = datagram[12:] if datagram[0] >> 6 == 2 else datagram
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


def continuity_errors(sent):
    """ISO/IEC 13818-1, 2.4.3.3: packets with a payload count; one may come twice."""
    errors, tei, last, twice = 0, 0, {}, set()
    for datagram in sent:
        for packet in packets(datagram):
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
    return errors, tei


def with_error(datagram):
    at = 12 if datagram[0] >> 6 == 2 else 0
    harmed = bytearray(datagram)
    harmed[at + 1] |= 0x80
    return bytes(harmed)


def main():
    port, group, group_port, address, seed = sys.argv[1:6]
    dice = random.Random(int(seed))
    arriving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    arriving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    arriving.bind(("127.0.0.1", int(port)))
    leaving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    leaving.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    leaving.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
    sent, held = [], collections.deque()

    def send(datagram):
        leaving.sendto(datagram, (group, int(group_port)))
        sent.append(datagram)

    def end(*_):
        numbers = [number for number in map(rtp_number, sent) if number is not None]
        lost, duplicated, reordered = sequence_faults(numbers)
        errors, tei = continuity_errors(sent)
        print(json.dumps({"sent": len(sent), "lost": lost, "duplicated": duplicated,
                          "reordered": reordered, "cc_errors": errors, "tei": tei}))
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
        else:
            send(with_error(datagram) if fault == 3 else datagram)


main()
