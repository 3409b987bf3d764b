"""Forwards a stream by several paths, each with losses, delay and an order of its own.

    two_paths_injector.py PORT SEED COMPLETE PATH...

Reads datagrams from 127.0.0.1:PORT and sends each by every PATH: GROUP,PORT,ADDRESS,LOSS,DELAY,LATER (ADDRESS
of the interface to send from; percent lost; ms; percent that leave 3 ms later than the others, and so behind some
of them). The first ten are left alone. With COMPLETE 1 a datagram that one path loses no later one loses. All that is sent
also goes to 127.0.0.1:PORT+1, for another judge. SIGTERM: ends when everything has left.
"""

import heapq
import random
import select
import signal
import socket
import sys
import time

LATER = 0.003


class Path:
    def __init__(self, text):
        group, port, address, loss, delay, later = text.split(",")
        self.to = group, int(port)
        self.loss, self.delay, self.later = float(loss), float(delay) / 1000, float(later)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)


def main():
    port, seed, complete = map(int, sys.argv[1:4])
    paths = [Path(text) for text in sys.argv[4:]]
    dice = random.Random(seed)
    source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    source.bind(("127.0.0.1", port))
    source.setblocking(False)
    judge = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    print("ready", file=sys.stderr, flush=True)
    came, line = 0, []
    while True:
        wait = line[0][0] - time.monotonic() if line else 0.1
        readable, _, _ = select.select([source], [], [], max(wait, 0))
        now = time.monotonic()
        while line and line[0][0] <= now:
            _, _, path, datagram = heapq.heappop(line)
            path.socket.sendto(datagram, path.to)
            judge.sendto(datagram, ("127.0.0.1", port + 1))
        if not readable:
            if ending and not line:
                return
            continue
        datagram = source.recv(65536)
        came += 1
        lost = False
        for path in paths:
            alone = came <= 10
            if not alone and not (lost and complete) and dice.random() * 100 < path.loss:
                lost = True
                continue
            later = LATER if not alone and dice.random() * 100 < path.later else 0
            heapq.heappush(line, (now + path.delay + later, came, path, datagram))


if __name__ == "__main__":
    main()
